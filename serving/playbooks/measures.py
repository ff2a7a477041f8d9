"""What playbooks achieved: every figure against the arm in which nothing was done.

Who is at risk today is less so in a month, whatever is done: customers recover by themselves, and
whoever was picked because a score was high was in part picked for luck (regression to the mean).
So *retained / intervened* praises every playbook, one that does nothing too. It is told, because
people ask for it, and beside it stands the same share of the holdout; what a playbook achieved is
the difference. Intervals are 95 %, percentiles of a bootstrap over customers.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
import numpy.typing as npt

from features.vocabulary import Arm

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Names = npt.NDArray[np.object_]

LEAST_CASES: Final = 30
"""Of either side: an interval of fewer says nothing that could be acted on."""

MONTHS: Final = 12
"""Of revenue that stays with a customer who does."""

_N_DRAWS: Final = 400
_TAILS: Final = (2.5, 97.5)
_MOST_WEIGHTS: Final = 20_000_000


@dataclass(frozen=True)
class CaseOutcomes:
    """Cases whose horizon is over, n of them, with what came of each.

    Attributes:
        customer_id: Whose, (n,); one customer may have several.
        arm: Names of `Arm`, (n,).
        cohorts: Names of groups by what they go by (month, tier, factor), (n,) each.
        retained: Still a customer at the end of the horizon, (n,).
        days_kept: Days of the horizon for which they were one, (n,).
        recovered: Whether the risk fell within the horizon, (n,).
        days_to_recovery: Of those, (n,); NaN of the others.
        mrr_cents: Monthly revenue when the case was opened, (n,); NaN: not known.
        cost_cents: Of what was done, (n,).
        p_churn: When the case was opened, (n,).
        horizon_days: Days after the opening that count.
    """

    customer_id: Names
    arm: Names
    cohorts: Mapping[str, Names]
    retained: Flags
    days_kept: Floats
    recovered: Flags
    days_to_recovery: Floats
    mrr_cents: Floats
    cost_cents: Floats
    p_churn: Floats
    horizon_days: int

    def __len__(self) -> int:
        return len(self.customer_id)

    def rows(self, kept: Flags) -> "CaseOutcomes":
        """Some of the cases."""
        return CaseOutcomes(
            self.customer_id[kept],
            self.arm[kept],
            {name: groups[kept] for name, groups in self.cohorts.items()},
            self.retained[kept],
            self.days_kept[kept],
            self.recovered[kept],
            self.days_to_recovery[kept],
            self.mrr_cents[kept],
            self.cost_cents[kept],
            self.p_churn[kept],
            self.horizon_days,
        )


class Measure(StrEnum):
    """What is told of a playbook."""

    SAVE_RATE = "save_rate"  # retained / intervened, as people ask for it
    NAIVE_ROI = "naive_roi"  # (12 x retained MRR - cost) / cost, as if nobody stayed by themselves
    SAVED = "saved"  # save rate less that of the others: what it achieved
    CHURN_REDUCTION = "churn_reduction"  # share by which fewer leave
    REVENUE_PROTECTED = "revenue_protected"  # 12 x MRR that stays because of it, cents a case
    COST = "cost"  # cents a case more than the others'
    NET = "net"  # revenue protected less cost, cents a case
    ROI = "roi"  # the same over the cost
    LIFETIME_GAINED = "lifetime_gained"  # days within the horizon, a case
    RECOVERED = "recovered"  # share that recovers, less the others'
    DAYS_TO_RECOVERY = "days_to_recovery"  # mean of those who recover, less the others'


UNITS: Final[Mapping[Measure, str]] = {
    Measure.REVENUE_PROTECTED: "cents/case",
    Measure.COST: "cents/case",
    Measure.NET: "cents/case",
    Measure.LIFETIME_GAINED: "days/case",
    Measure.DAYS_TO_RECOVERY: "days",
}


@dataclass(frozen=True)
class Figure:
    """One measure of one comparison.

    Attributes:
        measure: Which.
        value: NaN where there is none, as an ROI of what cost nothing.
        low: Of the interval.
        high: Of the interval.
        theirs: The others' own value, where that is not part of the difference; else None.
    """

    measure: Measure
    value: float
    low: float
    high: float
    theirs: float | None = None

    @property
    def unit(self) -> str:
        """Of the value."""
        return UNITS.get(self.measure, "1")


@dataclass(frozen=True)
class Comparison:
    """Cases of some arms beside those of another.

    Attributes:
        ours: The arms.
        theirs: The other.
        by: What the cohort goes by; empty: all cases.
        cohort: Its name.
        n: Cases of ours.
        n_theirs: Cases of theirs.
        figures: One for each measure.
    """

    ours: tuple[Arm, ...]
    theirs: Arm
    by: str
    cohort: str
    n: int
    n_theirs: int
    figures: tuple[Figure, ...]

    def find(self, measure: Measure) -> Figure:
        """The figure of that measure."""
        return next(one for one in self.figures if one.measure is measure)


@dataclass(frozen=True)
class NotEnoughCases:
    """Nothing can be told yet, and why. Not an error: every playbook begins like this."""

    ours: tuple[Arm, ...]
    theirs: Arm
    by: str
    cohort: str
    reason: str


ACTED: Final = (Arm.LEARNED, Arm.RANDOM, Arm.RULES)
"""Arms in which something is done."""

_PAIRS: Final[tuple[tuple[tuple[Arm, ...], Arm], ...]] = (
    (ACTED, Arm.HOLDOUT),
    ((Arm.LEARNED,), Arm.HOLDOUT),
    ((Arm.LEARNED,), Arm.RULES),
    ((Arm.LEARNED,), Arm.RANDOM),
    ((Arm.RULES,), Arm.HOLDOUT),
    ((Arm.RANDOM,), Arm.HOLDOUT),
)


def measure_playbooks(
    outcomes: CaseOutcomes, *, rng: np.random.Generator
) -> list[Comparison | NotEnoughCases]:
    """Every comparison of arms, then all that were acted on against the holdout by cohort."""
    found = [compare(outcomes, ours, theirs, rng=rng) for ours, theirs in _PAIRS]
    for by, groups in outcomes.cohorts.items():
        for cohort in sorted({str(group) for group in groups}):
            rows = outcomes.rows(groups == cohort)
            found.append(compare(rows, ACTED, Arm.HOLDOUT, rng=rng, by=by, cohort=cohort))
    return found


def compare(
    outcomes: CaseOutcomes,
    ours: tuple[Arm, ...],
    theirs: Arm,
    *,
    rng: np.random.Generator,
    by: str = "",
    cohort: str = "",
) -> Comparison | NotEnoughCases:
    """What these arms achieved beyond the other.

    Cases of unknown revenue count in shares and days, and with no revenue in cents.

    Args:
        outcomes: Cases whose horizon is over.
        ours: Arms, taken together.
        theirs: The arm they are compared with.
        rng: Of the bootstrap.
        by: What the cohort goes by.
        cohort: Name of the cohort that the cases are of.
    """
    mine = np.isin(outcomes.arm, [arm.value for arm in ours])
    other = outcomes.arm == theirs.value
    n, n_theirs = int(mine.sum()), int(other.sum())
    if min(n, n_theirs) < LEAST_CASES:
        reason = (
            f"{n} cases of {' + '.join(ours)} and {n_theirs} of {theirs} whose "
            f"{outcomes.horizon_days} days are over; at least {LEAST_CASES} of each are needed"
        )
        return NotEnoughCases(ours, theirs, by, cohort, reason)
    kept = mine | other
    rows, is_mine = outcomes.rows(kept), mine[kept]
    told = _tell(rows, is_mine, np.ones((1, len(rows))))
    draws = [_tell(rows, is_mine, weights) for weights in _draw_weights(rows, rng=rng)]
    figures = []
    for measure, (value, their_value) in told.items():
        drawn = np.concatenate([one[measure][0] for one in draws])
        # What is not to be had, as a ratio to costs that were saved, has no interval either.
        known = drawn[np.isfinite(drawn)] if np.isfinite(value[0]) else drawn[:0]
        low, high = np.percentile(known, _TAILS) if len(known) else (np.nan, np.nan)
        own = None if their_value is None else float(their_value[0])
        figures.append(Figure(measure, float(value[0]), float(low), float(high), own))
    return Comparison(ours, theirs, by, cohort, n, n_theirs, tuple(figures))


@dataclass(frozen=True)
class _Sums:
    """Weighted means of one side by draw, (draws,) each."""

    retained: Floats
    revenue: Floats
    cost: Floats
    days_kept: Floats
    recovered: Floats
    days_to_recovery: Floats

    @classmethod
    def of(cls, rows: CaseOutcomes, weights: Floats) -> "_Sums":
        recovered = rows.recovered.astype(np.float64)
        columns = np.column_stack(
            [
                np.ones(len(rows)),
                rows.retained,
                rows.retained * np.nan_to_num(rows.mrr_cents) * MONTHS,
                rows.cost_cents,
                rows.days_kept,
                recovered,
                recovered * np.nan_to_num(rows.days_to_recovery),
            ]
        )
        n, retained, revenue, cost, kept, back, days = (weights @ columns).T
        return cls(
            retained=_divide(retained, n),
            revenue=_divide(revenue, n),
            cost=_divide(cost, n),
            days_kept=_divide(kept, n),
            recovered=_divide(back, n),
            days_to_recovery=_divide(days, back),
        )


def _divide(above: Floats, below: Floats) -> Floats:
    """NaN where there is nothing to divide by."""
    divided: Floats = np.divide(above, below, out=np.full_like(above, np.nan), where=below > 0)
    return divided


_Told = Mapping[Measure, tuple[Floats, Floats | None]]
"""Values by draw, and the others' own where they are told beside."""


