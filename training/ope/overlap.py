"""Whether a log says anything about a policy: what was never done cannot be judged."""

from dataclasses import dataclass

import numpy as np

from training.evaluation.clustered import Units
from training.ope.weighted import WeightedLog


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
        mean_weight_error: Its standard error.
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
        return Overlap(0, 0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    units = Units.of(log.customers)
    by_customer = np.bincount(units.position, log.weights, minlength=units.n)
    total = float(by_customer.sum())
    squares = float((by_customer**2).sum())
    mean = float(log.weights.mean())
    deviation = np.bincount(units.position, log.weights - mean, minlength=units.n)
    return Overlap(
        n_rows=log.n,
        n_customers=units.n,
        n_effective=total**2 / squares if squares else 0.0,
        matched_share=float((log.weights > 0).mean()),
        support_share=float(log.is_supported.mean()),
        max_weight=float(log.weights.max()),
        max_share=float(by_customer.max()) / total if total else 0.0,
        mean_weight=mean,
        mean_weight_error=float(np.sqrt((deviation**2).sum())) / log.n,
    )


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
    # Where not all could have been logged, part of it may have been.
    off = max(found.support_share - found.mean_weight, found.mean_weight - 1.0)
    is_enough = found.n_effective >= kept.min_effective  # to know the error of the mean
    if is_enough and off > kept.max_errors * found.mean_weight_error + 1e-9:
        reasons.append(
            f"the mean weight is {found.mean_weight:.3f} (standard error "
            f"{found.mean_weight_error:.3f}) where true probabilities give "
            f"{found.support_share:.3f} to 1: the logged probabilities are wrong"
        )
    return ThinOverlap(found, tuple(reasons)) if reasons else found
