"""Whether a log says anything about a policy: what was never done cannot be judged."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from training.evaluation.clustered import Units
from training.ope.weighted import WeightedLog

_MAY_BE_OFF: Final = 1e-6  # as far as the probabilities of a row may be from 1 together


@dataclass(frozen=True)
class Overlap:
    """How much of a target policy is in a log.

    Attributes:
        n_rows: Rows.
        n_customers: Customers.
        n_effective: So many customers of equal weight would say as much: (sum W)^2 / sum W^2
            over the customers' summed weights W (Kish 1965).
        matched_share: Rows whose logged action the target might have taken.
        support_share: Rows in which all that the target might do could have been logged.
        max_weight: Largest weight of a row.
        max_share: Part of all weight that the heaviest customer has.
        mean_weight: About 1 if the logged probabilities are true, less what the target does that
            could not have been logged.
        mean_weight_error: Its standard error: what the logged probabilities let expect, whatever
            was drawn; by the spread of what was drawn where the log does not hold them all.
        least_mean, most_mean: Between which the mean weight is expected; the same number where the
            log holds all probabilities.
    """

    n_rows: int
    n_customers: int
    n_effective: float
    matched_share: float
    support_share: float
    max_weight: float
    max_share: float
    mean_weight: float
    mean_weight_error: float
    least_mean: float
    most_mean: float


@dataclass(frozen=True)
class OverlapBounds:
    """What an estimate must have behind it.

    Attributes:
        min_effective: Least number of effective customers.
        min_support: Least support share; what lacks is taken for worth what the rest is.
        max_share: Largest part of all weight that one customer may have.
        max_errors: So many standard errors the mean weight may be off.
    """

    min_effective: float = 50.0
    min_support: float = 0.98
    max_share: float = 0.10
    max_errors: float = 5.0


@dataclass(frozen=True)
class ThinOverlap:
    """The log says too little about the policy: there is no estimate, and why."""

    overlap: Overlap
    reasons: tuple[str, ...]


def measure_overlap(log: WeightedLog) -> Overlap:
    """The overlap of a log with its target policy; zeros where the log has no row."""
    if not log.n:
        return Overlap(0, 0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0)
    units = Units.of(log.customers)
    by_customer = np.bincount(units.position, log.weights, minlength=units.n)
    total = float(by_customer.sum())
    squares = float((by_customer**2).sum())
    support, told = float(log.is_supported.mean()), log.expected_weights
    return Overlap(
        n_rows=log.n,
        n_customers=units.n,
        n_effective=total**2 / squares if squares else 0.0,
        matched_share=float((log.weights > 0).mean()),
        support_share=support,
        max_weight=float(log.weights.max()),
        max_share=float(by_customer.max()) / total if total else 0.0,
        mean_weight=float(log.weights.mean()),
        mean_weight_error=_find_error(log, units),
        # Where not all could have been logged, part of it may have been.
        least_mean=support if told is None else float(told.mean.mean()),
        most_mean=1.0 if told is None else float(told.mean.mean()),
    )


def _find_error(log: WeightedLog, units: Units) -> float:
    """Standard error of the mean weight.

    Each action is drawn by its own probabilities, given all before it, so the variances add up. The
    spread of what was drawn is too small where the large weights never were.
    """
    if log.expected_weights is not None:
        return float(np.sqrt(log.expected_weights.variance.sum())) / log.n
    deviation = np.bincount(units.position, log.weights - log.weights.mean(), minlength=units.n)
    return float(np.sqrt((deviation**2).sum())) / log.n


def require_overlap(
    log: WeightedLog, *, bounds: OverlapBounds | None = None
) -> Overlap | ThinOverlap:
    """The overlap, or why it is too thin for an estimate."""
    kept, found = bounds or OverlapBounds(), measure_overlap(log)
    reasons = []
    if found.support_share < kept.min_support:
        reasons.append(
            f"in {1 - found.support_share:.1%} of the {found.n_rows:,} decisions the policy might "
            "do what could not have been logged"
        )
    if found.n_effective < kept.min_effective:
        reasons.append(
            f"the log says as much about it as {found.n_effective:.0f} customers, at least "
            f"{kept.min_effective:.0f} are needed"
        )
    if found.max_share > kept.max_share:
        reasons.append(
            f"one customer has {found.max_share:.0%} of all weight, at most "
            f"{kept.max_share:.0%} is allowed"
        )
    off = max(found.least_mean - found.mean_weight, found.mean_weight - found.most_mean)
    is_enough = found.n_effective >= kept.min_effective  # for a mean to be near to normal
    if is_enough and off > kept.max_errors * found.mean_weight_error + _MAY_BE_OFF:
        reasons.append(
            f"the mean weight is {found.mean_weight:.3f} (standard error "
            f"{found.mean_weight_error:.3f}) where true probabilities give "
            f"{_word_means(found)}: the logged probabilities are wrong"
        )
    return ThinOverlap(found, tuple(reasons)) if reasons else found


def _word_means(found: Overlap) -> str:
    least, most = f"{found.least_mean:.3f}", f"{found.most_mean:.3f}"
    return most if least == most else f"{least} to {most}"
