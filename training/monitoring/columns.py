"""What the values of a column look like, block of time by block of time, and how far others are.

The distance is the population stability index (Siddiqi 2006, Credit Risk Scorecards): the
symmetrised Kullback-Leibler divergence over bins of about equal mass. Its usual reading, 0.1 for a
shift worth watching and 0.25 for one to act on, knows nothing of weekly noise. So each column also
keeps how far its own blocks of time lay from the others while the model was made.
"""

from collections.abc import Sequence
from typing import Self

import numpy as np
from pydantic import BaseModel, ConfigDict
from scipy.stats import chi2

from training.measures import Floats, Integers

WATCH_PSI, ALARM_PSI = 0.1, 0.25
N_BINS = 10
_PSEUDO_ROWS = 0.5
_SURE = 0.999
_NEAR = 0.001  # nearer to the least and the most value, by its size, is the same value


class ColumnProfile(BaseModel):
    """A column as it was while the model was made.

    Attributes:
        name: The column.
        edges: Upper borders of all bins but the last.
        shares: Share of the known values by bin, smoothed; sums to 1.
        median: Of the known values; None where there is none.
        null_share: Share of the rows without a value.
        n_rows: Rows with a value.
        usual_psi: Largest distance of one block of time from all others.
        usual_null_shares: Smallest and largest null share of a block.
        n_blocks: Blocks of time that had values.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    edges: tuple[float, ...]
    shares: tuple[float, ...]
    median: float | None
    null_share: float
    n_rows: int
    usual_psi: float
    usual_null_shares: tuple[float, float]
    n_blocks: int

    @classmethod
    def of(cls, name: str, values: Floats, *, blocks: Integers) -> Self:
        """The profile of values (n,), NaN is null, that belong to blocks of time (n,)."""
        is_null = np.isnan(values)
        known, block = values[~is_null], blocks[~is_null]
        edges = find_edges(known)
        counts = _count_by_block(known, edges=edges, blocks=block)
        total = counts.sum(axis=0)
        apart = [psi(to_shares(one), other=to_shares(total - one)) for one in counts]
        null_shares = [float(is_null[blocks == b].mean()) for b in np.unique(blocks)]
        return cls(
            name=name,
            edges=tuple(edges.tolist()),
            shares=tuple(to_shares(total).tolist()),
            median=float(np.median(known)) if len(known) else None,
            null_share=float(is_null.mean()) if len(values) else 1.0,
            n_rows=len(known),
            usual_psi=max(apart) if len(counts) > 1 else 0.0,
            usual_null_shares=(min(null_shares, default=0.0), max(null_shares, default=1.0)),
            n_blocks=len(np.unique(block)),
        )

    def distance(self, values: Floats) -> float:
        """Population stability index of other values (n,); NaN is left out."""
        counts = _count(values[~np.isnan(values)], edges=np.asarray(self.edges))
        return psi(to_shares(counts), other=np.asarray(self.shares))

    def chance_psi(self, n: int) -> float:
        """A distance that n values of the same distribution keep below in 999 of 1,000 cases.

        The index times n m / (n + m) is about chi-squared (Yurdakul 2018).
        """
        n_free = max(1, len(self.edges))
        spread = 1.0 / max(n, 1) + 1.0 / max(self.n_rows, 1)
        return float(chi2.ppf(_SURE, n_free) * spread)


def find_edges(known: Floats) -> Floats:
    """Upper borders of at most ten bins of about equal mass, the last bin being open.

    They lie half-way between values that there were: many rows may share a value, such as whole
    hours until a promise, and a look a few seconds later must not find them all in another bin. A
    value that many rows share at an end has a bin of its own, so that what lies beyond is seen.

    >>> find_edges(np.array([0.0, 0.0, 0.0, 5.0])).tolist()
    [-0.001, 2.5, 5.005]
    """
    values = np.unique(known[np.isfinite(known)])
    if not len(values):
        return np.empty(0)
    ends = (
        values[[0, -1]] + np.array([-1.0, 1.0]) * np.maximum(np.abs(values[[0, -1]]), 1.0) * _NEAR
    )
    borders = np.concatenate([ends[:1], (values[:-1] + values[1:]) / 2, ends[1:]])
    tops = np.quantile(known, np.linspace(0, 1, N_BINS + 1)[1:-1], method="higher")
    at = np.unique(np.searchsorted(values, np.unique(tops)))
    at = at[at < len(values)]  # infinity has no border above
    below = [0] if len(at) and at[0] == 0 else []
    edges: Floats = borders[np.concatenate([below, at + 1]).astype(np.int64)]
    return edges


def to_shares(counts: Floats) -> Floats:
    """Shares of counts, no bin empty: each has half a row added."""
    smoothed: Floats = (counts + _PSEUDO_ROWS) / (counts.sum() + _PSEUDO_ROWS * len(counts))
    return smoothed


def psi(shares: Floats, *, other: Floats) -> float:
    """Population stability index of two distributions over the same bins.

    >>> round(psi(np.array([0.5, 0.5]), other=np.array([0.2, 0.8])), 3)
    0.416
    """
    return float(((shares - other) * np.log(shares / other)).sum())


def profile_columns(
    X: Floats, *, names: Sequence[str], blocks: Integers
) -> tuple[ColumnProfile, ...]:
    """The profile of every column of a matrix (n, columns) whose rows belong to blocks (n,)."""
    return tuple(
        ColumnProfile.of(name, X[:, position], blocks=blocks) for position, name in enumerate(names)
    )


def _count_by_block(values: Floats, *, edges: Floats, blocks: Integers) -> Floats:
    """Values by bin of each block that has any, (blocks, bins)."""
    position = np.unique(blocks, return_inverse=True)[1]
    n_bins, n_blocks = len(edges) + 1, int(position.max(initial=-1)) + 1
    cells = position * n_bins + np.searchsorted(edges, values, side="left")
    counts = np.bincount(cells, minlength=n_blocks * n_bins).reshape(n_blocks, n_bins)
    return counts.astype(np.float64)


def _count(values: Floats, *, edges: Floats) -> Floats:
    bins = np.searchsorted(edges, values, side="left")
    return np.bincount(bins, minlength=len(edges) + 1).astype(np.float64)
