"""Intervals around the value of a policy, each with what it needs to be true.

| interval | holds |
|---|---|
| normal, delta method | many customers, none of them outweighing the rest; logs of a fixed policy |
| bootstrap by customer | the same; follows the skewness of ratios |
| empirical Bernstein | any number of rows, of a known range; wide |
| Clopper-Pearson | rewards of a known range; nearly exact where few of them came |
| martingale | the same, and logs of a policy that learned, with a model of the rows before |
| asymptotic sequence | at every moment at which one may look, and on logs of a policy that learns |

Rows of one customer are added up before anything is squared.
"""

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from scipy import stats

from training.evaluation.bootstrap import Estimate
from training.evaluation.bootstrap import estimate as bootstrap
from training.evaluation.clustered import LEVEL, Units
from training.measures import Floats
from training.ope.estimators import Parts
from training.ope.weighted import Names, WeightedLog


@dataclass(frozen=True)
class Range:
    """Between which numbers a reward lies."""

    low: float
    high: float


def normal_interval(parts: Parts, *, customers: Names, level: float = LEVEL) -> Estimate:
    """The estimate by the delta method."""
    return Units.of(customers).estimate(parts.influenced(), level=level)


def bootstrap_interval(
    parts: Parts,
    *,
    customers: Names,
    rng: np.random.Generator,
    level: float = LEVEL,
    n_resamples: int | None = None,
) -> Estimate:
    """The estimate with percentiles over draws of customers."""
    tail = 50.0 * (1.0 - level)
    return bootstrap(
        parts.value,
        customers=customers,
        rng=rng,
        n_resamples=n_resamples,
        tails=(tail, 100.0 - tail),
    )


def martingale_interval(
    parts: Parts, *, noise: Floats, customers: Names, level: float = LEVEL
) -> Estimate:
    """The estimate with the mean of the variance that came and the one that was to be expected.

    What a row with a small logged probability adds is seldom large; where it never came out large,
    the squares of what came are too small together with the value, and where it did, they are too
    large. On logs of a policy that learned the usual interval misses for this reason. The log holds
    the probabilities of all actions, so the variance of each row's correction can also be reckoned
    before its action is drawn, up to the squares of the model's errors, which are modelled. The sum
    of the two, [M] + <M>, bounds a martingale without conditions on its steps (Bercu & Touati 2008,
    theorem 2.1); half of it stands for the variance.

    Args:
        parts: Of DR or SNDR, or of the difference of two, with a model that knew only rows before
            each (`expect_ahead`) where the logged policy learned.
        noise: Expected squares of the corrections (`Expected.noise`), (n,).
        customers: Whose row it is, (n,).
        level: Of the interval.
    """
    found, units = parts.influenced(), Units.of(customers)
    came = units.error(found) ** 2
    expected = _expect_variance(parts, noise, units)
    half = NormalDist().inv_cdf(0.5 + level / 2.0) * float(np.sqrt((came + expected) / 2.0))
    return Estimate(found.value, found.value - half, found.value + half)


def bernstein_interval(log: WeightedLog, *, rewards: Range, level: float = LEVEL) -> Estimate:
    """IPS with the empirical Bernstein bound of Maurer & Pontil (2009), for any number of rows.

    Args:
        log: Its largest weight is taken for the largest there can be.
        rewards: Their range.
        level: Of the interval.
    """
    sums, spread = _by_customer(log, rewards)
    n, doubt = len(sums), np.log(4.0 / (1.0 - level))
    if n < 2:
        return Estimate(_unscale(float(sums.mean()), rewards), rewards.low, rewards.high)
    half = np.sqrt(2.0 * sums.var(ddof=1) * doubt / n) + 7.0 * spread * doubt / (3.0 * (n - 1))
    value = float(sums.mean())
    return Estimate(
        _unscale(value, rewards),
        _unscale(max(value - half, 0.0), rewards),
        _unscale(min(value + half, 1.0), rewards),
    )


