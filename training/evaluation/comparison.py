"""What probabilities were worth on rows the model never saw, with honest intervals.

Two models are compared on the same draws of customers: the interval is of their difference, and is
much narrower than the two intervals side by side suggest. Intervals are percentiles of the draws,
but those of the calibration error, which chance makes larger: see `surplus`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from itertools import chain

import numpy as np
import numpy.typing as npt

from features.errors import BadInputError
from training.evaluation.bootstrap import TAILS_95, Estimate, draw_weights, estimate
from training.evaluation.surplus import Surpluses
from training.measures import (
    MEASURES,
    N_CALIBRATION_BINS,
    Bools,
    Floats,
    Integers,
    assign_bins,
    make_surpluses,
)


@dataclass(frozen=True)
class Measures:
    """The measures of `training.measures`: of one model, or a difference between two."""

    auc: Estimate
    average_precision: Estimate
    brier: Estimate
    log_loss: Estimate
    calibration_error: Estimate

    def by_name(self) -> Mapping[str, Estimate]:
        """Every estimate by its name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


@dataclass(frozen=True)
class Window:
    """Labelled rows to judge on.

    Attributes:
        labels: What happened, shape (n,).
        customers: Whose row it is, shape (n,): the unit that the bootstrap draws.
    """

    labels: Bools
    customers: npt.NDArray[np.object_]

    def __post_init__(self) -> None:
        if self.labels.shape != self.customers.shape or self.labels.ndim != 1:
            raise BadInputError(
                f"a window wants labels and customers of one length, got shapes "
                f"{self.labels.shape} and {self.customers.shape}"
            )
        if not 0 < self.labels.sum() < len(self.labels):
            raise BadInputError(
                f"a window needs positives and negatives to judge on, got "
                f"{int(self.labels.sum())} positives of {len(self.labels)}"
            )


@dataclass(frozen=True)
class Comparison:
    """Two models on the same window.

    Attributes:
        ours: The model in question.
        other: What it is held against.
        difference: Ours minus the other, paired.
    """

    ours: Measures
    other: Measures
    difference: Measures


@dataclass(frozen=True)
class CalibrationCurve:
    """Foretold against observed, by bin of equal mass, lowest probability first.

    Attributes:
        p_mean: Mean probability in the bin.
        rate: Share of positives in the bin.
        n_rows: Rows in the bin.
    """

    p_mean: Floats
    rate: Floats
    n_rows: Integers


def evaluate(
    p: Floats, *, window: Window, rng: np.random.Generator, n_resamples: int | None = None
) -> Measures:
    """Every measure of probabilities p (n,) on the window."""
    return compare(p, other=p, window=window, rng=rng, n_resamples=n_resamples).ours


def compare(
    p: Floats,
    *,
    other: Floats,
    window: Window,
    rng: np.random.Generator,
    n_resamples: int | None = None,
) -> Comparison:
    """Every measure of p and of another model's probabilities, and the paired differences."""
    _check_probabilities(p, window=window)
    _check_probabilities(other, window=window)
    ours_of = [make(p, window.labels) for make in MEASURES.values()]
    other_of = [make(other, window.labels) for make in MEASURES.values()]
    surpluses_of = [make_surpluses(scores, window.labels) for scores in (p, other)]
    full = np.ones(len(p))
    values: list[list[list[float]]] = []
    surpluses: list[list[Floats]] = []
    draws = draw_weights(window.customers, rng=rng, n_resamples=n_resamples)
    for weights in chain([full], draws):
        values.append([[measure(weights) for measure in of] for of in (ours_of, other_of)])
        surpluses.append([by_bin(weights) for by_bin in surpluses_of])
    ours, others = np.array(values).transpose(1, 0, 2)
    errors, others_errors = (
        Surpluses(seen, np.array(drawn)) for seen, *drawn in zip(*surpluses, strict=True)
    )
    return Comparison(
        replace(_summarise(ours), calibration_error=errors.estimate()),
        replace(_summarise(others), calibration_error=others_errors.estimate()),
        replace(_summarise(ours - others), calibration_error=errors.minus(others_errors)),
    )


def mean_difference(
    losses: Floats,
    *,
    other: Floats,
    customers: npt.NDArray[np.object_],
    rng: np.random.Generator,
    n_resamples: int | None = None,
) -> Estimate:
    """Mean of losses minus the other model's on the same rows, drawn by customer."""
    differences = losses - other

    def mean(weights: Floats) -> float:
        return float((weights * differences).sum() / weights.sum())

    return estimate(mean, customers=customers, rng=rng, n_resamples=n_resamples)


def calibration_curve(
    p: Floats, *, labels: Bools, n_bins: int = N_CALIBRATION_BINS
) -> CalibrationCurve:
    """Foretold against observed in bins of equal mass."""
    bins = assign_bins(p, n_bins=n_bins)
    n_rows = np.bincount(bins).astype(np.int64)
    return CalibrationCurve(
        p_mean=np.bincount(bins, p) / n_rows,
        rate=np.bincount(bins, labels.astype(np.float64)) / n_rows,
        n_rows=n_rows,
    )


def lift_at(p: Floats, *, labels: Bools, share: float) -> float:
    """Positives among the highest `share` of rows, over what chance would find there.

    Rows tied at the border count in part.

    >>> lift_at(np.array([0.9, 0.2, 0.1, 0.1]), labels=np.array([True, False, True, False]),
    ...         share=0.25)
    2.0
    """
    n_top = max(1, round(share * len(p)))
    border = np.partition(p, -n_top)[-n_top]
    above, at = p > border, p == border
    n_found = labels[above].sum() + labels[at].mean() * (n_top - above.sum())
    return float(n_found / n_top / labels.mean())


def _summarise(values: Floats) -> Measures:
    """Measures of an array whose first row is the whole window, the others its replicates."""
    if np.isnan(values).all(axis=0).any():
        raise BadInputError("no bootstrap replicate holds both classes: too few customers")
    # A replicate that lost every positive has no AUC; it says nothing and is left out.
    low, high = np.nanpercentile(values[1:], TAILS_95, axis=0)
    estimates = (
        Estimate(float(value), float(a), float(b))
        for value, a, b in zip(values[0], low, high, strict=True)
    )
    return Measures(**dict(zip(MEASURES, estimates, strict=True)))


def _check_probabilities(p: Floats, *, window: Window) -> None:
    if p.shape != window.labels.shape:
        raise BadInputError(f"{p.shape} probabilities for a window of {window.labels.shape} rows")
    if not ((p >= 0) & (p <= 1)).all():
        raise BadInputError("probabilities lie in [0, 1] and are never null")
