"""How much of what is lost to the truth anybody could know.

`value_gap` says which true parts would help, and not whether they can be known. Here trees are
taught what actions were truly worth in other worlds of the same laws, case by case and free of
chance, which nobody is ever told. From what the engine knows of a case they correct our values in
a world that they have not seen. What is lost even then hangs on what no feature of ours shows:
moods, carts, and customers' own tastes.

On one channel at a time, where the truth of an action is exact, and of the average wording.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

import numpy as np
from scipy import stats

from features.vocabulary import Trigger
from serving.benchmarks.value_ablation import Ground, ValuedCases, break_ground
from serving.policy.cases import HOUR_US, Floats, Ints
from serving.policy.hours import hour_of_week, local_us
from serving.policy.settings import CHANNELS, PolicySettings, load_policy_settings
from serving.rehearsal.worlds import price_simulated
from training.benchmarks.correction import fit_correction
from training.benchmarks.rows import BenchRow

CASE: Final = "value_knowable"
_REFERENCE: Final = "best allowed action by the truth"
_TRIGGERS: Final = tuple(Trigger)
_GROUPS: Final = (0, 1, 2, 3)
"""Columns of trigger, channel, segment and language."""
_OF_ACTION: Final = 5
"""Columns that the groups and our own value take."""


@dataclass(frozen=True)
class Actions:
    """Allowed actions of one world's cases, r rows.

    Attributes:
        case: Number of the case of each, (r,).
        known: What the engine knows of it, (r, features); first the groups, then our value.
        net: Cents that it is worth by our values, (r,).
        true_cents: Cents that it is truly worth, (r,).
    """

    case: Ints
    known: Floats
    net: Floats
    true_cents: Floats

    @property
    def missing(self) -> Floats:
        """What our values leave out, (r,) cents."""
        missing: Floats = self.true_cents - self.net
        return missing

    def take(self, values: Floats) -> float:
        """True cents of the actions that look best by these values, (r,); nothing is worth 0."""
        by_value = np.lexsort((-values, self.case))
        _, first = np.unique(self.case[by_value], return_index=True)
        chosen = by_value[first]
        return float(self.true_cents[chosen[values[chosen] > 0.0]].sum())

    def share(self, values: Floats) -> float:
        """That as a share of what the truth itself would take."""
        return self.take(values) / self.take(self.true_cents)


WAYS: Final[Mapping[str, slice]] = MappingProxyType(
    {
        "corrected by trigger, channel, segment and language": slice(0, _OF_ACTION),
        "corrected by all that is known": slice(0, None),
    }
)
"""Columns that a correction may look at."""


def bench_value_knowable(
    *,
    seeds: tuple[int, ...] = (101, 102, 103, 104, 105),
    n_customers: int = 20_000,
    policy: Path | None = None,
) -> list[BenchRow]:
    """Share of the best's true cents, by our values and by corrected ones; mean over the worlds.

    Args:
        seeds: Of the worlds; one alone teaches nothing, and only our values are judged.
        n_customers: Of each.
        policy: File of the settings; what ships when not given.
    """
    settings = price_simulated(load_policy_settings(policy))
    grounds = [break_ground(seed, n_customers=n_customers, scenario="calm") for seed in seeds]
    return measure(list_actions(grounds, settings))


def measure(worlds: Sequence[Actions]) -> list[BenchRow]:
    """A row for each way, and one for what it adds to ours; each world is judged by the others."""
    ours = np.array([world.share(world.net) for world in worlds])
    rows = [_row("ours, without exploring", ours)]
    if len(worlds) < 2:
        return rows
    for name, columns in WAYS.items():
        found = np.array([_judge(worlds, at, columns=columns) for at in range(len(worlds))])
        rows += [_row(name, found), _row(f"{name}: added to ours", found - ours)]
    return rows


def _judge(worlds: Sequence[Actions], held_out: int, *, columns: slice) -> float:
    """The share of one world by values that the others have corrected."""
    others = [world for at, world in enumerate(worlds) if at != held_out]
    correct = fit_correction(
        np.concatenate([world.known[:, columns] for world in others]),
        np.concatenate([world.missing for world in others]),
        groups=_GROUPS,
    )
    world = worlds[held_out]
    return world.share(world.net + correct(world.known[:, columns]))


def _row(name: str, shares: Floats) -> BenchRow:
    n = len(shares)
    half = float(stats.t.ppf(0.975, n - 1) * stats.sem(shares)) if n > 1 else None
    mean = float(shares.mean())
    low, high = (None, None) if half is None else (mean - half, mean + half)
    return BenchRow(CASE, name, mean, low, high, 1.0, _REFERENCE, "share of the best", n)


def list_actions(grounds: Sequence[Ground], settings: PolicySettings) -> list[Actions]:
    """The allowed actions on one channel of each world's cases."""
    parts = [part for ground in grounds for part in ground.triggers]
    segments = _positions([name for part in parts for name in part.cases.segments])
    languages = _positions([name for part in parts for name in part.cases.languages])
    return [
        _join(
            [
                _describe(ground, part, settings, segments=segments, languages=languages)
                for part in ground.triggers
            ]
        )
        for ground in grounds
    ]


