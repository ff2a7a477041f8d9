"""How much to shrink: strengths chosen from the log itself, without lying about it.

A strength that was chosen on the rows it is then used on looks better than it is, and what it
shrinks biases the estimate; the usual interval around it covers about half of what it should. So
each half of the customers is judged with the strength that the other half chose, and the interval
is one of an estimator that shrinks nothing, reaching to the tuned value where that lies outside: it
holds at least as often as that one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import NormalDist

import numpy as np

from features.errors import BadInputError
from training.evaluation.bootstrap import Estimate
from training.evaluation.clustered import Units
from training.measures import Floats
from training.ope.direct import assign_folds
from training.ope.estimators import Estimator, Parts, estimate_parts
from training.ope.weighted import WeightedLog

_N_STRENGTHS = 12


class TuningRule(StrEnum):
    """How a strength is chosen."""

    SLOPE = "slope"
    MSE_BOUND = "mse_bound"


@dataclass(frozen=True)
class Tuned:
    """A tuned estimate.

    Attributes:
        estimate: With an interval that does not count on the tuning.
        strengths: Chosen by each half for the other.
    """

    estimate: Estimate
    strengths: tuple[float, float]


def estimate_tuned(
    log: WeightedLog,
    *,
    by: Estimator,
    rule: TuningRule,
    rng: np.random.Generator,
    whole: Estimate,
) -> Tuned:
    """The value by an estimator that shrinks, each half tuned on the other.

    Args:
        log: Of at least two customers.
        by: An estimator that shrinks.
        rule: How its strength is chosen.
        rng: Of the halves.
        whole: The same value by an estimator that shrinks nothing, with an interval that holds on
            logs of this kind (`martingale_interval` where the logged policy learned).

    Raises:
        BadInputError: The estimator does not shrink, or there are fewer than two customers.
    """
    if not by.needs_strength:
        raise BadInputError(f"{by} has no strength to be tuned")
    folds = assign_folds(log.customers, n_folds=2, rng=rng)
    halves = [np.flatnonzero(folds == fold) for fold in (0, 1)]
    if not all(len(half) for half in halves):
        raise BadInputError(f"{by}: tuning needs two customers, the log has one")
    grid = list_strengths(log, by=by)
    value, strengths = 0.0, []
    for own, other in (halves, halves[::-1]):
        strength = choose_strength(log.take(other), by=by, rule=rule, grid=grid)
        found = estimate_parts(log.take(own), by=by, strength=strength).value()
        value += found * len(own) / log.n
        strengths.append(strength)
    reach = Estimate(value, min(whole.low, value), max(whole.high, value))
    return Tuned(reach, (strengths[0], strengths[1]))


def list_strengths(log: WeightedLog, *, by: Estimator) -> tuple[float, ...]:
    """Strengths to choose from, from none to one that shrinks nearly everything."""
    if by is Estimator.SUB_GAUSSIAN:
        return (0.0, *np.geomspace(1e-4, 1.0, _N_STRENGTHS - 1).tolist())
    most = max(float(log.weights.max()), 1.0)
    if by is Estimator.DROS:
        return (np.inf, *np.geomspace(10.0 * most**2, 0.01, _N_STRENGTHS - 1).tolist())
    strongest = 1.0 if by is Estimator.CLIPPED else 0.5  # what the log did as often stays whole
    return (np.inf, *np.geomspace(most, strongest, _N_STRENGTHS - 1).tolist())


def choose_strength(
    log: WeightedLog, *, by: Estimator, rule: TuningRule, grid: Sequence[float]
) -> float:
    """The strength that a rule finds best on these rows; the grid goes from weak to strong.

    SLOPE (Su et al. 2020, ICML) goes on shrinking while all intervals so far have a point in
    common: variance falls, and no bias shows yet. The other takes the least sum of the variance
    and the largest square of the bias that the rows leave open, after Wang et al. (2017).
    """
    units = Units.of(log.customers)
    parts = [estimate_parts(log, by=by, strength=strength) for strength in grid]
    values = np.array([part.value() for part in parts])
    errors = np.array([units.error(part.influenced()) for part in parts])
    if rule is TuningRule.SLOPE:
        return grid[_slope(values, errors)]
    bias = np.array([_bound_bias(part, whole=parts[0], units=units) for part in parts])
    return grid[int((errors**2 + bias**2).argmin())]


def _slope(values: Floats, errors: Floats) -> int:
    """Last of the strengths up to which all intervals have a point in common."""
    reach = NormalDist().inv_cdf(0.975) * np.minimum.accumulate(errors)
    high = np.minimum.accumulate(values + reach)
    low = np.maximum.accumulate(values - reach)
    apart = np.flatnonzero(low > high)
    return int(apart[0]) - 1 if len(apart) else len(values) - 1


def _bound_bias(part: Parts, *, whole: Parts, units: Units) -> float:
    """The most that shrinking may have moved the value, by 95 % of the paired difference."""
    difference = part.influenced().minus(whole.influenced())
    reach: float = NormalDist().inv_cdf(0.95) * units.error(difference)
    return abs(difference.value) + reach
