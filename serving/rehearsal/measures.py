"""Figures of a rehearsal: every policy on the same customers, with intervals over seeds.

The ratios compare policies on the customers of the learned arm, in their last days. An interval of
figures over seeds is Student's t over worlds; those of support calls, which are rare, and of
retained customers are over customers (`paired`).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from features.vocabulary import Arm
from serving.rehearsal.days import CALLS, PolicyDays
from serving.rehearsal.paired import LogRatio, OverCustomers, compare_rates, find_fall, find_gain
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

    def customers(
        self, policy: PolicyName, arm: Arm, *, seeds: Iterable[int] | None = None
    ) -> pd.DataFrame:
        """`PolicyDays.customers` of an arm by seed and customer_id, of these worlds or of all."""
        asked = {
            seed: self.by_seed[seed][policy.value].customers
            for seed in (self.by_seed if seeds is None else seeds)
        }
        return pd.concat(
            {seed: frame[frame["arm"] == arm.value] for seed, frame in asked.items()},
            names=["seed"],
        )

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
        rows += _compare_customers(worlds, [one for one in (RULES, ORACLE) if one in there])
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
        staying = worlds.customers(policy, Arm.LEARNED, seeds=[seed]).query("could_be_lost")
        return float(staying["retained"].mean()) if len(staying) else np.nan

    return share


def _compare_customers(worlds: Worlds, others: Sequence[PolicyName]) -> list[BenchRow]:
    """What policies did to the customers, beside the copy in which nobody writes."""
    ours, theirs = (worlds.customers(policy, Arm.LEARNED) for policy in (LEARNED, NOBODY))
    held, held_alone = (worlds.customers(policy, Arm.HOLDOUT) for policy in (LEARNED, NOBODY))
    told = compare_rates(ours, theirs, columns=CALLS)
    spared = compare_rates(held, held_alone, columns=CALLS)
    found = {
        "fall_of_support_calls": find_fall(ours, theirs, columns=CALLS),
        "fall_of_support_calls_of_holdout": find_fall(held, held_alone, columns=CALLS),
        "fall_of_support_calls_against_holdout_paired": told.beside(spared).fall()
        if told is not None and spared is not None
        else OverCustomers.nothing(len(ours) + len(held)),
        **{
            f"fall_of_calls_about_{topic}": find_fall(ours, theirs, columns=[topic])
            for topic in CALLS
            if theirs[topic].any()
        },
        "gain_of_retained": _find_retained(ours, theirs),
    }
    for other in others:
        copy = worlds.customers(other, Arm.LEARNED)
        found[f"fall_of_support_calls_of_{other}"] = find_fall(copy, theirs, columns=CALLS)
        found[f"gain_of_retained_of_{other}"] = _find_retained(copy, theirs)
    return [_row_of(worlds.case, metric, figure) for metric, figure in found.items()]


def _find_retained(ours: pd.DataFrame, theirs: pd.DataFrame) -> OverCustomers:
    """By how much more of those who could be lost are still there."""
    staying = ours.index[ours["could_be_lost"]]
    return find_gain(ours.loc[staying], theirs.reindex(staying), column="retained")


def fall_of_calls(worlds: Worlds) -> BenchRow:
    """What the tables show: by how much calls by customer fall against the holdout arm.

    All days and all seeds together; an arm without customers or calls gives NaN.
    """
    told, held = (_call_rate(worlds.customers(LEARNED, arm)) for arm in (Arm.LEARNED, Arm.HOLDOUT))
    n = told.n + held.n
    metric = "fall_of_support_calls_against_holdout"
    if min(told.mean, held.mean) <= 0.0:
        return _row_of(worlds.case, metric, OverCustomers.nothing(n))
    variance = told.relative_error**2 + held.relative_error**2
    ratio = LogRatio(float(np.log(told.mean / held.mean)), variance, n)
    return _row_of(worlds.case, metric, ratio.fall())


@dataclass(frozen=True)
class _Rate:
    """Calls by customer, and the standard error over the mean."""

    mean: float
    relative_error: float
    n: int


def _call_rate(customers: pd.DataFrame) -> _Rate:
    calls, n = customers[CALLS].to_numpy(dtype=np.float64).sum(axis=1), len(customers)
    mean = float(calls.mean()) if n else 0.0
    if n < 2 or mean == 0.0:
        return _Rate(0.0, np.inf, n)
    return _Rate(mean, float(stats.sem(calls)) / mean, n)


def _row_of(case: str, metric: str, found: OverCustomers) -> BenchRow:
    """A figure whose interval is over customers."""
    return BenchRow(case, metric, found.value, found.low, found.high, None, None, "1", found.n)


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
