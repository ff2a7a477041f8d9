"""Where what a policy loses to the truth is lost: parts of our values replaced by true ones.

The same cases as of `value_ablation`. What a message brings is replaced part by part: its level by
trigger, by cell, by case, its split over channels, its shape over hours; then the rest. Nobody can
know all of it: see docs/decisions.md for what the tables tell at most.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np
import numpy.typing as npt

from serving.benchmarks.value_ablation import Ground, ValuedCases, break_ground
from serving.policy.cases import Flags, Floats
from serving.policy.settings import PolicySettings, load_policy_settings
from serving.rehearsal.worlds import price_simulated
from training.benchmarks.rows import BenchRow

CASE: Final = "value_gap"


@dataclass(frozen=True)
class Gains:
    """What messages bring, ours and truly, (n, K, S) cents each, and to whom.

    Attributes:
        ours: As the engine has it.
        true: As it is.
        allowed: What the guards allow.
        cell: A number for each segment and language, (n,).
    """

    ours: Floats
    true: Floats
    allowed: Flags
    cell: npt.NDArray[np.int64]


Replace = Callable[[Gains], Floats]


def _level(over: tuple[int, ...]) -> Replace:
    """Ours with the true mean over those axes."""
    return lambda gains: _scale(gains.ours, gains.true, gains.allowed, over)


def _level_of_cells(gains: Gains) -> Floats:
    """Ours with the true mean by channel, segment and language."""
    found = gains.ours.copy()
    for cell in np.unique(gains.cell):
        here = gains.cell == cell
        found[here] = _scale(gains.ours[here], gains.true[here], gains.allowed[here], (0, 2))
    return found


def _split_of_cases(gains: Gains) -> Floats:
    """Ours with each case's true split over channels."""
    split = _scale(gains.ours, gains.true, gains.allowed, (2,))
    return _scale(split, gains.ours, gains.allowed, (1, 2))


def _hours(gains: Gains) -> Floats:
    """Ours with the true shape over the moments, age and fading included."""
    return _scale(gains.true, gains.ours, gains.allowed, (2,))


def _scale(values: Floats, target: Floats, allowed: Flags, over: tuple[int, ...]) -> Floats:
    """Values with the means over the allowed actions that the target has."""
    wanted, had = (
        np.where(allowed, x, 0.0).sum(axis=over, keepdims=True) for x in (target, values)
    )
    scaled: Floats = values * np.divide(wanted, had, out=np.ones(wanted.shape), where=had > 0.0)
    return scaled


PARTS: Final[Mapping[str, Replace]] = MappingProxyType(
    {
        "ours": lambda gains: gains.ours,
        "true level by trigger": _level((0, 1, 2)),
        "true level by trigger and channel": _level((0, 2)),
        "true level by trigger, channel, segment, language": _level_of_cells,
        "true level of each case": _level((1, 2)),
        "true split over channels of each case": _split_of_cases,
        "true shape over hours": _hours,
        "true gains": lambda gains: gains.true,
    }
)


def bench_value_gap(
    *, seeds: tuple[int, ...] = (90, 91), n_customers: int = 8000
) -> list[BenchRow]:
    """Share of the best's true cents of the best action by values with that part true."""
    settings = price_simulated(load_policy_settings())
    grounds = [break_ground(seed, n_customers=n_customers, scenario="calm") for seed in seeds]
    return measure(grounds, settings)


def measure(grounds: list[Ground], settings: PolicySettings) -> list[BenchRow]:
    """A row for each part; nothing is explored."""
    reference = "best allowed action by the truth"
    rows = []
    for name, replaced in PARTS.items():
        found = np.array(
            [
                _take(ground, part, replaced, settings=settings)
                for ground in grounds
                for part in ground.triggers
            ]
        )
        cents, best = found.sum(axis=0).tolist()
        share = cents / best
        rows.append(
            BenchRow(
                CASE, name, share, None, None, 1.0, reference, "share of the best", len(grounds)
            )
        )
    return rows


def _take(
    ground: Ground, part: ValuedCases, replaced: Replace, *, settings: PolicySettings
) -> tuple[float, float]:
    """True cents of what looks best, and of what is."""
    cases, grid = part.cases, part.grid
    values = ground.value(part, settings)
    ours = values.outcome + values.support
    names = [f"{one}/{other}" for one, other in zip(cases.segments, cases.languages, strict=True)]
    cell = np.unique(np.array(names, dtype=str), return_inverse=True)[1]
    net = values.net() - ours + replaced(Gains(ours, part.true_gain, grid.allowed, cell))
    with_none = np.column_stack(
        [np.where(grid.allowed, net, -np.inf).reshape(cases.n, -1), np.zeros(cases.n)]
    )
    true = np.column_stack(
        [np.where(grid.allowed, part.true_cents, -np.inf).reshape(cases.n, -1), np.zeros(cases.n)]
    )
    taken = true[np.arange(cases.n), with_none.argmax(axis=1)]
    return float(taken.sum()), float(true.max(axis=1).sum())
