"""The rules policy reproduces the design's defaults, trigger by trigger."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from features.vocabulary import Channel, Priority, Trigger
from serving.policy.actions import ActionGrid, propose_actions
from serving.policy.cases import Cases, from_us
from serving.policy.settings import PolicySettings

NOON = datetime(2026, 6, 10, 12, tzinfo=UTC)

EMAIL, SMS, PUSH, IN_APP = Channel.EMAIL, Channel.SMS, Channel.PUSH, Channel.IN_APP

DEFAULTS = [
    (Trigger.DELIVERY_DELAY, {SMS, PUSH}, Priority.HIGH, 0.0),
    (Trigger.PAYMENT_FAILURE_RISK, {EMAIL}, Priority.MEDIUM, 2.0),
    (Trigger.SERVICE_DISRUPTION, {PUSH, SMS}, Priority.CRITICAL, 0.0),
    (Trigger.SUBSCRIPTION_LIMIT, {IN_APP, EMAIL}, Priority.MEDIUM, 2.0),
    (Trigger.ACCOUNT_ANOMALY, {EMAIL, SMS}, Priority.HIGH, 0.0),
    (Trigger.ORDER_SHIPPED, {SMS}, Priority.MEDIUM, 2.0),
    (Trigger.ABANDONED_CART, {EMAIL}, Priority.MEDIUM, 1.5),
    (Trigger.BROWSE_ABANDONMENT, {EMAIL}, Priority.MEDIUM, 2.0),
    (Trigger.PRICE_DROP, {PUSH}, Priority.MEDIUM, 0.1),
    (Trigger.INACTIVITY, {PUSH}, Priority.LOW, 24.0),
]
PRIORS = [
    (Trigger.ABANDONED_CART, [EMAIL, SMS, PUSH]),
    (Trigger.BROWSE_ABANDONMENT, [EMAIL, SMS, PUSH]),
    (Trigger.INACTIVITY, [PUSH, EMAIL, SMS]),
    (Trigger.PRICE_DROP, [PUSH, EMAIL, SMS]),
    (Trigger.ORDER_SHIPPED, [SMS, EMAIL, PUSH]),
]


def rule_of(grid: ActionGrid) -> tuple[set[Channel], datetime] | None:
    """What the rules policy does in the first case; None when it sends nothing."""
    action = int(grid.rule_action()[0])
    if action == grid.n_actions - 1:
        return None
    set_index, slot = divmod(action, grid.slots_us.shape[1])
    return set(grid.sets[set_index]), from_us(int(grid.slots_us[0, slot]))


@pytest.mark.parametrize(("trigger", "channels", "priority", "delay_hours"), DEFAULTS)
def test_rules_use_the_designs_channels_priority_and_delay(
    trigger: Trigger,
    channels: set[Channel],
    priority: Priority,
    delay_hours: float,
    one_case: Callable[..., Cases],
    settings: PolicySettings,
) -> None:
    grid = propose_actions(one_case(trigger), settings=settings)

    expected_at = NOON + timedelta(hours=delay_hours)
    if delay_hours == 24.0:
        assert expected_at.hour == 12  # outside quiet hours, so nothing moves it
    assert rule_of(grid) == (channels, expected_at)
    assert settings.triggers[trigger].priority is priority


@pytest.mark.parametrize(("trigger", "ranked"), PRIORS)
def test_rules_take_the_best_prior_with_consent(
    trigger: Trigger,
    ranked: list[Channel],
    one_case: Callable[..., Cases],
    settings: PolicySettings,
) -> None:
    for best in range(len(ranked)):
        consents = [*ranked[best:], Channel.WHATSAPP]
        grid = propose_actions(one_case(trigger, consents=consents), settings=settings)
        decided = rule_of(grid)
        assert decided is not None
        assert decided[0] == {ranked[best]}

    only_others = propose_actions(one_case(trigger, consents=[Channel.WHATSAPP]), settings=settings)
    assert rule_of(only_others) is None


def test_rules_fall_back_to_the_channel_that_consented(
    one_case: Callable[..., Cases], settings: PolicySettings
) -> None:
    for consents, expected in [([SMS, EMAIL], {SMS}), ([PUSH], {PUSH})]:
        grid = propose_actions(
            one_case(Trigger.DELIVERY_DELAY, consents=consents), settings=settings
        )
        decided = rule_of(grid)
        assert decided is not None
        assert decided[0] == expected


def test_rules_wait_48_hours_with_inactive_customers_who_sleep_at_nine(
    one_case: Callable[..., Cases], settings: PolicySettings
) -> None:
    grid = propose_actions(one_case(Trigger.INACTIVITY, nine_is_active=False), settings=settings)

    assert rule_of(grid) == ({PUSH}, NOON + timedelta(hours=48))


@pytest.mark.parametrize(
    ("local_hour", "expected_wait_hours"), [(20, 0), (21, 12), (23, 10), (0, 9), (8, 1), (9, 0)]
)
def test_rules_wait_for_the_end_of_quiet_hours_in_the_customers_zone(
    local_hour: int,
    expected_wait_hours: int,
    one_case: Callable[..., Cases],
    settings: PolicySettings,
) -> None:
    decided_at = datetime(2026, 6, 10, local_hour, tzinfo=UTC) - timedelta(hours=5)
    high = one_case(Trigger.DELIVERY_DELAY, decided_at=decided_at, timezone="Asia/Almaty")
    critical = one_case(Trigger.SERVICE_DISRUPTION, decided_at=decided_at, timezone="Asia/Almaty")

    waited = rule_of(propose_actions(high, settings=settings))
    at_once = rule_of(propose_actions(critical, settings=settings))

    assert waited == ({SMS, PUSH}, decided_at + timedelta(hours=expected_wait_hours))
    assert at_once == ({PUSH, SMS}, decided_at)
