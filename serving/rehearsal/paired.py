"""What a policy did to the very same customers: two copies of one world, customer by customer.

Whoever is not written to lives the same life in every copy, so most of the chance cancels out.
Intervals are over customers, all worlds together: rates are compared by the log of their ratio, its
variance by the delta method. They do not say how another world, or other models, would come out.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd
from scipy import stats

from serving.policy.cases import Floats

_Z = float(stats.norm.ppf(0.975))


@dataclass(frozen=True)
class OverCustomers:
    """A figure with its 95 % interval over customers; NaN and None where there is none.

    Attributes:
        value: The figure.
        low: Of the interval.
        high: Of the interval.
        n: Customers.
    """

    value: float
    low: float | None
    high: float | None
    n: int

    @classmethod
    def nothing(cls, n: int) -> Self:
        """There is no such figure."""
        return cls(float("nan"), None, None, n)


@dataclass(frozen=True)
class LogRatio:
    """Log of the ratio of two rates of the same n customers, and its variance."""

    value: float
    variance: float
    n: int

    @classmethod
    def of(cls, ours: Floats, theirs: Floats) -> "LogRatio | None":
        """Of two counts by customer, (n,) each, in the same order; None where one never happens."""
        n = len(ours)
        if n < 2 or ours.sum() <= 0 or theirs.sum() <= 0:
            return None
        spread = ours / ours.mean() - theirs / theirs.mean()
        return cls(float(np.log(ours.mean() / theirs.mean())), float(spread.var() / n), n)

    def fall(self) -> OverCustomers:
        """The share by which the first rate is below the second."""
        if self.value == self.variance == 0.0:  # that no pair differs is no proof that none would
            return OverCustomers(1.0 - float(np.exp(self.value)), None, None, self.n)
        half = _Z * float(np.sqrt(self.variance))
        low, high = (1.0 - float(np.exp(self.value + sign * half)) for sign in (1.0, -1.0))
        return OverCustomers(1.0 - float(np.exp(self.value)), low, high, self.n)

    def beside(self, other: "LogRatio") -> "LogRatio":
        """How much further it is than that of other customers."""
        variance = self.variance + other.variance
        return LogRatio(self.value - other.value, variance, self.n + other.n)


def find_fall(ours: pd.DataFrame, theirs: pd.DataFrame, *, columns: list[str]) -> OverCustomers:
    """By how much what the columns count falls from their copy to ours; none from nothing."""
    ratio = compare_rates(ours, theirs, columns=columns)
    return OverCustomers.nothing(len(ours)) if ratio is None else ratio.fall()


def compare_rates(
    ours: pd.DataFrame, theirs: pd.DataFrame, *, columns: list[str]
) -> LogRatio | None:
    """What the columns count, by customers of our copy; rows of both by the same names."""
    counts = [
        copy[columns].sum(axis=1).reindex(ours.index).fillna(0.0).to_numpy(dtype=np.float64)
        for copy in (ours, theirs)
    ]
    return LogRatio.of(*counts)


def find_gain(ours: pd.DataFrame, theirs: pd.DataFrame, *, column: str) -> OverCustomers:
    """By how much the share of customers with a yes in that column is higher in our copy."""
    yes = [
        copy[column].reindex(ours.index).fillna(0.0).to_numpy(dtype=np.float64)
        for copy in (ours, theirs)
    ]
    apart = yes[0] - yes[1]
    if len(apart) < 2:
        return OverCustomers.nothing(len(apart))
    mean = float(apart.mean())
    if not apart.any():  # that nobody differed yet is no proof that nobody would
        return OverCustomers(mean, None, None, len(apart))
    half = _Z * float(np.sqrt(apart.var(ddof=1) / len(apart)))
    return OverCustomers(mean, mean - half, mean + half, len(apart))
