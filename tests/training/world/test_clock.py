from datetime import UTC, datetime

import numpy as np
import pytest

from features.errors import BadInputError
from training.world.clock import HOUR, after, day_of, day_start, hour_of_week, to_micros, to_moment


def test_hour_of_week_follows_daylight_saving() -> None:
    # Berlin went from 2:00 to 3:00 on Sunday 2026-03-29, at 1:00 UTC; Almaty has no such hour.
    before = to_micros(datetime(2026, 3, 29, 0, tzinfo=UTC))
    at = np.array([before, before + HOUR, before + 2 * HOUR, before])
    zones = ("Europe/Berlin", "Asia/Almaty")
    local = hour_of_week(at, zone=np.array([0, 0, 0, 1]), zones=zones)
    sunday = 6 * 24
    assert (local - sunday).tolist() == [1, 3, 4, 5]


def test_after_is_never_before_and_whole_seconds() -> None:
    start = np.array([day_start(3)] * 3)
    later = after(start, hours=np.array([0.0, 1e-9, 1.0]))
    assert (later - start).tolist() == [0, 1_000_000, HOUR]


def test_days_begin_at_midnight_utc() -> None:
    assert day_of(np.array([day_start(5) - 1, day_start(5)])).tolist() == [4, 5]
    assert to_moment(day_start(0)) == datetime(2026, 1, 5, tzinfo=UTC)


def test_to_micros_refuses_a_naive_moment() -> None:
    with pytest.raises(BadInputError, match="time zone"):
        to_micros(datetime(2026, 3, 1))
