"""Figures of rehearsed playbooks: what each policy was truly worth, with intervals over seeds."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from features.vocabulary import Arm
from serving.playbooks.measures import (
    ACTED,
    MONTHS,
    CaseOutcomes,
    Comparison,
    Measure,
    NotEnoughCases,
    compare,
)
from serving.rehearsal.measures import OverSeeds
from serving.rehearsal.playbooks.loop import PlaybookRun
from serving.rehearsal.playbooks.policies import PlaybookPolicy
from training.benchmarks.rows import BenchRow

OURS, SHIPPED, RISKIEST, RANDOM, ORACLE, NOBODY = (
    PlaybookPolicy.OURS,
    PlaybookPolicy.SHIPPED,
    PlaybookPolicy.RISKIEST,
    PlaybookPolicy.RANDOM,
    PlaybookPolicy.ORACLE,
    PlaybookPolicy.NOBODY,
)
_CENTS: Final = "cents/customer"
_TOLD: Final = (
    Measure.SAVE_RATE,
    Measure.SAVED,
    Measure.CHURN_REDUCTION,
    Measure.REVENUE_PROTECTED,
    Measure.COST,
    Measure.ROI,
    Measure.LIFETIME_GAINED,
)


_ARMS: Final = (
    (ACTED, Arm.HOLDOUT),
    ((Arm.LEARNED,), Arm.HOLDOUT),
    ((Arm.LEARNED,), Arm.RULES),
    ((Arm.LEARNED,), Arm.RANDOM),
)
"""Who is compared with whom."""


@dataclass(frozen=True)
class PlaybookWorlds:
    """Every policy in the worlds of one case.

    Attributes:
        case: Scenario.
        by_seed: What came of each policy, by seed.
    """

    case: str
    by_seed: Mapping[int, Mapping[PlaybookPolicy, PlaybookRun]]

    @property
    def policies(self) -> list[PlaybookPolicy]:
        """Those that were rehearsed in every world."""
        return [one for one in PlaybookPolicy if all(one in runs for runs in self.by_seed.values())]

    def over_seeds(self, figure: Callable[[int], float]) -> OverSeeds:
        """A figure of every world, with its interval."""
        return OverSeeds.of([figure(seed) for seed in self.by_seed])

    def pool(self, policy: PlaybookPolicy) -> CaseOutcomes:
        """Cases of all worlds; customers of different worlds are different ones."""
        return _join(
            [
                _name_customers(runs[policy].outcomes, world=f"{self.case}/{seed}")
                for seed, runs in self.by_seed.items()
            ]
        )


def group_runs(found: Iterable[PlaybookRun]) -> list[PlaybookWorlds]:
    """What came of the policies by case, in the order in which cases appear."""
    grouped: dict[str, dict[int, dict[PlaybookPolicy, PlaybookRun]]] = {}
    for run in found:
        grouped.setdefault(run.case, {}).setdefault(run.seed, {})[run.policy] = run
    return [PlaybookWorlds(case, by_seed) for case, by_seed in grouped.items()]


def make_rows(worlds: PlaybookWorlds, *, rng: np.random.Generator) -> list[BenchRow]:
    """The figures of a case; those of policies that were not rehearsed are left out.

    Args:
        worlds: Policies by seed.
        rng: Of the bootstrap of what a company would see.
    """
    there = worlds.policies
    acting = [policy for policy in there if policy is not NOBODY]
    rows = _compare_net(worlds)
    for policy in acting:
        rows += _describe(worlds, policy)
    if SHIPPED in there:
        rows += _as_seen(worlds, rng=rng)
    return rows


def _compare_net(worlds: PlaybookWorlds) -> list[BenchRow]:
    """Ours, and what ships, beside the others, world by world."""
    return [
        _row(
            worlds,
            f"gain_over_{other}" if policy is OURS else f"gain_of_{policy}_over_{other}",
            worlds.over_seeds(_gain_over(worlds, policy, other)),
            _CENTS,
            worlds.over_seeds(_net_of(worlds, other)).value,
            other,
        )
        for policy in (OURS, SHIPPED)
        for other in (RISKIEST, RANDOM, ORACLE)
        if {policy, other} <= set(worlds.policies)
    ]


def _gain_over(
    worlds: PlaybookWorlds, policy: PlaybookPolicy, other: PlaybookPolicy
) -> Callable[[int], float]:
    ours, theirs = _net_of(worlds, policy), _net_of(worlds, other)
    return lambda seed: ours(seed) - theirs(seed)


def _figure_of(
    worlds: PlaybookWorlds, policy: PlaybookPolicy, of: Callable[[PlaybookRun], float]
) -> Callable[[int], float]:
    return lambda seed: of(worlds.by_seed[seed][policy])


def _net_of(worlds: PlaybookWorlds, policy: PlaybookPolicy) -> Callable[[int], float]:
    def net(seed: int) -> float:
        run = worlds.by_seed[seed][policy]
        return run.net_cents / max(run.n_customers, 1)

    return net


def _describe(worlds: PlaybookWorlds, policy: PlaybookPolicy) -> list[BenchRow]:
    """What came of a policy, by world."""
    told: list[tuple[str, Callable[[PlaybookRun], float], str]] = [
        ("net_value", lambda run: run.net_cents / max(run.n_customers, 1), _CENTS),
        ("true_roi", lambda run: _ratio(run.net_cents, run.cost_cents), "1"),
        ("cost", lambda run: run.cost_cents / max(run.n_customers, 1), _CENTS),
        ("contacted", lambda run: float(len(_spoken(run))), "customers"),
        (
            "do_not_disturb_contacted",
            lambda run: _ratio(len(run.disturbed), len(_spoken(run))),
            "1",
        ),
        ("save_rate", _save_rate, "1"),
    ]
    rows = [
        _row(
            worlds,
            f"{name}_of_{policy}",
            worlds.over_seeds(_figure_of(worlds, policy, of)),
            unit,
            *_find_beside(worlds, name),
        )
        for name, of, unit in told
    ]
    if NOBODY in worlds.policies:
        rows += _against_nobody(worlds, policy)
    return rows


def _find_beside(worlds: PlaybookWorlds, name: str) -> tuple[float | None, str | None]:
    if name != "do_not_disturb_contacted":
        return None, None
    shares = worlds.over_seeds(
        lambda seed: next(iter(worlds.by_seed[seed].values())).share_disturbed
    )
    return shares.value, "all customers"


def _against_nobody(worlds: PlaybookWorlds, policy: PlaybookPolicy) -> list[BenchRow]:
    """What really happened, beside the copy of the world in which nothing is done."""

    def kept_more(seed: int, of: str) -> float:
        run, alone = worlds.by_seed[seed][policy], worlds.by_seed[seed][NOBODY]
        cents = run.worth if of == "worth" else MONTHS * run.mrr_cents
        return float((cents * run.retained).sum() - (cents * alone.retained).sum())

    def net(seed: int) -> float:
        run = worlds.by_seed[seed][policy]
        return (kept_more(seed, "worth") - run.cost_cents) / max(run.n_customers, 1)

    def saved(seed: int) -> float:
        run, alone = worlds.by_seed[seed][policy], worlds.by_seed[seed][NOBODY]
        spoken = sorted(_spoken(run) & set(run.retained.index))
        return float(run.retained[spoken].mean() - alone.retained[spoken].mean())

    return [
        _row(worlds, f"net_as_it_happened_of_{policy}", worlds.over_seeds(net), _CENTS),
        _row(
            worlds,
            f"revenue_protected_of_{policy}",
            worlds.over_seeds(lambda seed: kept_more(seed, "mrr")),
            "cents",
        ),
        _row(worlds, f"saved_of_{policy}", worlds.over_seeds(saved), "1"),
    ]


def _as_seen(worlds: PlaybookWorlds, *, rng: np.random.Generator) -> list[BenchRow]:
    """What the company itself could tell by its arms, all worlds together."""
    outcomes = worlds.pool(SHIPPED)
    compared = [compare(outcomes, ours, theirs, rng=rng) for ours, theirs in _ARMS]
    return [
        _seen_row(worlds, found, measure)
        for found in compared
        if not isinstance(found, NotEnoughCases)
        for measure in _TOLD
    ]


def _seen_row(worlds: PlaybookWorlds, found: Comparison, measure: Measure) -> BenchRow:
    one = found.find(measure)
    ours = "" if found.ours == ACTED else f"_of_{'_'.join(found.ours)}"
    return BenchRow(
        worlds.case,
        f"{measure}{ours}_against_{found.theirs}",
        one.value,
        one.low,
        one.high,
        one.theirs,
        None if one.theirs is None else found.theirs.value,
        one.unit,
        found.n + found.n_theirs,
    )


def _spoken(run: PlaybookRun) -> set[str]:
    return {contact.customer_id for contact in run.contacts}


def _save_rate(run: PlaybookRun) -> float:
    """Retained / intervened, as people ask for it."""
    acted = np.isin(run.outcomes.arm, [arm.value for arm in ACTED])
    return float(run.outcomes.retained[acted].mean()) if acted.any() else np.nan


def _ratio(above: float, below: float) -> float:
    return above / below if below > 0 else np.nan


def _row(
    worlds: PlaybookWorlds,
    metric: str,
    found: OverSeeds,
    unit: str,
    beside: float | None = None,
    name: str | None = None,
) -> BenchRow:
    return BenchRow(
        worlds.case, metric, found.value, found.low, found.high, beside, name, unit, found.n
    )


def _name_customers(outcomes: CaseOutcomes, *, world: str) -> CaseOutcomes:
    names = np.array([f"{world}/{name}" for name in outcomes.customer_id], dtype=object)
    return replace(outcomes, customer_id=names)


def _join(parts: Sequence[CaseOutcomes]) -> CaseOutcomes:
    first = parts[0]
    cohorts = {
        name: np.concatenate([part.cohorts[name] for part in parts]) for name in first.cohorts
    }
    arrays = {
        name: np.concatenate([getattr(part, name) for part in parts])
        for name in vars(first)
        if name not in ("cohorts", "horizon_days")
    }
    return CaseOutcomes(cohorts=cohorts, horizon_days=first.horizon_days, **arrays)
