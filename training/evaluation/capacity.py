"""What a model is worth to a team that can call only so many customers.

On every list (the rows of one moment) the team calls the most likely ones, as many as it can. Rows
that are tied at the border count in part, so that a baseline with few different values is neither
lucky nor unlucky.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain
from typing import Self

import numpy as np
import numpy.typing as npt

from features.errors import ConfigurationError
from training.evaluation.bootstrap import TAILS_95, Estimate, draw_weights
from training.evaluation.judged import HeldOut, Scored
from training.measures import Floats

_MEASURES = ("precision", "recall", "lift")
_WRITTEN = re.compile(r"(\d+(?:\.\d+)?)\s*(%?)")


@dataclass(frozen=True)
class Capacity:
    """How many customers of a list a team can call: a number of them or a share.

    Attributes:
        n_customers: So many of every list; None where a share is meant.
        share: This part of every list; None where a number is meant.
    """

    n_customers: int | None = None
    share: float | None = None

    def __post_init__(self) -> None:
        by_number = self.n_customers is not None and self.n_customers >= 1
        by_share = self.share is not None and 0 < self.share <= 1
        if by_number == by_share or (self.n_customers is not None and self.share is not None):
            given = [] if self.n_customers is None else [f"{self.n_customers} customers"]
            given += [] if self.share is None else [f"{100 * self.share:.6g}%"]
            raise ConfigurationError(
                "capacity: expected a number of customers from 1 on or a share above 0 and up to "
                f"100%, got {' and '.join(given) or 'neither'}"
            )

    @classmethod
    def parse(cls, text: str) -> Self:
        """From words: `50` customers of a list, or `10%` of it.

        >>> Capacity.parse("50"), Capacity.parse("2.5%")
        (Capacity(n_customers=50, share=None), Capacity(n_customers=None, share=0.025))
        """
        found = _WRITTEN.fullmatch(text.strip())
        if found is None or (not found[2] and "." in found[1]):
            raise ConfigurationError(
                f"capacity {text!r}: expected a number of customers such as 50, or a share such "
                "as 10%"
            )
        return cls(share=float(found[1]) / 100) if found[2] else cls(n_customers=int(found[1]))

    def __str__(self) -> str:
        """As it is parsed."""
        return str(self.n_customers) if self.share is None else f"{100 * self.share:.6g}%"

    def of(self, sizes: Floats) -> Floats:
        """How many of lists of these sizes are called."""
        if self.share is not None:
            return self.share * sizes
        return np.minimum(float(self.n_customers or 0), sizes)


DEFAULT = Capacity(n_customers=50)


@dataclass(frozen=True)
class Called:
    """What came of the calls.

    Attributes:
        precision: Share of the called to whom the event happened.
        recall: Share of the events whose customer was called.
        lift: Precision over that of calling anybody.
    """

    precision: Estimate
    recall: Estimate
    lift: Estimate


@dataclass(frozen=True)
class CapacityReport:
    """The model's calls beside those by the baseline.

    Attributes:
        capacity: Calls per list.
        n_lists: Lists of the test part.
        n_called: Customers called over all lists.
        ours: What came of the model's.
        baseline: What came of the baseline's.
        gain: Ours minus the baseline's, paired.
    """

    capacity: Capacity
    n_lists: int
    n_called: float
    ours: Called
    baseline: Called
    gain: Called


def measure_capacity(
    held_out: HeldOut,
    *,
    outcome: str,
    capacity: Capacity,
    rng: np.random.Generator,
    n_resamples: int | None = None,
) -> CapacityReport:
    """Precision, recall and lift of the calls, with intervals by customer.

    Args:
        held_out: Test rows, with probabilities of both models for the outcome, both classes among
            the labels.
        outcome: Which outcome.
        capacity: Calls per list.
        rng: Of the bootstrap.
        n_resamples: Replicates; None: as many as the rows ask for.
    """
    lists = np.unique(held_out.moments, return_inverse=True)[1]
    ours, other = (
        _make_caller(judged.scores[outcome], lists=lists, capacity=capacity)
        for judged in (held_out.ours, held_out.baseline)
    )
    full = np.ones(len(lists))
    draws = draw_weights(held_out.drawn, rng=rng, n_resamples=n_resamples)
    values = np.array([[ours(weights), other(weights)] for weights in chain([full], draws)])
    sizes = np.bincount(lists).astype(np.float64)
    return CapacityReport(
        capacity=capacity,
        n_lists=len(sizes),
        n_called=float(capacity.of(sizes).sum()),
        ours=_summarise(values[:, 0]),
        baseline=_summarise(values[:, 1]),
        gain=_summarise(values[:, 0] - values[:, 1]),
    )


def _make_caller(
    scored: Scored, *, lists: npt.NDArray[np.intp], capacity: Capacity
) -> Callable[[Floats], tuple[float, float, float]]:
    """Precision, recall and lift under weights of the rows; sorted once."""
    order = np.lexsort((-scored.p, lists))
    ranked, of_list, positive = scored.p[order], lists[order], scored.labels[order]
    is_first = np.concatenate([[True], of_list[1:] != of_list[:-1]])
    starts = np.flatnonzero(is_first | np.concatenate([[True], ranked[1:] != ranked[:-1]]))
    list_starts, tie_list = np.flatnonzero(is_first), of_list[starts]

    def call(weights: Floats) -> tuple[float, float, float]:
        w = weights[order]
        n_tied = np.add.reduceat(w, starts)
        n_hits = np.add.reduceat(np.where(positive, w, 0.0), starts)
        sizes = np.add.reduceat(w, list_starts)
        before = np.cumsum(n_tied) - n_tied - (np.cumsum(sizes) - sizes)[tie_list]
        taken = np.clip(capacity.of(sizes)[tie_list] - before, 0.0, n_tied)
        hits = (taken * n_hits / np.maximum(n_tied, 1e-12)).sum()
        n_positives, n_called = n_hits.sum(), taken.sum()
        if n_positives == 0:
            return float("nan"), float("nan"), float("nan")
        precision = hits / n_called
        return precision, hits / n_positives, precision / (n_positives / w.sum())

    return call


def _summarise(values: Floats) -> Called:
    low, high = np.nanpercentile(values[1:], TAILS_95, axis=0)
    return Called(
        **{
            name: Estimate(float(values[0, i]), float(low[i]), float(high[i]))
            for i, name in enumerate(_MEASURES)
        }
    )
