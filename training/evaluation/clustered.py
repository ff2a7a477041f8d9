"""Intervals of means and AUCs without resampling, for many slices at once.

To first order a mean or an AUC moves by the sum of what each row adds to it, its influence; rows of
one customer are summed before they are squared (Obuchowski 1997 for the AUC; the influence of a row
on it is DeLong's, in the fast form of Sun & Xu 2014). The difference of two estimates on rows that
overlap has the difference of their influences, so gaps are paired. For a few dozen customers and
more this is what the bootstrap by customer gives; a test compares them.
"""

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from training.evaluation.bootstrap import Estimate
from training.measures import Bools, Floats

LEVEL = 0.95


@dataclass(frozen=True)
class Influenced:
    """A value, and what each row adds to its deviation from the truth.

    Attributes:
        value: The value.
        influence: Of each row of the whole, (n,); zero for rows that do not take part.
    """

    value: float
    influence: Floats

    def minus(self, other: "Influenced") -> "Influenced":
        """The difference of two values on the same rows."""
        return Influenced(self.value - other.value, self.influence - other.influence)


@dataclass(frozen=True)
class Units:
    """Which rows hang together.

    Attributes:
        position: Unit of each row, (n,), from 0 on.
        n: Units.
    """

    position: npt.NDArray[np.intp]
    n: int

    @classmethod
    def of(cls, drawn: npt.NDArray[np.object_]) -> "Units":
        """Rows with the same value are a unit."""
        unique, position = np.unique(drawn, return_inverse=True)
        return cls(position.astype(np.intp), len(unique))

    def estimate(self, found: Influenced, *, level: float = LEVEL) -> Estimate:
        """The value with its interval at that level; the row's unit is what was drawn."""
        half = NormalDist().inv_cdf(0.5 + level / 2.0) * self.error(found)
        return Estimate(found.value, found.value - half, found.value + half)

    def error(self, found: Influenced) -> float:
        """Standard error of the value; infinite with one unit, which says nothing of others."""
        if self.n < 2:
            return float("inf")
        sums = np.bincount(self.position, found.influence, minlength=self.n)
        return float(np.sqrt((sums**2).sum() * self.n / (self.n - 1)))


def mean_of(values: Floats, *, rows: Bools) -> Influenced:
    """Mean over the rows of a mask, of which there must be some."""
    n_rows = int(rows.sum())
    value = float(values[rows].mean())
    return Influenced(value, np.where(rows, (values - value) / n_rows, 0.0))


def auc_of(p: Floats, *, labels: Bools, rows: Bools) -> Influenced:
    """Area under the ROC curve over the rows of a mask, which must hold both classes."""
    within, positive = p[rows], labels[rows]
    n_pos, n_neg = int(positive.sum()), int((~positive).sum())
    ranks = _rank(within)
    below = np.empty(len(within))
    below[positive] = (ranks[positive] - _rank(within[positive])) / n_neg
    below[~positive] = 1.0 - (ranks[~positive] - _rank(within[~positive])) / n_pos
    value = float(below[positive].mean())
    influence = np.zeros(len(p))
    influence[rows] = (below - value) / np.where(positive, n_pos, n_neg)
    return Influenced(value, influence)


def _rank(values: Floats) -> Floats:
    """Ranks from 1 on; ties share the mean of theirs."""
    _, position, n_tied = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(n_tied)
    ranks: Floats = (last - (n_tied - 1) / 2.0)[position]
    return ranks
