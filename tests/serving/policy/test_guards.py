from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.vocabulary import Channel, Trigger
from serving.policy.actions import propose_actions
from serving.policy.budgets import Budget, Headroom
from serving.policy.cases import Cases, Pauses, to_us
from serving.policy.guards import refuse_cases
from serving.policy.settings import PolicySettings, load_policy_settings
from serving.records import Reason

NOON = datetime(2026, 6, 10, 12, tzinfo=UTC)
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


def first_reason(cases: Cases, settings: PolicySettings) -> Reason | None:
    grid = propose_actions(cases, settings=settings)
    return grid.verdicts.first_reason(0, int(grid.rule_set[0]), 0)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, None),
        ({"known": False, "consents": []}, Reason.UNKNOWN_CUSTOMER),
        ({"suppressed": True}, Reason.SUPPRESSED),
        ({"consents": []}, Reason.NO_CONSENT),
    ],
)
def test_refuse_cases_names_the_guard(
    changes: dict[str, object], expected: Reason | None, one_case: Callable[..., Cases]
) -> None:
    assert refuse_cases(one_case(Trigger.PRICE_DROP, **changes)) == [expected]


@pytest.mark.parametrize(
    ("contacts", "expected"),
    [
        ([], None),
        ([(-2 * HOUR, True)], None),
        ([(-2 * HOUR, True), (-3 * HOUR, True)], Reason.FATIGUE_DAY),
        ([(-2 * HOUR, True), (-25 * HOUR, True)], None),
        ([(-2 * HOUR, True), (5 * HOUR, False)], Reason.FATIGUE_DAY),  # planned ones count too
        ([(-2 * DAY * n / 2 - DAY, True) for n in range(1, 5)], None),  # four in the week
        ([(-(n + 1) * DAY, True) for n in range(1, 6)], Reason.FATIGUE_WEEK),  # five
        ([(-2 * DAY, False), (-3 * DAY, False)], None),
        ([(-2 * DAY, False), (-3 * DAY, False), (-4 * DAY, False)], Reason.FATIGUE_UNOPENED),
        ([(-2 * DAY, False), (-3 * DAY, True), (-4 * DAY, False)], None),
        ([(-8 * DAY, False), (-9 * DAY, False), (-10 * DAY, False)], None),
    ],
)
def test_fatigue_follows_the_designs_limits(
    contacts: list[tuple[timedelta, bool]],
    expected: Reason | None,
    one_case: Callable[..., Cases],
    settings: PolicySettings,
) -> None:
    # order_shipped goes out after two hours: contacts are placed around that moment
    sent_at = NOON + 2 * HOUR
    placed = [(sent_at + offset, opened, False) for offset, opened in contacts]

    cases = one_case(Trigger.ORDER_SHIPPED, contacts=placed)

    assert first_reason(cases, settings) is expected


def test_fatigue_lets_critical_service_messages_pass_but_never_without_consent(
    one_case: Callable[..., Cases], settings: PolicySettings
) -> None:
    many = [(NOON - n * HOUR, False, False) for n in range(1, 9)]

    critical = one_case(Trigger.SERVICE_DISRUPTION, contacts=many)
    high = one_case(Trigger.DELIVERY_DELAY, contacts=many)
    no_consent = one_case(Trigger.SERVICE_DISRUPTION, contacts=many, consents=[])

    assert first_reason(critical, settings) is None
    assert first_reason(high, settings) is Reason.FATIGUE_DAY
    assert refuse_cases(no_consent) == [Reason.NO_CONSENT]
    assert not propose_actions(no_consent, settings=settings).allowed.any()


def test_cool_down_counts_only_the_same_trigger(
    one_case: Callable[..., Cases], settings: PolicySettings
) -> None:
    other = one_case(Trigger.ABANDONED_CART, contacts=[(NOON - DAY, True, False)])
    same = one_case(Trigger.ABANDONED_CART, contacts=[(NOON - DAY, True, True)])
    long_ago = one_case(Trigger.ABANDONED_CART, contacts=[(NOON - 4 * DAY, True, True)])

    assert first_reason(other, settings) is None
    assert first_reason(same, settings) is Reason.COOL_DOWN
    assert first_reason(long_ago, settings) is None


def test_actions_never_use_a_channel_without_consent(
    one_case: Callable[..., Cases], settings: PolicySettings
) -> None:
    consents = {Channel.EMAIL, Channel.SMS}
    for trigger in Trigger:
        grid = propose_actions(one_case(trigger, consents=consents), settings=settings)
        for index, channels in enumerate(grid.sets):
            assert grid.allowed[0, index].any() == (set(channels) <= consents), (trigger, channels)


_OFFSETS = st.lists(st.integers(0, 14 * 24 * 4), min_size=1, max_size=40)


