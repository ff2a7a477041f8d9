"""Whether a trained model may be served: only a better one, on later days than it has seen.

The gate makes every `Promote`, and the registry names champions from nothing else but a rollback to
one that has been champion before.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np

from training.claims import Claims
from training.datasets.provenance import Customers
from training.datasets.slices import SliceTable
from training.evaluation import Estimate, Judged, mean_difference
from training.evaluation.clustered import Units, auc_of
from training.evaluation.slices import SliceLoss, SliceSize, compare_slices
from training.registry.entries import ModelName


@dataclass(frozen=True)
class GateBounds:
    """What a candidate must keep.

    Attributes:
        max_calibration_error: Largest expected calibration error on the window.
        max_slice_excess: On a slice the loss may be larger than the other's by this part of it. The
            other is the champion, or the baseline where there is none.
        max_auc_change: The AUC on the window may be so far from that at training, beyond both
            intervals. A model that knew too much loses more; one that has seen the window gains.
        max_gain_share: Largest part of the trees' gain that one feature may have. A feature that
            holds the label takes nearly all.
    """

    max_calibration_error: float = 0.05
    max_slice_excess: float = 0.01
    max_auc_change: float = 0.05
    max_gain_share: float = 0.95


@dataclass(frozen=True)
class Contender:
    """A version of a model and how it did on the window.

    Attributes:
        version: Its number in the registry.
        trained_until: It has seen no label of this moment or later.
        judged: How it did.
        claims: What the record of its training says.
    """

    version: str
    trained_until: datetime
    judged: Judged
    claims: Claims = field(default_factory=Claims)


@dataclass(frozen=True)
class GateWindow:
    """Later rows on which everybody is judged alike.

    Attributes:
        starts_at: Moment of the first row.
        customers: customer_id of each row, (n,).
        baseline: How the plain baseline did on them.
        baseline_name: What the baseline is.
        faults: What speaks against judging anything on these rows.
        slices: To which parts of the customers the rows belong; None where that is not known.
        may_draw: Whether it is enough not to be worse than the baseline: where the rows are too
            noisy to show who is better, and the model itself says how unsure it is.
    """

    starts_at: datetime
    customers: Customers
    baseline: Judged
    baseline_name: str
    faults: tuple[str, ...] = ()
    slices: SliceTable | None = None
    may_draw: bool = False


@dataclass(frozen=True)
class Evidence:
    """What the gate saw: mean losses of the candidate minus the other's; below 0 is good.

    Attributes:
        n_rows: Rows of the window.
        n_customers: Customers in it.
        calibration_error: Of the candidate; None where it gives no probability of an event.
        over_baseline: Against the plain baseline.
        over_champion: Against the champion; None where there is none.
        auc: Of the candidate, by outcome.
        slices: Against the champion, or the baseline where there is none, by slice; the intervals
            hold all together.
        too_small: Slices with too few rows to tell.
    """

    n_rows: int
    n_customers: int
    calibration_error: float | None
    over_baseline: Estimate
    over_champion: Estimate | None
    auc: Mapping[str, Estimate] = field(default_factory=dict)
    slices: tuple[SliceLoss, ...] = ()
    too_small: tuple[SliceSize, ...] = ()


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


@dataclass(frozen=True)
class RolledBack:
    """The champion before is served again.

    Attributes:
        name: Of the model, or `policy`.
        version: Served again.
        instead_of: Served until now.
    """

    name: str
    version: str
    instead_of: str


@dataclass(frozen=True)
class Refused:
    """What was asked for cannot be done, and why."""

    name: str
    reason: str


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

    Where the window says that it may draw, it is enough to be no worse than the baseline.

    "Beats" and "worse" mean that the paired 95 % interval of the mean difference excludes zero. It
    may be no worse on any slice either, and nothing may say that it knows the future.

    Args:
        name: The model.
        candidate: Who wants to be served.
        champion: Who is served now; None where nobody is.
        window: Rows later than anything both have seen.
        rng: Of the bootstrap.
        bounds: What the candidate must keep.
    """
    limits = bounds or GateBounds()
    evidence = _weigh(candidate, champion=champion, window=window, rng=rng)
    reasons = [
        *window.faults,
        *_find_seen(candidate, who="the candidate", window=window),
        *(_find_seen(champion, who="the champion", window=window) if champion else ()),
        *_find_losses(evidence, window=window, bounds=limits),
        *_find_worse_slices(
            evidence,
            other="the champion" if champion else window.baseline_name,
            unit=window.baseline.unit,
            bounds=limits,
        ),
        *_find_leaks(candidate.claims, evidence=evidence, bounds=limits),
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

    units, judged = Units.of(window.customers), candidate.judged
    everybody = np.ones(len(window.customers), dtype=np.bool_)
    slices, too_small = _compare_slices(
        judged, other=champion.judged if champion else window.baseline, window=window
    )
    return Evidence(
        n_rows=len(window.customers),
        n_customers=len(np.unique(window.customers)),
        calibration_error=candidate.judged.calibration_error,
        over_baseline=over(window.baseline),
        over_champion=over(champion.judged) if champion else None,
        auc={
            outcome: units.estimate(auc_of(scored.p, labels=scored.labels, rows=everybody))
            for outcome, scored in judged.scores.items()
            if scored.has_both
        },
        slices=slices,
        too_small=too_small,
    )


def _compare_slices(
    judged: Judged, *, other: Judged, window: GateWindow
) -> tuple[tuple[SliceLoss, ...], tuple[SliceSize, ...]]:
    if window.slices is None:
        return (), ()
    return compare_slices(
        judged.losses,
        other=other.losses,
        drawn=window.customers,
        table=window.slices,
        labels=judged.only_labels,
    )


def _find_seen(contender: Contender, *, who: str, window: GateWindow) -> list[str]:
    if contender.trained_until <= window.starts_at:
        return []
    seen, starts = contender.trained_until.isoformat(), window.starts_at.isoformat()
    return [f"{who}, version {contender.version}, has seen labels until {seen}, after {starts}"]


def _find_losses(evidence: Evidence, *, window: GateWindow, bounds: GateBounds) -> list[str]:
    reasons, unit = [], window.baseline.unit
    over_baseline = evidence.over_baseline
    if over_baseline.low > 0 if window.may_draw else over_baseline.high >= 0:
        how = "is worse than" if window.may_draw else "does not beat"
        reasons.append(f"it {how} {window.baseline_name}: {_describe(over_baseline, unit=unit)}")
    if evidence.over_champion is not None and evidence.over_champion.low > 0:
        worse = _describe(evidence.over_champion, unit=unit)
        reasons.append(f"it is worse than the champion: {worse}")
    error = evidence.calibration_error
    if error is not None and error > bounds.max_calibration_error:
        reasons.append(
            f"its calibration error is {error:.3f}, at most {bounds.max_calibration_error} is "
            "allowed"
        )
    return reasons


def _find_worse_slices(
    evidence: Evidence, *, other: str, unit: str, bounds: GateBounds
) -> list[str]:
    return [
        f"it is worse than {other} for {part.name}: "
        f"{_describe(part.difference, unit=unit, of='all slices')}, {part.n_rows} rows"
        for part in evidence.slices
        if part.difference.low > bounds.max_slice_excess * abs(part.other)
    ]


def _find_leaks(claims: Claims, *, evidence: Evidence, bounds: GateBounds) -> list[str]:
    reasons = [] if claims.leak is None else [claims.leak]
    for outcome, found in evidence.auc.items():
        claimed = claims.auc.get(outcome)
        if claimed is None:
            continue
        change = max(claimed.low - found.high, found.low - claimed.high)
        if change > bounds.max_auc_change:
            what = f"its AUC for {outcome}" if outcome else "its AUC"
            doubt = (
                "it knew more when it was tested than can be known"
                if claimed.value > found.value
                else "it has seen these rows"
            )
            reasons.append(
                f"{what} was {_write(claimed)} at training and is {_write(found)} here: {doubt}, "
                "or the customers have changed"
            )
    gain = claims.largest_gain
    if gain is not None and gain.share > bounds.max_gain_share:
        reasons.append(
            f"{gain.feature} has {gain.share:.0%} of the gain of its trees, at most "
            f"{bounds.max_gain_share:.0%} is allowed: look whether it knows the label"
        )
    return reasons


def _write(estimate: Estimate) -> str:
    return f"{estimate.value:.3f} [{estimate.low:.3f}, {estimate.high:.3f}]"


def _describe(loss: Estimate, *, unit: str, of: str = "") -> str:
    together = f" of {of} together" if of else ""
    return (
        f"loss {loss.value:+.4f} {unit}, 95 % interval{together} "
        f"{loss.low:+.4f} to {loss.high:+.4f}"
    )
