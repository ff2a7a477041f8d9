"""Point estimates of a policy's value from a weighted log.

With w the weight, r the reward, q the expected reward of the logged action and v that of the
target's actions, every one of them is a mean plus a ratio of means:

    IPS       mean(w r)                        Horvitz & Thompson 1952
    SNIPS     sum(w r) / sum(w)                Swaminathan & Joachims 2015
    clipped   mean(min(w, s) r)                Bottou et al. 2013
    sub-Gaussian IPS  mean(w' r), w' = w / (1 - s + s w)          Metelli et al. 2021
    DM        mean(v)                          the model alone
    DR        mean(v) + mean(w (r - q))        Dudik et al. 2014
    SNDR      mean(v) + sum(w (r - q)) / sum(w)
    switch-DR mean(v) + mean(w [w <= s] (r - q))                  Wang et al. 2017
    DRos      mean(v) + mean(w s / (w^2 + s) (r - q))             Su et al. 2020

The last two, clipping and sub-Gaussian weights trade bias for variance by a strength s.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np

from features.errors import BadInputError
from training.evaluation.clustered import Influenced
from training.measures import Floats
from training.ope.weighted import Expected, WeightedLog


class Estimator(StrEnum):
    """The estimators, by the names of the field."""

    IPS = "ips"
    SNIPS = "snips"
    CLIPPED = "clipped"
    SUB_GAUSSIAN = "sub_gaussian"
    DM = "dm"
    DR = "dr"
    SNDR = "sndr"
    SWITCH_DR = "switch_dr"
    DROS = "dros"

    @property
    def needs_model(self) -> bool:
        """Whether it reads what a reward model expects."""
        return self in _MODELLED

    @property
    def needs_strength(self) -> bool:
        """Whether it trades bias for variance by a strength."""
        return self in _SHRUNK


_MODELLED: Final = frozenset(
    {Estimator.DM, Estimator.DR, Estimator.SNDR, Estimator.SWITCH_DR, Estimator.DROS}
)
_SHRUNK: Final = frozenset(
    {Estimator.CLIPPED, Estimator.SUB_GAUSSIAN, Estimator.SWITCH_DR, Estimator.DROS}
)


@dataclass(frozen=True)
class Parts:
    """What an estimate is made of: mean(base) + mean(numerator) / mean(denominator), each (n,)."""

    base: Floats
    numerator: Floats
    denominator: Floats

    def value(self, counts: Floats | None = None) -> float:
        """The estimate, of the rows as often as they count, (n,); NaN without any weight."""
        base, numerator, denominator = (
            np.average(part, weights=counts)
            for part in (self.base, self.numerator, self.denominator)
        )
        return float(base + numerator / denominator) if denominator else float("nan")

    def rows(self) -> Floats:
        """What each row says; its mean is the estimate, (n,)."""
        rows: Floats = self.base + self.numerator / self.denominator.mean()
        return rows

    def influenced(self) -> Influenced:
        """The estimate with what each row adds to its deviation, by the delta method."""
        n, mean = len(self.base), self.denominator.mean()
        ratio = self.numerator.mean() / mean
        deviation = (
            self.base - self.base.mean() + (self.numerator - ratio * self.denominator) / mean
        )
        return Influenced(self.value(), deviation / n)


def estimate_parts(log: WeightedLog, *, by: Estimator, strength: float | None = None) -> Parts:
    """The parts of an estimate.

    Args:
        log: Of at least one row.
        by: How.
        strength: s above, for those that need one; infinite (0 for sub-Gaussian weights) shrinks
            nothing.

    Raises:
        BadInputError: No row, no model or no strength where one is needed.
    """
    if not log.n:
        raise BadInputError(f"{by}: the log has no row")
    if by.needs_strength != (strength is not None):
        raise BadInputError(f"{by}: strength is {strength}, it is for {', '.join(sorted(_SHRUNK))}")
    zeros, ones = np.zeros(log.n), np.ones(log.n)
    expected = Expected(zeros, zeros)
    if by.needs_model:
        if log.expected is None:
            raise BadInputError(f"{by}: the log comes without a reward model")
        expected = log.expected
    if by is Estimator.DM:
        return Parts(expected.target, zeros, ones)
    weights = log.weights if strength is None else shrink(log.weights, by=by, strength=strength)
    is_ratio = by in (Estimator.SNIPS, Estimator.SNDR)
    return Parts(
        expected.target, weights * (log.rewards - expected.logged), weights if is_ratio else ones
    )


def shrink(weights: Floats, *, by: Estimator, strength: float) -> Floats:
    """The weights that an estimator uses instead, (n,)."""
    if strength < 0:
        raise BadInputError(f"{by}: strength {strength} is below 0")
    if by is Estimator.SUB_GAUSSIAN:
        shrunk = 1.0 - strength + strength * weights  # 0 where a weight of 0 is shrunk by 1
        return np.divide(weights, shrunk, out=np.zeros(len(weights)), where=shrunk > 0.0)
    if np.isinf(strength):
        return weights
    if by is Estimator.CLIPPED:
        return np.minimum(weights, strength)
    if by is Estimator.SWITCH_DR:
        return np.where(weights <= strength, weights, 0.0)
    if by is Estimator.DROS:
        return strength * weights / np.maximum(weights**2 + strength, 1e-300)
    raise BadInputError(f"{by} shrinks no weights")