@given(
    offsets=_OFFSETS, triggers=st.lists(st.sampled_from(list(Trigger)), min_size=40, max_size=40)
)
def test_fatigue_is_never_exceeded_by_any_sequence(
    offsets: list[int], triggers: list[Trigger], one_case: Callable[..., Cases]
) -> None:
    """Whatever arrives when, in whatever order, the sent messages respect the caps."""
    settings = load_policy_settings()
    fatigue = settings.fatigue
    start = datetime(2026, 3, 20, tzinfo=UTC)  # a change to summer time lies within
    sent: list[tuple[datetime, Trigger]] = []
    for offset, trigger in zip(offsets, triggers, strict=False):
        if trigger is Trigger.SERVICE_DISRUPTION:
            continue  # critical messages pass the caps
        cases = one_case(
            trigger,
            decided_at=start + offset * timedelta(minutes=15),
            timezone="Europe/Berlin",
            contacts=[(at, True, seen is trigger) for at, seen in sent],
        )
        grid = propose_actions(cases, settings=settings)
        possible = np.argwhere(grid.allowed[0])
        if len(possible):
            slot = int(possible[-1][1])
            at_us = int(grid.slots_us[0, slot])
            sent.append((datetime.fromtimestamp(at_us / 1e6, tz=UTC), trigger))

    moments = sorted(at for at, _ in sent)
    for first in moments:
        in_day = sum(first <= at < first + DAY for at in moments)
        in_week = sum(first <= at < first + 7 * DAY for at in moments)
        assert in_day <= fatigue.max_per_day
        assert in_week <= fatigue.max_per_week


def closed(*channels: Channel) -> np.ndarray:
    """All channels open but these, (1, 5)."""
    return np.array([[channel not in channels for channel in Channel]])


@pytest.mark.parametrize(
    ("trigger", "is_held"), [(Trigger.PRICE_DROP, True), (Trigger.ORDER_SHIPPED, False)]
)
def test_marketing_needs_consent_to_marketing_and_service_does_not(
    trigger: Trigger, is_held: bool, one_case: Callable[..., Cases], settings: PolicySettings
) -> None:
    cases = replace(one_case(trigger), marketing_consent=closed(*Channel))
    some = replace(one_case(trigger), marketing_consent=closed(Channel.PUSH))

    assert refuse_cases(cases) == [Reason.NO_MARKETING_CONSENT if is_held else None]
    assert propose_actions(cases, settings=settings).allowed.any() == (not is_held)
    grid = propose_actions(some, settings=settings)
    push = grid.sets.index((Channel.PUSH,))
    assert grid.allowed[0, push].any() == (not is_held)
    if is_held:
        assert grid.verdicts.first_reason(0, push, 0) is Reason.NO_MARKETING_CONSENT
        assert grid.rule_set[0] != push  # the rules take the next best


def test_unreachable_channels_are_closed_for_everybody_even_critical(
    one_case: Callable[..., Cases], settings: PolicySettings
) -> None:
    for trigger in (Trigger.ABANDONED_CART, Trigger.SERVICE_DISRUPTION):
        nowhere = replace(one_case(trigger), reachable=closed(*Channel))
        no_sms = replace(one_case(trigger), reachable=closed(Channel.SMS))

        assert refuse_cases(nowhere) == [Reason.UNREACHABLE]
        grid = propose_actions(no_sms, settings=settings)
        for index, channels in enumerate(grid.sets):
            assert grid.allowed[0, index].any() == (Channel.SMS not in channels)


def test_incidents_pause_marketing_and_nothing_else(
    one_case: Callable[..., Cases], settings: PolicySettings
) -> None:
    row = np.zeros(1, dtype=np.int64)
    start, end = to_us(NOON - HOUR), to_us(NOON + 5 * HOUR)
    pauses = Pauses(row, np.array([start]), np.array([end]))

    marketing = propose_actions(
        replace(one_case(Trigger.PRICE_DROP), pauses=pauses), settings=settings
    )
    service = propose_actions(
        replace(one_case(Trigger.ORDER_SHIPPED), pauses=pauses), settings=settings
    )

    is_paused = (marketing.slots_us[0] >= start) & (marketing.slots_us[0] < end)
    assert is_paused.any()
    assert not marketing.allowed[0][:, is_paused].any()
    assert marketing.allowed[0][:, ~is_paused].any()
    assert marketing.verdicts.first_reason(0, 0, 0) is Reason.INCIDENT
    assert service.verdicts.first_reason(0, 0, 0) is None


def test_budget_guard_takes_a_message_at_the_most_it_may_cost(
    one_case: Callable[..., Cases], settings: PolicySettings
) -> None:
    dearest = {channel: 8.0 if channel is Channel.SMS else 0.02 for channel in Channel}
    sms = Budget(name="sms", unit="cents", limit=20, per="campaign", channels=("sms",))

    def sms_allowed(spent_cents: float) -> bool:
        headroom = Headroom((sms,), {"sms/campaign": int(spent_cents * 1e6)}, dearest)
        grid = propose_actions(one_case(Trigger.PRICE_DROP), settings=settings, headroom=headroom)
        assert grid.allowed[0, grid.sets.index((Channel.PUSH,))].any()
        index = grid.sets.index((Channel.SMS,))
        if not grid.allowed[0, index].any():
            assert grid.verdicts.first_reason(0, index, 0) is Reason.BUDGET
        return bool(grid.allowed[0, index].any())

    assert sms_allowed(0)
    assert sms_allowed(12)
    assert not sms_allowed(12.01)