def clopper_pearson_interval(log: WeightedLog, *, rewards: Range, level: float = LEVEL) -> Estimate:
    """IPS as a number of successes of the largest weight, as vw-estimators reckons it.

    The weighted rewards over the largest weight are taken for successes out of as many trials as
    rows of that weight would make: exact for equal weights and rewards of yes or no (Clopper &
    Pearson 1934), and too wide, not too narrow, where weights differ.

    Args:
        log: With at least one weight above 0.
        rewards: Their range.
        level: Of the interval.
    """
    sums, spread = _by_customer(log, rewards)
    n_successes, n_trials = sums.sum() / spread, len(sums) / spread
    tail = (1.0 - level) / 2.0
    n_failures = max(n_trials - n_successes, 0.0)
    low = stats.beta.ppf(tail, n_successes, n_failures + 1.0) if n_successes > 0 else 0.0
    high = stats.beta.ppf(1.0 - tail, n_successes + 1.0, n_failures) if n_failures > 0 else 1.0
    return Estimate(
        _unscale(float(sums.mean()), rewards),
        _unscale(float(low), rewards),
        _unscale(float(high), rewards),
    )


def sequence_interval(
    parts: Parts,
    *,
    customers: Names,
    noise: Floats | None = None,
    level: float = LEVEL,
    tuned_to: int | None = None,
) -> Estimate:
    """The estimate with an asymptotic confidence sequence (Waudby-Smith et al. 2024).

    It may be looked at after every row, and stopped at whatever it shows. Where it is known how far
    corrections were expected to stray, the variance is the larger of that and of what came: large
    weights that were never drawn would else make it narrow.

    Args:
        parts: What the estimate is made of.
        customers: Whose row it is, (n,).
        noise: Expected squares of the corrections (`Expected.noise`), (n,); None where unknown.
        level: At which it holds at all moments together.
        tuned_to: Number of customers at which it is narrowest; None: their number now.
    """
    units, rows = Units.of(customers), parts.rows()
    sums = np.bincount(units.position, rows, minlength=units.n) * units.n / len(rows)
    variance = float(sums.var())
    if noise is not None:
        variance = max(variance, units.n * _expect_variance(parts, noise, units))
    n, alpha = units.n, 1.0 - level
    # Their equation for the narrowest mixture at a given time.
    rate = (-2.0 * np.log(alpha) + np.log(-2.0 * np.log(alpha) + 1.0)) / (tuned_to or n)
    reach = n * rate + 1.0
    scale = 2.0 * reach / (n**2 * rate) * np.log(np.sqrt(reach) / alpha)
    half = np.sqrt(variance * scale) if n > 1 else np.inf
    value = float(rows.mean())
    return Estimate(value, value - float(half), value + float(half))


def _expect_variance(parts: Parts, noise: Floats, units: Units) -> float:
    """Variance of the estimate that was to be expected before the actions were drawn."""
    found = parts.influenced()
    alone = float((found.influence**2).sum())
    spread = (parts.base - parts.base.mean()) ** 2
    expected = float((noise + spread).sum()) / len(noise) ** 2
    if alone and units.n < len(noise):  # rows of one customer may stray together
        expected *= max(units.error(found) ** 2 / alone, 1.0)
    return expected


def _by_customer(log: WeightedLog, rewards: Range) -> tuple[Floats, float]:
    """Weighted rewards from 0 to 1 by customer, scaled so that their mean is IPS; the largest."""
    units = Units.of(log.customers)
    scaled = (log.rewards - rewards.low) / (rewards.high - rewards.low)
    scale = units.n / log.n
    sums: Floats = np.bincount(units.position, log.weights * scaled, minlength=units.n).astype(
        float
    )
    sums = sums * scale
    most = np.bincount(units.position, log.weights, minlength=units.n).max() * scale
    return sums, float(most)


def _unscale(value: float, rewards: Range) -> float:
    return rewards.low + value * (rewards.high - rewards.low)
