"""In which directions customers' weeks differ, and how widely: learned from two periods.

The covariance of a customer's week *between* two periods holds what stays: rows of one visit, or
anything else that comes in bursts within a period, are independent of the other period and average
out. It is smoothed across hours and days, and its widest directions are kept. Shrinking along them
is linear empirical Bayes: Buehlmann & Straub (1970), Glaubwuerdigkeit fuer Schadensaetze; Efron &
Morris (1972), Empirical Bayes on vector observations.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy.linalg import eigh

from training.measures import Floats
from training.registry.servable import WeekPatterns
from training.send_time.weeks import Weeks

_FEW_EVENTS = 10.0
"""A customer with so many events counts half of one with very many."""


@dataclass(frozen=True)
class Smoothing:
    """How much the hours of a week lend each other.

    Attributes:
        hours: Standard deviation of the kernel across the hours of a day; 0 is none.
        days: 0 keeps days apart, 1 makes workdays one and weekend days one.
    """

    hours: float
    days: float


def find_patterns(
    weeks: Weeks,
    *,
    expected: Floats,
    population: Sequence[float],
    smoothing: Smoothing,
    n_directions: int,
) -> WeekPatterns:
    """The widest directions along which the weeks before and after differ alike from expectation.

    Args:
        weeks: Customers with events before and after tell something.
        expected: The expected week of each, (n, 168).
        population: Everybody's week; none of its hours is zero.
        smoothing: Across hours and days.
        n_directions: At most; fewer where the data shows fewer.
    """
    n_before, n_after = weeks.before.sum(axis=1), weeks.after.sum(axis=1)
    tells = (n_before > 0) & (n_after > 0)
    if n_directions == 0 or tells.sum() < 2:
        return WeekPatterns()
    scale = np.sqrt(np.array(population))
    before, after = (
        (counts[tells] / total[tells, None] - expected[tells]) / scale
        for counts, total in ((weeks.before, n_before), (weeks.after, n_after))
    )
    weight = np.prod([n[tells] / (n[tells] + _FEW_EVENTS) for n in (n_before, n_after)], axis=0)
    between = (before * weight[:, None]).T @ after / weight.sum()
    smooth = scale[:, None] * smooth_week(smoothing) / scale
    between = smooth @ (between + between.T) @ smooth.T / 2.0
    n = len(between)
    variances, directions = eigh(between, subset_by_index=(n - n_directions, n - 1))
    widest = np.flatnonzero(variances > 0.0)[::-1]
    return WeekPatterns(
        directions=tuple(tuple(row) for row in directions.T[widest].tolist()),
        variances=tuple(variances[widest].tolist()),
    )


@cache
def smooth_week(smoothing: Smoothing) -> Floats:
    """The matrix (168, 168) that averages each hour with its neighbours; rows sum to 1."""
    hour = np.arange(24)
    apart = np.abs(hour[:, None] - hour)
    apart = np.minimum(apart, 24 - apart)
    near = np.exp(-0.5 * (apart / max(smoothing.hours, 1e-6)) ** 2)
    same = np.zeros((7, 7))
    same[:5, :5], same[5:, 5:] = 1 / 5, 1 / 2
    days = (1.0 - smoothing.days) * np.eye(7) + smoothing.days * same
    smooth: Floats = np.kron(days, near / near.sum(axis=1, keepdims=True))
    return smooth
