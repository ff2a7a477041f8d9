"""From what was found at a moment to the numbers of a feature set, as the SQL finishes them."""

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from features.codes import CODE_DIVISOR
from features.declarations import Aggregate, Combination, Derived, Feature, FeatureSet
from features.online.lenses import Floats
from features.online.measures import Demand, demands_of
from features.point_in_time.spine import MICROS_PER_DAY

_DAY = float(MICROS_PER_DAY)


class NumberPlan:
    """The formulas of a feature set, laid out for arrays.

    Every plain feature is `sign * (found - shift * moment) / divisor [/ other] [/ 1e6]`, where only
    means and gaps have another number to be divided by.
    """

    def __init__(
        self, features: FeatureSet, *, demands: Sequence[Demand], present: frozenset[str]
    ) -> None:
        self._features = features
        place = {demand: n for n, demand in enumerate(demands)}
        plain = {f.name: n for n, f in enumerate(features.plain)}
        readable = [f for f in features.plain if f.tables <= present]
        self._n_plain = len(plain)
        needs = {f.name: [place[demand] for demand in demands_of(f)] for f in readable}
        self._at = _whole(plain[f.name] for f in readable)
        self._found = _whole(needs[f.name][0] for f in readable)
        self._since = _pick(readable, Aggregate.DAYS_SINCE_LAST, Aggregate.DAYS_SINCE_FIRST)
        self._until = _pick(readable, Aggregate.DAYS_UNTIL)
        means = _pick(readable, Aggregate.MEAN)
        self._means = means
        self._n_means = _whole(needs[readable[n].name][1] for n in means)
        self._divisors = np.array([_divisor(f) for f in readable], dtype=np.float64)
        self._codes = _pick(readable, Aggregate.CODE)
        self._millionths = _whole(n for n, f in enumerate(readable) if f.in_millionths)
        self._gaps = [
            (plain[f.name], needs[f.name])
            for f in readable
            if f.aggregate is Aggregate.MEAN_GAP_DAYS
        ]
        self._order = _whole(
            plain[f.name] if isinstance(f, Feature) else len(plain) + n
            for f, n in _number_derived(features)
        )
        derived = features.derived
        self._left = _whole(plain[d.left] for d in derived)
        self._right = _whole(plain[d.right] for d in derived)
        self._scales = np.array([d.scale for d in derived], dtype=np.float64)
        floors = [-np.inf if d.floor is None else d.floor for d in derived]
        self._floors = np.array(floors, dtype=np.float64)
        self._differences = np.array(
            [d.combination is Combination.DIFFERENCE for d in derived], dtype=bool
        )
        shares = [1.0 if d.combination is Combination.SHARE else np.inf for d in derived]
        self._most = np.array(shares, dtype=np.float64)

    def finish(self, found: Floats, *, as_of_us: int) -> Floats:
        """The numbers in the order of the set; NaN is null.

        Args:
            found: One number per demand of the layout.
            as_of_us: The moment.
        """
        plain = np.full(self._n_plain, np.nan)
        numbers = found[self._found]
        numbers[self._since] = as_of_us - numbers[self._since]
        numbers[self._until] -= as_of_us
        if len(self._means):
            counts = found[self._n_means]
            numbers[self._means] /= np.where(counts > 0.0, counts, np.nan)
        numbers /= self._divisors
        numbers[self._millionths] /= 1e6
        numbers[self._codes] = np.floor(numbers[self._codes])
        plain[self._at] = numbers
        for at, (count, first, last) in self._gaps:
            gaps = found[count] - 1.0
            plain[at] = (found[last] - found[first]) / (_DAY * gaps) if gaps > 0.0 else np.nan
        finished: Floats = np.concatenate([plain, self._combine(plain)])[self._order]
        return finished

    def _combine(self, plain: Floats) -> Floats:
        left, right = plain[self._left], plain[self._right]
        right = np.where(right < self._floors, self._floors, right)
        ratios = self._scales * left / np.where(right != 0.0, right, np.nan)
        ratios = np.where(ratios > self._most, self._most, ratios)
        return np.where(self._differences, self._scales * (left - right), ratios)


def _divisor(feature: Feature) -> float:
    match feature.aggregate:
        case Aggregate.DAYS_SINCE_LAST | Aggregate.DAYS_SINCE_FIRST | Aggregate.DAYS_UNTIL:
            return _DAY
        case Aggregate.CODE:
            return CODE_DIVISOR
        case Aggregate.SLOPE:
            n = feature.n_buckets
            return float(n * (n - 1) * (n + 1) // 6)
        case _:
            return 1.0


def _number_derived(features: FeatureSet) -> list[tuple[Feature | Derived, int]]:
    numbered, n = [], 0
    for feature in features.features:
        numbered.append((feature, n))
        n += isinstance(feature, Derived)
    return numbered


def _pick(features: Sequence[Feature], *aggregates: Aggregate) -> npt.NDArray[np.intp]:
    return _whole(n for n, f in enumerate(features) if f.aggregate in aggregates)


def _whole(places: Iterable[int]) -> npt.NDArray[np.intp]:
    return np.array(list(places), dtype=np.intp)
