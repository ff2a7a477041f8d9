"""Quiet hours where clocks skip an hour, show one twice, and in zones far west and east."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.vocabulary import Trigger
from serving.policy.actions import propose_actions
from serving.policy.cases import HOUR_US, Cases, from_us, to_us
from serving.policy.guards import judge_actions
from serving.policy.hours import after_quiet_hours, is_quiet, local_us
from serving.policy.settings import CHANNELS, PolicySettings, QuietHours, load_policy_settings
from serving.records import Reason

QUARTER = timedelta(minutes=15)
ZONES = [
    "Pacific/Kiritimati",  # +14
    "Pacific/Pago_Pago",  # -11
    "America/St_Johns",  # -3:30, summer time
    "Australia/Lord_Howe",  # half an hour of summer time
    "Europe/Berlin",
    "America/New_York",
    "Africa/Cairo",  # its clocks skip midnight
    "Asia/Kathmandu",
]
CHANGES = [
    datetime(2026, 3, 29, tzinfo=UTC),
    datetime(2026, 10, 25, tzinfo=UTC),
    datetime(2026, 3, 8, tzinfo=UTC),
    datetime(2026, 11, 1, tzinfo=UTC),
    datetime(2026, 4, 24, tzinfo=UTC),
    datetime(2026, 4, 5, tzinfo=UTC),
    datetime(2026, 10, 4, tzinfo=UTC),
    datetime(2026, 7, 1, tzinfo=UTC),
]
MOMENTS = st.builds(
    lambda day, quarters: day + quarters * QUARTER,
    st.sampled_from(CHANGES),
    st.integers(-3 * 96, 3 * 96),
)


def quiet_at(moment: datetime, zone: str, quiet: QuietHours) -> bool:
    """By the standard library, hour by hour."""
    hour = moment.astimezone(ZoneInfo(zone)).hour
    hours = (quiet.to_hour - quiet.from_hour) % 24
    return (hour - quiet.from_hour) % 24 < hours


@given(
    moment=MOMENTS,
    zone=st.sampled_from(ZONES),
    from_hour=st.integers(0, 23),
    to_hour=st.integers(0, 23),
)
def test_after_quiet_hours_waits_for_the_first_moment_that_is_not_quiet(
    moment: datetime, zone: str, from_hour: int, to_hour: int
) -> None:
    quiet = QuietHours(from_hour=from_hour, to_hour=to_hour)
    shifted = after_quiet_hours(np.array([[to_us(moment)]]), (zone,), quiet=quiet)
    waited = from_us(int(shifted[0, 0]))

    assert not quiet_at(waited, zone, quiet)
    step = moment
    while step < waited:  # and it was quiet all the while
        assert quiet_at(step, zone, quiet)
        step += QUARTER


@pytest.mark.parametrize(
    ("decided_at", "zone", "to_hour", "expected"),
    [
        # Berlin skips 2:00 to 3:00 on 29 March: a night that ends at 2 ends with the skip.
        (
            datetime(2026, 3, 28, 23, 30, tzinfo=UTC),
            "Europe/Berlin",
            2,
            datetime(2026, 3, 29, 1, tzinfo=UTC),
        ),
        # New York shows 1:00 to 2:00 twice on 1 November: a night until 2 lasts through both.
        (
            datetime(2026, 11, 1, 5, 30, tzinfo=UTC),
            "America/New_York",
            2,
            datetime(2026, 11, 1, 7, tzinfo=UTC),
        ),
    ],
)
def test_after_quiet_hours_knows_the_hour_that_is_not_there_and_the_one_that_is_twice(
    decided_at: datetime, zone: str, to_hour: int, expected: datetime
) -> None:
    quiet = QuietHours(from_hour=21, to_hour=to_hour)
    waited = after_quiet_hours(np.array([[to_us(decided_at)]]), (zone,), quiet=quiet)

    assert from_us(int(waited[0, 0])) == expected


@given(
    moment=MOMENTS,
    zone=st.sampled_from(ZONES),
    trigger=st.sampled_from([t for t in Trigger if t is not Trigger.SERVICE_DISRUPTION]),
)
def test_no_allowed_action_is_sent_in_the_customers_night(
    moment: datetime, zone: str, trigger: Trigger, one_case: Callable[..., Cases]
) -> None:
    settings = load_policy_settings()
    cases = one_case(trigger, decided_at=moment, timezone=zone)
    grid = propose_actions(cases, settings=settings)
    allowed = grid.slots_us[0][grid.allowed[0].any(axis=0)]

    assert len(allowed)
    assert not is_quiet(local_us((zone,), allowed[None, :]), settings.quiet_hours).any()


def test_quiet_hours_are_locked_even_for_moments_that_were_not_moved(
    one_case: Callable[..., Cases], settings: PolicySettings
) -> None:
    slots_us = to_us(datetime(2026, 6, 10, tzinfo=UTC)) + np.arange(24)[None, :] * HOUR_US
    sets = tuple((channel,) for channel in CHANNELS)
    night = [h for h in range(24) if h >= 21 or h < 9]

    def judge(trigger: Trigger) -> list[int]:
        verdicts = judge_actions(one_case(trigger), sets=sets, slots_us=slots_us, settings=settings)
        assert verdicts.first_reason(0, 0, 12) is None
        return np.flatnonzero(verdicts.forbidden[Reason.QUIET_HOURS][0, 0]).tolist()

    assert judge(Trigger.ORDER_SHIPPED) == night
    assert judge(Trigger.SERVICE_DISRUPTION) == []  # critical messages wake people