def _positions(names: Sequence[str | None]) -> dict[str | None, int]:
    return {name: at for at, name in enumerate(sorted(set(names), key=str))}


def _describe(
    ground: Ground,
    part: ValuedCases,
    settings: PolicySettings,
    *,
    segments: Mapping[str | None, int],
    languages: Mapping[str | None, int],
) -> Actions:
    cases, grid = part.cases, part.grid
    values = ground.value(part, settings)
    case, channel, slot = np.nonzero(grid.allowed[:, : len(CHANNELS)])  # single channels come first
    net = np.broadcast_to(values.net(), grid.allowed.shape)[case, channel, slot]
    groups = [
        np.full(len(case), _TRIGGERS.index(cases.trigger)),
        channel,
        np.array([segments[name] for name in cases.segments])[case],
        np.array([languages[name] for name in cases.languages])[case],
    ]
    known = [*groups, net, *_describe_moments(part, case, slot), *_describe_customers(part, case)]
    true_cents = part.true_cents[case, channel, slot]
    return Actions(case, np.column_stack(known).astype(np.float64), net, true_cents)


def _describe_moments(part: ValuedCases, case: Ints, slot: Ints) -> list[Floats]:
    """Local hour, weekday, hours waited, and the share of the own week's visits around it."""
    cases, grid = part.cases, part.grid
    hours = hour_of_week(local_us(cases.timezones, grid.slots_us))[case, slot]
    waited = (grid.slots_us - cases.decided_at_us[:, None])[case, slot] / HOUR_US
    week = cases.week_counts / np.maximum(cases.week_counts.sum(axis=1, keepdims=True), 1.0)
    day = week.reshape(cases.n, 7, 24).sum(axis=1)
    steps = (-1, 0, 1)
    of_week = sum(week[case, (hours + step) % 168] for step in steps)
    of_day = sum(day[case, (hours + step) % 24] for step in steps)
    return [hours % 24, hours // 24, waited, np.asarray(of_week), np.asarray(of_day)]


def _describe_customers(part: ValuedCases, case: Ints) -> list[Floats]:
    """Features of the channel model, the visits, and what is known of the occasion."""
    cases = part.cases
    known = cases.occasions
    columns = [
        *cases.engagement.T,
        cases.week_counts.sum(axis=1),
        *cases.consent.T,
        known.age_hours,
        known.amount_cents,
        known.mrr_cents,
        known.orders,
        known.order_cents,
        known.p_churn,
    ]
    return [np.asarray(column, dtype=np.float64)[case] for column in columns]


def _join(parts: Sequence[Actions]) -> Actions:
    """The actions of all triggers; cases are numbered through."""
    first = np.cumsum([0, *(int(part.case.max(initial=-1)) + 1 for part in parts)])
    return Actions(
        np.concatenate([part.case + at for part, at in zip(parts, first[:-1], strict=True)]),
        np.concatenate([part.known for part in parts]),
        np.concatenate([part.net for part in parts]),
        np.concatenate([part.true_cents for part in parts]),
    )
