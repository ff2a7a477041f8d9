"""Whether a trained model may be served: only a better one, on later days than it has seen.

The gate makes every `Promote`, and the registry names champions from nothing else.
"""

from dataclasses import dataclass
from datetime import datetime

import numpy as np

from training.datasets.provenance import Customers
from training.evaluation import Estimate, Judged, mean_difference
from training.registry.entries import ModelName


@dataclass(frozen=True)
class GateBounds:
    """What a candidate must keep.

    Attributes:
        max_calibration_error: Largest expected calibration error on the window.
    """

    max_calibration_error: float = 0.05


@dataclass(frozen=True)
class Contender:
    """A version of a model and how it did on the window.

    Attributes:
        version: Its number in the registry.
        trained_until: It has seen no label of this moment or later.
        judged: How it did.
    """

    version: str
    trained_until: datetime
    judged: Judged


@dataclass(frozen=True)
class GateWindow:
    """Later rows on which everybody is judged alike.

    Attributes:
        starts_at: Moment of the first row.
        customers: customer_id of each row, (n,).
        baseline: How the plain baseline did on them.
        baseline_name: What the baseline is.
        faults: What speaks against judging anything on these rows.
    """

    starts_at: datetime
    customers: Customers
    baseline: Judged
    baseline_name: str
    faults: tuple[str, ...] = ()


@dataclass(frozen=True)
class Evidence:
    """What the gate saw: mean losses of the candidate minus the other's, in nats; below 0 is good.

    Attributes:
        n_rows: Rows of the window.
        n_customers: Customers in it.
        calibration_error: Of the candidate; None where it gives no probability of an event.
        over_baseline: Against the plain baseline.
        over_champion: Against the champion; None where there is none.
    """

    n_rows: int
    n_customers: int
    calibration_error: float | None
    over_baseline: Estimate
    over_champion: Estimate | None


@dataclass(frozen=True)
class Promote:
    """The candidate may be served. Only `decide` makes one."""

    name: ModelName
    version: str
    evidence: Evidence


@dataclass(frozen=True)
class Hold:
    """The candidate may not be served, for all of these reasons.

    Attributes:
        name: The model.
        reasons: Each in words, at least one.
        version: The candidate; None where there is none.
        evidence: What the gate saw; None where it could not look.
    """

    name: ModelName
    reasons: tuple[str, ...]
    version: str | None = None
    evidence: Evidence | None = None


def decide(
    name: ModelName,
    *,
    candidate: Contender,
    champion: Contender | None,
    window: GateWindow,
    rng: np.random.Generator,
    bounds: GateBounds | None = None,
) -> Promote | Hold:
    """Promote a candidate that beats the plain baseline and is no worse than the champion.

    "Beats" and "worse" mean that the paired 95 % interval of the mean difference excludes zero.

    Args:
        name: The model.
        candidate: Who wants to be served.
        champion: Who is served now; None where nobody is.
        window: Rows later than anything both have seen.
        rng: Of the bootstrap.
        bounds: What the candidate must keep.
    """
    evidence = _weigh(candidate, champion=champion, window=window, rng=rng)
    reasons = [
        *window.faults,
        *_find_seen(candidate, who="the candidate", window=window),
        *(_find_seen(champion, who="the champion", window=window) if champion else ()),
        *_find_losses(evidence, window=window, bounds=bounds or GateBounds()),
    ]
    if reasons:
        return Hold(name, tuple(reasons), candidate.version, evidence)
    return Promote(name, candidate.version, evidence)


def _weigh(
    candidate: Contender,
    *,
    champion: Contender | None,
    window: GateWindow,
    rng: np.random.Generator,
) -> Evidence:
    def over(other: Judged) -> Estimate:
        return mean_difference(
            candidate.judged.losses, other=other.losses, customers=window.customers, rng=rng
        )

    return Evidence(
        n_rows=len(window.customers),
        n_customers=len(np.unique(window.customers)),
        calibration_error=candidate.judged.calibration_error,
        over_baseline=over(window.baseline),
        over_champion=over(champion.judged) if champion else None,
    )


def _find_seen(contender: Contender, *, who: str, window: GateWindow) -> list[str]:
    if contender.trained_until <= window.starts_at:
        return []
    seen, starts = contender.trained_until.isoformat(), window.starts_at.isoformat()
    return [f"{who}, version {contender.version}, has seen labels until {seen}, after {starts}"]


def _find_losses(evidence: Evidence, *, window: GateWindow, bounds: GateBounds) -> list[str]:
    reasons = []
    if evidence.over_baseline.high >= 0:
        reasons.append(
            f"it does not beat {window.baseline_name}: {_describe(evidence.over_baseline)}"
        )
    if evidence.over_champion is not None and evidence.over_champion.low > 0:
        reasons.append(f"it is worse than the champion: {_describe(evidence.over_champion)}")
    error = evidence.calibration_error
    if error is not None and error > bounds.max_calibration_error:
        reasons.append(
            f"its calibration error is {error:.3f}, at most {bounds.max_calibration_error} is "
            "allowed"
        )
    return reasons


def _describe(loss: Estimate) -> str:
    return f"loss {loss.value:+.4f} nats, 95 % interval {loss.low:+.4f} to {loss.high:+.4f}"
