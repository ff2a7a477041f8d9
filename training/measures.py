"""How well probabilities foretell yes or no: measures over weighted rows.

Each maker takes the probabilities and labels once, sorts or bins them, and returns a function of
the rows' weights. So a bootstrap, which only changes weights, costs one pass a replicate:

>>> labels = np.array([False, True, False, True])
>>> auc = make_auc(np.array([0.1, 0.8, 0.3, 0.3]), labels)
>>> auc(np.ones(4)), auc(np.array([1.0, 1.0, 0.0, 1.0]))
(0.875, 1.0)
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Integers = npt.NDArray[np.int64]

Measure = Callable[[Floats], float]
"""Value of a measure under these weights of the rows, shape (n,); NaN where it is undefined."""

N_CALIBRATION_BINS = 10
_SMALLEST_P = 1e-12


def make_auc(p: Floats, labels: Bools) -> Measure:
    """Area under the ROC curve; ties count half. Undefined without both classes."""
    order, starts = _rank_with_ties(p)
    positive = labels[order]

    def auc(weights: Floats) -> float:
        w = weights[order]
        n_pos = np.add.reduceat(np.where(positive, w, 0.0), starts)
        n_neg = np.add.reduceat(np.where(positive, 0.0, w), starts)
        n_pairs = n_pos.sum() * n_neg.sum()
        if n_pairs == 0:
            return float("nan")
        n_neg_above = np.cumsum(n_neg) - n_neg
        return float(1.0 - (n_pos * (n_neg_above + n_neg / 2)).sum() / n_pairs)

    return auc


def make_average_precision(p: Floats, labels: Bools) -> Measure:
    """Mean precision over the positives, ties taken together. Undefined without positives."""
    order, starts = _rank_with_ties(p)
    positive = labels[order]

    def average_precision(weights: Floats) -> float:
        w = weights[order]
        n_pos = np.add.reduceat(np.where(positive, w, 0.0), starts)
        n_all = np.cumsum(np.add.reduceat(w, starts))
        if n_pos.sum() == 0:
            return float("nan")
        precision = np.cumsum(n_pos) / np.maximum(n_all, np.finfo(float).tiny)
        return float((n_pos * precision).sum() / n_pos.sum())

    return average_precision


def make_brier(p: Floats, labels: Bools) -> Measure:
    """Mean squared error of the probability."""
    return _mean_of((p - labels) ** 2)


def make_log_loss(p: Floats, labels: Bools) -> Measure:
    """Mean negative log-likelihood, in nats."""
    return _mean_of(log_losses(p, labels=labels))


def make_calibration_error(p: Floats, labels: Bools) -> Measure:
    """Expected calibration error: mean |observed - foretold| over bins of equal mass.

    Naeini, Cooper & Hauskrecht (2015), with bins of equal mass instead of equal width. Even a
    perfectly calibrated model scores above zero on few rows.
    """
    surpluses = make_surpluses(p, labels)

    def calibration_error(weights: Floats) -> float:
        return float(np.abs(surpluses(weights)).sum())

    return calibration_error


def make_surpluses(p: Floats, labels: Bools) -> Callable[[Floats], Floats]:
    """Observed less foretold in each bin of equal mass, as part of all rows, (bins,)."""
    bins = assign_bins(p, n_bins=N_CALIBRATION_BINS)
    surplus = labels - p

    def surpluses(weights: Floats) -> Floats:
        by_bin: Floats = np.bincount(bins, weights * surplus) / weights.sum()
        return by_bin

    return surpluses


MEASURES: Mapping[str, Callable[[Floats, Bools], Measure]] = MappingProxyType(
    {
        "auc": make_auc,
        "average_precision": make_average_precision,
        "brier": make_brier,
        "log_loss": make_log_loss,
        "calibration_error": make_calibration_error,
    }
)
"""Makers by the name under which their value is reported."""


def log_losses(p: Floats, *, labels: Bools) -> Floats:
    """Negative log-likelihood of each label, shape (n,), in nats."""
    p_label = np.where(labels, p, 1.0 - p)
    losses: Floats = -np.log(np.maximum(p_label, _SMALLEST_P))
    return losses


def assign_bins(p: Floats, *, n_bins: int) -> Integers:
    """Bin of each row: `n_bins` of equal mass, fewer where equal values must stay together.

    >>> assign_bins(np.array([0.5, 0.5, 0.5, 0.9]), n_bins=2).tolist()
    [0, 0, 0, 1]
    """
    edges = np.unique(np.quantile(p, np.linspace(0.0, 1.0, n_bins + 1)[1:-1]))
    bins: Integers = np.searchsorted(edges, p, side="left").astype(np.int64)
    return np.unique(bins, return_inverse=True)[1].astype(np.int64)


def _mean_of(losses: Floats) -> Measure:
    def mean(weights: Floats) -> float:
        # Not `weights @ losses`: BLAS would start threads for a few microseconds of work.
        return float((weights * losses).sum() / weights.sum())

    return mean


def _rank_with_ties(p: Floats) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Order from the highest down, and where each run of equal values starts in it."""
    order = np.argsort(-p, kind="stable")
    ranked = p[order]
    starts = np.flatnonzero(np.concatenate([[True], ranked[1:] != ranked[:-1]]))
    return order, starts
