from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from serving.policy.cases import from_us, to_us
from serving.policy.hours import after_quiet_hours, hour_of_week, is_quiet, local_us
from serving.policy.settings import QuietHours

QUIET = QuietHours(from_hour=21, to_hour=9)
ZONES = ["UTC", "Asia/Almaty", "Europe/Berlin", "America/New_York", "Asia/Kathmandu"]
MOMENTS = st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)).map(
    lambda naive: naive.replace(tzinfo=UTC)
)


def waited_until(moment: datetime, zone: str) -> datetime:
    shifted = after_quiet_hours(np.array([[to_us(moment)]]), (zone,), quiet=QUIET)
    return from_us(int(shifted[0, 0]))


@given(moment=MOMENTS, zone=st.sampled_from(ZONES))
def test_after_quiet_hours_moves_only_quiet_moments_to_nine_local(
    moment: datetime, zone: str
) -> None:
    waited = waited_until(moment, zone)
    local = moment.astimezone(ZoneInfo(zone))
    if 9 <= local.hour < 21:
        assert waited == moment
    else:
        there = waited.astimezone(ZoneInfo(zone))
        assert (there.hour, there.minute, there.second) == (9, 0, 0)
        # At most twelve hours of night, and one more when the clocks go back in it.
        assert timedelta(0) < waited - moment <= timedelta(hours=13)


def test_after_quiet_hours_is_right_when_the_clocks_change_at_night() -> None:
    spring = datetime(2026, 3, 28, 22, tzinfo=UTC)  # 23:00 in Berlin, summer time begins at 2:00
    autumn = datetime(2026, 10, 24, 21, tzinfo=UTC)  # 23:00 in Berlin, it ends at 3:00

    assert waited_until(spring, "Europe/Berlin") == datetime(2026, 3, 29, 7, tzinfo=UTC)
    assert waited_until(autumn, "Europe/Berlin") == datetime(2026, 10, 25, 8, tzinfo=UTC)


@given(moment=MOMENTS, zone=st.sampled_from(ZONES))
def test_hour_of_week_agrees_with_the_standard_library(moment: datetime, zone: str) -> None:
    local = moment.astimezone(ZoneInfo(zone))
    found = hour_of_week(local_us((zone,), np.array([to_us(moment)])))

    assert int(found[0]) == local.weekday() * 24 + local.hour


def test_local_us_treats_each_row_in_its_own_zone() -> None:
    noon = to_us(datetime(2026, 7, 1, 12, tzinfo=UTC))
    local = local_us(("Asia/Almaty", "UTC", "Asia/Almaty"), np.full((3, 2), noon))

    assert ((local - noon) // 3_600_000_000).tolist() == [[5, 5], [0, 0], [5, 5]]


def test_is_quiet_also_takes_periods_within_a_day() -> None:
    hours = np.arange(24) * 3_600_000_000

    midday = is_quiet(hours, QuietHours(from_hour=12, to_hour=14))

    assert np.flatnonzero(midday).tolist() == [12, 13]


@given(
    moments=st.lists(
        st.datetimes(datetime(1990, 1, 1), datetime(2060, 1, 1)), min_size=1, max_size=6
    ),
    zones=st.lists(st.sampled_from(ZONES), min_size=6, max_size=6),
)
def test_local_us_is_the_same_whoever_else_is_asked_about(
    moments: list[datetime], zones: list[str]
) -> None:
    """Moments of different decades, or of one hour."""
    at = np.array([to_us(moment.replace(tzinfo=UTC)) for moment in moments])
    alone = [local_us((zone,), one)[0] for zone, one in zip(zones, at[:, None], strict=False)]
    assert local_us(tuple(zones[: len(at)]), at).tolist() == alone
    assert local_us((zones[0],), at[None, :]).tolist() == [
        [local_us((zones[0],), one)[0] for one in at[:, None]]
    ]