def _tell(rows: CaseOutcomes, is_mine: Flags, weights: Floats) -> _Told:
    ours = _Sums.of(rows.rows(is_mine), weights[:, is_mine])
    theirs = _Sums.of(rows.rows(~is_mine), weights[:, ~is_mine])
    protected, cost = ours.revenue - theirs.revenue, ours.cost - theirs.cost
    return {
        Measure.SAVE_RATE: (ours.retained, theirs.retained),
        Measure.NAIVE_ROI: (_divide(ours.revenue - ours.cost, ours.cost), None),
        Measure.SAVED: (ours.retained - theirs.retained, None),
        Measure.CHURN_REDUCTION: (
            _divide(ours.retained - theirs.retained, 1.0 - theirs.retained),
            None,
        ),
        Measure.REVENUE_PROTECTED: (protected, None),
        Measure.COST: (cost, None),
        Measure.NET: (protected - cost, None),
        Measure.ROI: (_divide(protected - cost, cost), None),
        Measure.LIFETIME_GAINED: (ours.days_kept - theirs.days_kept, None),
        Measure.RECOVERED: (ours.recovered - theirs.recovered, None),
        Measure.DAYS_TO_RECOVERY: (
            ours.days_to_recovery - theirs.days_to_recovery,
            theirs.days_to_recovery,
        ),
    }


