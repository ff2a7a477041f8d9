"""Figures of a rehearsal: every policy on the same customers, with intervals over seeds.

The ratios compare policies on the customers of the learned arm, in their last days. An interval of
figures over seeds is Student's t over worlds; one of support calls against holdout, which are rare,
is over customers: log ratio of two rates, its variance by the delta method.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from features.vocabulary import Arm
from serving.rehearsal.days import PolicyDays
from serving.rehearsal.policies import PolicyName
from training.benchmarks.rows import BenchRow

_LEVEL = 0.975
_PER_THOUSAND = 1000.0

LEARNED, RULES, ORACLE, NOBODY = (
    PolicyName.LEARNED,
    PolicyName.RULES,
    PolicyName.ORACLE,
    PolicyName.NOBODY,
)


Figure = Callable[[int], float]
"""A figure of the world with that seed."""


@dataclass(frozen=True)
class OverSeeds:
    """A figure over seeds; no interval from one."""

    value: float
    low: float | None
    high: float | None
    n: int

    @classmethod
    def of(cls, figures: Sequence[float]) -> "OverSeeds":
        """Mean and 95 % interval by Student's t over independent worlds."""
        known = np.array([figure for figure in figures if np.isfinite(figure)])
        if not len(known):
            return cls(float("nan"), None, None, 0)
        mean = float(known.mean())
        if len(known) == 1:
            return cls(mean, None, None, 1)
        half = float(stats.t.ppf(_LEVEL, len(known) - 1) * stats.sem(known))
        return cls(mean, mean - half, mean + half, len(known))


@dataclass(frozen=True)
class Worlds:
    """Every policy in the worlds of one case.

    Attributes:
        case: Scenario, or class.
        last_days: Of the rehearsal, the days that ratios are about.
        by_seed: What came of each policy, by seed.
    """

    case: str
    last_days: int
    by_seed: Mapping[int, Mapping[str, PolicyDays]]

    @property
    def policies(self) -> list[PolicyName]:
        """Those that were rehearsed in every world."""
        return [
            name for name in PolicyName if all(name.value in one for one in self.by_seed.values())
        ]

    def per_customer_day(
        self,
        policy: PolicyName,
        what: str,
        *,
        seed: int,
        arms: Iterable[Arm] = (Arm.LEARNED,),
        last: bool = True,
    ) -> float:
        """A count by customer-day on the customers of these arms, in the last days or all."""
        daily = self.by_seed[seed][policy.value].daily
        chosen = daily[daily.index.get_level_values("arm").isin([arm.value for arm in arms])]
        if last:
            n_days = int(daily.index.get_level_values("day").max()) + 1
            chosen = chosen[chosen.index.get_level_values("day") >= n_days - self.last_days]
        n_days_of_customers = float(chosen["customers"].sum())
        return float(chosen[what].sum()) / n_days_of_customers if n_days_of_customers else np.nan

    def over_seeds(self, figure: Figure) -> OverSeeds:
        """A figure of every world, with its interval."""
        return OverSeeds.of([figure(seed) for seed in self.by_seed])


def group_worlds(found: Iterable[PolicyDays], *, last_days: int) -> list[Worlds]:
    """What came of the policies by case, in the order in which cases appear."""
    grouped: dict[str, dict[int, dict[str, PolicyDays]]] = {}
    for one in found:
        grouped.setdefault(one.case, {}).setdefault(one.seed, {})[one.policy] = one
    return [Worlds(case, last_days, by_seed) for case, by_seed in grouped.items()]


def make_rows(worlds: Worlds) -> list[BenchRow]:
    """The figures of a case; those of policies that were not rehearsed are left out."""
    there = set(worlds.policies)
    rows: list[BenchRow] = []
    if LEARNED in there:
        rows += _compare_learned(worlds, there)
    for policy in worlds.policies:
        if policy is not LEARNED:
            rows.append(_row(worlds, f"net_value_of_{policy}", _value_of(worlds, policy), _CENTS))
    return rows


_CENTS = "cents/customer-day"


def _compare_learned(worlds: Worlds, there: set[PolicyName]) -> list[BenchRow]:
    """The learned policy beside the others."""
    value = _value_of(worlds, LEARNED)
    beside = RULES if RULES in there else None
    rows = [
        _row_beside(worlds, "net_value", lambda p: _value_of(worlds, p), _CENTS, beside=beside),
        _row(
            worlds,
            "net_value_of_all_arms",
            lambda s: worlds.per_customer_day(LEARNED, "value_cents", seed=s, arms=Arm),
            _CENTS,
        ),
    ]
    rows += [
        _row(worlds, f"ratio_to_{other}", _ratio(worlds, other), "1")
        for other in (RULES, ORACLE)
        if other in there
    ]
    if ORACLE in there:
        best = _value_of(worlds, ORACLE)
        rows.append(_row(worlds, "regret_to_oracle", lambda s: best(s) - value(s), _CENTS))
    if RULES in there:
        rules = _value_of(worlds, RULES)
        rows.append(_row(worlds, "gain_over_rules", lambda s: value(s) - rules(s), _CENTS))
    rows += [_count_row(worlds, what, beside=beside) for what in ("messages", "unsubscribed")]
    beside = NOBODY if NOBODY in there else beside
    rows.append(_count_row(worlds, "support_calls", beside=beside))
    rows.append(fall_of_calls(worlds))
    if NOBODY in there:
        rows.append(_row(worlds, "fall_of_support_calls", _calls_prevented(worlds), "1"))
    rows.append(_row_beside(worlds, "retained", lambda p: _retained(worlds, p), "1", beside=beside))
    return rows


