"""Lenses: which rows a feature sees from a moment, by their own times, and how much each weighs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from features.declarations import Aggregate, Feature
from features.point_in_time.spine import MICROS_PER_DAY

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Whole = npt.NDArray[np.int64]

_DAY: Final = float(MICROS_PER_DAY)


@dataclass(frozen=True)
class Lens:
    """A window as seen from any moment.

    Attributes:
        window_days: Its length; None reaches back to the first row.
        ends_days_ago: Days between the moment's midnight and its end.
        bucket_days: Length of a slope's bucket; None where rows weigh the same.
    """

    window_days: int | None
    ends_days_ago: int
    bucket_days: int | None = None

    @property
    def is_open(self) -> bool:
        """Whether it sees every row that is known."""
        return self.window_days is None and not self.ends_at_midnight

    @property
    def ends_at_midnight(self) -> bool:
        """Whether it leaves out the rows of the moment's own day."""
        return self.ends_days_ago > 0 or self.bucket_days is not None

    @property
    def reach_days(self) -> int:
        """How many whole days before the moment's own it tells apart."""
        return (self.window_days or 0) + self.ends_days_ago


def lens_of(feature: Feature) -> Lens:
    """The lens of a feature."""
    bucket = feature.bucket_days if feature.aggregate is Aggregate.SLOPE else None
    return Lens(feature.window_days, feature.ends_days_ago, bucket)


def find_midnight(moment: int) -> int:
    """The start of the moment's day in UTC."""
    return moment - moment % MICROS_PER_DAY


def find_day(moment: int) -> int:
    """The day of a moment, counted from 1970 in UTC."""
    return moment // MICROS_PER_DAY


class LensTable:
    """Several lenses as arrays."""

    def __init__(self, lenses: Sequence[Lens]) -> None:
        self.lenses = tuple(lenses)
        reach = [np.inf if lens.window_days is None else lens.reach_days for lens in lenses]
        ends = [lens.ends_days_ago if lens.ends_at_midnight else -np.inf for lens in lenses]
        self._begin = np.array(reach, dtype=np.float64)[:, None] * _DAY
        self._end = np.array(ends, dtype=np.float64)[:, None] * _DAY
        self._slopes = tuple(n for n, lens in enumerate(lenses) if lens.bucket_days is not None)

    def see(self, t: Floats, *, as_of_us: int) -> Flags:
        """Which rows each lens sees; shape (lenses, rows). Every row is known at the moment."""
        midnight = float(find_midnight(as_of_us))
        seen: Flags = (t >= midnight - self._begin) & (t < midnight - self._end)
        return seen

    def weigh(self, t: Floats, seen: Flags, *, as_of_us: int) -> Floats:
        """How much each row weighs in each lens; slopes give whole numbers around 0."""
        weights = seen.astype(np.float64)
        for n in self._slopes:
            weights[n] *= _weigh_buckets(t, self.lenses[n], as_of_us=as_of_us)
        return weights


def _weigh_buckets(t: Floats, lens: Lens, *, as_of_us: int) -> Floats:
    bucket = lens.bucket_days or 1
    begin = find_midnight(as_of_us) - lens.reach_days * MICROS_PER_DAY
    number = np.floor((t - begin) / (bucket * _DAY))
    return 2.0 * number - ((lens.window_days or 0) // bucket - 1)