def _draw_weights(rows: CaseOutcomes, *, rng: np.random.Generator) -> Iterator[Floats]:
    """How often each case counts, (draws, n) a lot: customers are drawn, with all their cases."""
    unique, position = np.unique(rows.customer_id.astype(str), return_inverse=True)
    n = len(unique)
    lot = int(np.clip(_MOST_WEIGHTS // max(n, 1), 1, _N_DRAWS))
    for first in range(0, _N_DRAWS, lot):
        size = min(lot, _N_DRAWS - first)
        drawn = rng.multinomial(n, np.full(n, 1.0 / n), size=size).astype(np.float64)
        yield drawn[:, position]


def list_words(found: Sequence[Comparison | NotEnoughCases]) -> list[str]:
    """What a reader should know first, a sentence each."""
    words = []
    for one in found:
        if one.by:
            continue
        who = " + ".join(one.ours)
        if isinstance(one, NotEnoughCases):
            words.append(f"{who} against {one.theirs}: cannot be told yet, {one.reason}.")
            continue
        saved, net = one.find(Measure.SAVED), one.find(Measure.NET)
        words.append(
            f"{who} against {one.theirs}: {saved.value:+.3f} [{saved.low:+.3f}, {saved.high:+.3f}] "
            f"in the share of customers who stay, {net.value:+,.0f} [{net.low:+,.0f}, "
            f"{net.high:+,.0f}] cents a case net of cost."
        )
    return words
