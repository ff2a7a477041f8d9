"""Hours of a customer's own week: of one fact, and how often something happened in each."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from math import ldexp
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np

from features.conditions import N_WEEK_HOURS
from features.errors import BadInputError
from features.histograms import HourHistogram
from features.online.lenses import Floats
from features.point_in_time.spine import MICROS_PER_DAY
from features.point_in_time.zones import find_zone

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
OLDEST: Final = 1074  # eras; 2^-1074 is the smallest double


def read_week_hour(moment_us: int, *, timezone: str | None) -> int | None:
    """The hour of the week on the wall of that zone, 0 is Monday 0:00; None without a zone.

    Raises:
        BadInputError: The moment is beyond the years 1 to 9999, or the zone does not exist.
    """
    if timezone is None:
        return None
    try:
        local = (_EPOCH + timedelta(microseconds=moment_us)).astimezone(_zone(timezone))
    except OverflowError as error:
        raise BadInputError(f"no clock shows the moment of {moment_us} microseconds") from error
    return local.weekday() * 24 + local.hour


@lru_cache(maxsize=1024)
def _zone(timezone: str) -> ZoneInfo:
    return find_zone(timezone)


def find_era(moment_us: int, *, half_life_days: int | None) -> int:
    """The era of a moment, counted from 1970; 0 where nothing decays."""
    return 0 if half_life_days is None else moment_us // (half_life_days * MICROS_PER_DAY)


def decay(eras: int) -> float:
    """The weight of a row that lies so many eras back."""
    return ldexp(1.0, -eras) if eras <= OLDEST else 0.0


class HourCounts:
    """Weights by hour of the week, as seen from an era.

    Attributes:
        era: The era from which rows are weighed; 0 where nothing decays.
        counts: Shape (168,).
    """

    __slots__ = ("counts", "era")

    def __init__(self, era: int, counts: Floats) -> None:
        self.era, self.counts = era, counts

    @classmethod
    def empty(cls) -> "HourCounts":
        """Nothing seen."""
        return cls(0, np.zeros(N_WEEK_HOURS))

    def copy(self) -> "HourCounts":
        """The same weights, apart."""
        return HourCounts(self.era, self.counts.copy())

    def add(self, week_hour: int, *, era: int, times: float = 1.0) -> None:
        """Count a row of an era; -1 times takes it back."""
        if era > self.era:
            self.counts *= decay(era - self.era)
            self.era = era
        self.counts[week_hour] += times * decay(self.era - era)

    def read(self, *, era: int) -> Floats:
        """The weights as seen from an era not before the latest one."""
        seen: Floats = self.counts * decay(era - self.era)
        return seen


def half_life_of(histogram: HourHistogram | None) -> int | None:
    """Length of the histogram's eras; None where nothing decays."""
    return None if histogram is None else histogram.half_life_days
