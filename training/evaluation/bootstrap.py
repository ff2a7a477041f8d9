"""The bootstrap: draws of customers, and the intervals that come of them.

Rows of one customer hang together, so customers are drawn, not rows (Field & Welsh 2007).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from training.measures import Floats, Measure

N_RESAMPLES = 400
FEWEST_RESAMPLES = 100
_MOST_WEIGHTS = 20_000_000
TAILS_95 = (2.5, 97.5)


@dataclass(frozen=True)
class Estimate:
    """A value and its interval: 95 %, percentiles of the bootstrap, where nothing else is said."""

    value: float
    low: float
    high: float


def estimate(
    measure: Measure,
    *,
    customers: npt.NDArray[np.object_],
    rng: np.random.Generator,
    n_resamples: int | None = None,
    tails: tuple[float, float] = TAILS_95,
) -> Estimate:
    """A measure of all rows, and its interval over draws of customers.

    Args:
        measure: Of the rows' weights; a replicate for which it is NaN is left out.
        customers: Whose row it is, (n,).
        rng: Of the bootstrap.
        n_resamples: Replicates; None: as many as the rows ask for.
        tails: Percentiles of the interval's ends.
    """
    draws = draw_weights(customers, rng=rng, n_resamples=n_resamples)
    low, high = np.nanpercentile([measure(weights) for weights in draws], tails)
    return Estimate(measure(np.ones(len(customers))), float(low), float(high))


def draw_weights(
    customers: npt.NDArray[np.object_], *, rng: np.random.Generator, n_resamples: int | None = None
) -> Iterator[Floats]:
    """How often each row counts in each replicate: as often as its customer was drawn.

    There are `count_resamples` of them where no number is given.
    """
    unique, position = np.unique(customers, return_inverse=True)
    for _ in range(n_resamples or count_resamples(len(customers))):
        drawn = rng.integers(len(unique), size=len(unique))
        counts = np.bincount(drawn, minlength=len(unique))
        yield counts[position].astype(np.float64)


def count_resamples(n_rows: int) -> int:
    """Replicates for so many rows: 400 up to 50,000, then fewer, at least 100.

    An interval of many rows is narrow, and its ends need not be known as well.

    >>> count_resamples(9_000), count_resamples(100_000), count_resamples(1_000_000)
    (400, 200, 100)
    """
    return max(FEWEST_RESAMPLES, min(N_RESAMPLES, _MOST_WEIGHTS // max(n_rows, 1)))
