"""The rhythm of a week, and a clock that runs faster when more is usual.

On that clock complaints of an ordinary stream come at a constant rate, so that a level is one
number and what is usual for a span is the level times the span.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property, lru_cache
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

WEEK_HOURS: Final = 168
HOUR_US: Final = 3_600_000_000
_QUARTER_US: Final = HOUR_US // 4
_EPOCH_HOUR: Final = 72  # 1 January 1970 was a Thursday; weeks begin on Monday


@dataclass(frozen=True)
class WeekShape:
    """How much of what is usual falls into each hour of the week.

    Attributes:
        weights: By local hour from Monday 00:00, 168 of them above zero with mean one.
        zone: IANA name of the zone whose hours these are.
    """

    weights: tuple[float, ...]
    zone: str

    @cached_property
    def _before(self) -> tuple[float, ...]:
        return (0.0, *np.cumsum(self.weights).tolist())

    def mean_hours(self, at_us: int) -> float:
        """The clock: hours of the mean rate since some fixed moment."""
        week, hours, part = _split(at_us + _offset_us(self.zone, at_us // _QUARTER_US))
        return week * WEEK_HOURS + self._before[hours] + part * self.weights[hours]

    def local_hours(self, at_us: Ints) -> Floats:
        """Local hours since a Monday 00:00, (n,); a whole week is 168."""
        quarters, where = np.unique(at_us // _QUARTER_US, return_inverse=True)
        offsets = np.array([_offset_us(self.zone, int(q)) for q in quarters], np.int64)
        if not len(at_us):
            return np.empty(0)
        return np.asarray((at_us + offsets[where]) / HOUR_US + _EPOCH_HOUR)

    def mean_hours_of(self, local_hours: Floats) -> Floats:
        """The clock for local hours, (n,)."""
        weeks, hours = np.divmod(local_hours, WEEK_HOURS)
        whole = hours.astype(np.int64)
        before, weights = np.array(self._before), np.array(self.weights)
        return np.asarray(weeks * WEEK_HOURS + before[whole] + (hours - whole) * weights[whole])


def fit_shape(local_hours: Floats, *, zone: str, pull: float = 10.0) -> WeekShape:
    """The rhythm of what came at local hours, (n,), pulled to that of a day.

    Args:
        local_hours: From `WeekShape.local_hours`.
        zone: Of these hours.
        pull: An hour of the week is held to its hour of the day as if so many more had come then;
            the hour of the day to a flat one likewise, so that no hour is impossible.
    """
    hours = np.floor(local_hours).astype(np.int64) % WEEK_HOURS
    by_hour = np.bincount(hours, minlength=WEEK_HOURS).astype(float)
    of_day = by_hour.reshape(7, 24).sum(axis=0) + pull / 24
    day = np.tile(of_day / of_day.sum(), 7) / 7
    days = by_hour.reshape(7, 24).sum(axis=1) + pull
    expected = day * 7 * np.repeat(days / days.sum(), 24)
    held = by_hour + WEEK_HOURS * pull * expected
    weights = held / held.mean()
    return WeekShape(tuple(weights.tolist()), zone)


def opening_shape(
    *, zone: str, opens: int = 9, closes: int = 22, outside: float = 0.1
) -> WeekShape:
    """An assumed rhythm: even within opening hours, a tenth of it outside.

    >>> shape = opening_shape(zone="Asia/Almaty")
    >>> round(sum(shape.weights), 6), shape.weights[12] / shape.weights[3]
    (168.0, 10.0)
    """
    day = np.where((np.arange(24) >= opens) & (np.arange(24) < closes), 1.0, outside)
    weights = np.tile(day / day.mean(), 7)
    return WeekShape(tuple(weights.tolist()), zone)


def _split(local_us: int) -> tuple[int, int, float]:
    """Week, whole hour of it and part of the hour."""
    hours, rest = divmod(local_us, HOUR_US)
    week, hour = divmod(hours + _EPOCH_HOUR, WEEK_HOURS)
    return week, hour, rest / HOUR_US


@lru_cache(65_536)
def _offset_us(zone: str, quarter: int) -> int:
    """How far local time is ahead of UTC in a quarter of an hour."""
    moment = datetime.fromtimestamp(quarter * 900, tz=UTC).astimezone(ZoneInfo(zone))
    offset = moment.utcoffset()
    return 0 if offset is None else round(offset.total_seconds()) * 1_000_000
