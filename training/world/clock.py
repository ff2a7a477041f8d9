"""Time inside the world: whole microseconds, days since its first Monday, local hours of a week.

Moments are int64 microseconds since 1970 in UTC, so that they compare exactly and go into the
tables as they are. What never happens has the moment `NEVER`.
"""

from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.errors import BadInputError

Micros = npt.NDArray[np.int64]
Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

SECOND: Final = 1_000_000
HOUR: Final = 3_600 * SECOND
DAY: Final = 24 * HOUR
NEVER: Final = 2**62

EPOCH: Final = datetime(2026, 1, 5, tzinfo=UTC)
"""First moment of every world's history, a Monday: no world reads the wall clock."""

_UNIX = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_US: Final = (EPOCH - _UNIX) // timedelta(microseconds=1)
_N_TABLED_DAYS = 4 * 366


def to_micros(moment: datetime) -> int:
    """Microseconds of an aware moment; BadInputError for a naive one."""
    if moment.tzinfo is None:
        raise BadInputError(f"a moment of the world must carry its time zone, got {moment!r}")
    return (moment - _UNIX) // timedelta(microseconds=1)


def to_moment(micros: int) -> datetime:
    """The aware moment (UTC) of these microseconds."""
    return _UNIX + timedelta(microseconds=micros)


def day_start(day: int) -> int:
    """First moment of a world's day; day 0 is the day of `EPOCH`.

    >>> to_moment(day_start(1)).isoformat()
    '2026-01-06T00:00:00+00:00'
    """
    return _EPOCH_US + day * DAY


def day_of(at: Micros) -> Ints:
    """The world's day in which each moment lies."""
    return (at - _EPOCH_US) // DAY


def month_end(day: int) -> int:
    """First moment of the month after that of the day.

    >>> to_moment(month_end(0)).isoformat()
    '2026-02-01T00:00:00+00:00'
    """
    moment = to_moment(day_start(day))
    return to_micros((moment.replace(day=1) + timedelta(days=32)).replace(day=1))


def after(at: Micros | int, *, hours: Floats | float) -> Micros:
    """The moments so many hours later, rounded up to a whole second: never before `at`."""
    seconds = np.ceil(np.asarray(hours, dtype=np.float64) * 3_600.0).astype(np.int64)
    later: Micros = at + seconds * SECOND
    return later


def hours_between(earlier: Micros | int, later: Micros | int) -> Floats:
    """Hours from one moment to another, negative where it lies before."""
    return (np.asarray(later, dtype=np.int64) - earlier) / HOUR


def hour_of_week(at: Micros, *, zone: Ints, zones: tuple[str, ...]) -> Ints:
    """Local hour of the week, Monday 0:00 first, of moments in the zones at these positions.

    Args:
        at: Moments from `EPOCH` on, shape (n,); later than four years they keep the last offset.
        zone: Position in `zones`, shape (n,).
        zones: IANA names.
    """
    offsets = _offset_hours(zones)
    since = (at - _EPOCH_US) // HOUR
    hour = np.clip(since, 0, offsets.shape[1] - 1)
    local: Ints = (since + offsets[zone, hour]) % 168
    return local


@cache
def _offset_hours(zones: tuple[str, ...]) -> Ints:
    """Offset to UTC in whole hours by zone and hour since EPOCH (our zones have no half hours)."""
    hours = pd.date_range(EPOCH, periods=_N_TABLED_DAYS * 24, freq="h")
    naive = hours.tz_localize(None)
    return np.stack(
        [
            (hours.tz_convert(zone).tz_localize(None) - naive) // pd.Timedelta(hours=1)
            for zone in zones
        ]
    ).astype(np.int64)