def _value_of(worlds: Worlds, policy: PolicyName) -> Figure:
    return lambda seed: worlds.per_customer_day(policy, "value_cents", seed=seed)


def _ratio(worlds: Worlds, other: PolicyName) -> Figure:
    ours, theirs = _value_of(worlds, LEARNED), _value_of(worlds, other)
    return lambda seed: ours(seed) / theirs(seed) if theirs(seed) > 0 else np.nan


def _retained(worlds: Worlds, policy: PolicyName) -> Figure:
    """Share of the learned arm's customers at the start who are still there in the end."""

    def share(seed: int) -> float:
        of_arm = worlds.by_seed[seed][policy.value].customers.loc[[Arm.LEARNED.value]].sum()
        n = float(of_arm["could_be_lost"])
        return float(of_arm["retained"]) / n if n else np.nan

    return share


def _calls_prevented(worlds: Worlds) -> Figure:
    """Share by which calls fall on the same customers, who would have lived the same lives."""

    def fall(seed: int) -> float:
        with_us, without = (
            worlds.per_customer_day(policy, "support_calls", seed=seed, last=False)
            for policy in (LEARNED, NOBODY)
        )
        return 1.0 - with_us / without if without else np.nan

    return fall


def fall_of_calls(worlds: Worlds) -> BenchRow:
    """What the tables show: by how much calls by customer fall against the holdout arm.

    All days and all seeds together; an arm without customers or calls gives NaN.
    """
    by_world = [one[LEARNED.value].customers for one in worlds.by_seed.values()]
    pooled = pd.concat(by_world).groupby(level="arm").sum()
    told, held = (_call_rate(pooled, arm) for arm in (Arm.LEARNED, Arm.HOLDOUT))
    n = int(pooled["everybody"].sum())
    metric = "fall_of_support_calls_against_holdout"
    if min(told.mean, held.mean) <= 0.0:
        return BenchRow(worlds.case, metric, np.nan, None, None, None, None, "1", n)
    ratio = told.mean / held.mean
    half = float(stats.norm.ppf(_LEVEL)) * float(np.hypot(told.relative_error, held.relative_error))
    low, high = 1.0 - ratio * np.exp(half), 1.0 - ratio * np.exp(-half)
    return BenchRow(worlds.case, metric, 1.0 - ratio, float(low), float(high), None, None, "1", n)


@dataclass(frozen=True)
class _Rate:
    """Calls by customer, and the standard error over the mean."""

    mean: float
    relative_error: float


def _call_rate(pooled: pd.DataFrame, arm: Arm) -> _Rate:
    of_arm = pooled.loc[[arm.value]].sum()
    n, total, squares = (float(of_arm[name]) for name in ("everybody", "calls", "calls_squared"))
    if n < 2 or total == 0:
        return _Rate(0.0, np.inf)
    mean = total / n
    variance = (squares - n * mean**2) / (n - 1)
    return _Rate(mean, float(np.sqrt(variance / n)) / mean)


def _count_row(worlds: Worlds, what: str, *, beside: PolicyName | None) -> BenchRow:
    """A count by a thousand customer-days."""

    def figure_of(policy: PolicyName) -> Figure:
        return lambda seed: _PER_THOUSAND * worlds.per_customer_day(policy, what, seed=seed)

    return _row_beside(worlds, what, figure_of, "/1000 customer-days", beside=beside)


def _row(worlds: Worlds, metric: str, figure: Figure, unit: str) -> BenchRow:
    """A figure with nothing beside it."""
    return _row_beside(worlds, metric, lambda _: figure, unit, beside=None)


def _row_beside(
    worlds: Worlds,
    metric: str,
    figure_of: Callable[[PolicyName], Figure],
    unit: str,
    *,
    beside: PolicyName | None,
) -> BenchRow:
    """A figure of the learned policy beside that of another one."""
    ours = worlds.over_seeds(figure_of(LEARNED))
    reference = None if beside is None else worlds.over_seeds(figure_of(beside)).value
    name = None if beside is None else beside.value
    return BenchRow(
        worlds.case, metric, ours.value, ours.low, ours.high, reference, name, unit, ours.n
    )
