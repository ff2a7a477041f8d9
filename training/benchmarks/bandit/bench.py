"""The contest: share captured of what can be, and decisions a second, beside others."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import stats

from training.benchmarks.bandit.contest import Contestant, PatientContestant, run_course
from training.benchmarks.bandit.ours import OurBandit
from training.benchmarks.bandit.peers import (
    BetaThompson,
    EpsilonGreedy,
    LinThompson,
    LinUcb,
    Uniform,
)
from training.benchmarks.bandit.streams import Scenario, make_stream
from training.benchmarks.bandit.vowpal import Vowpal, has_vowpal
from training.benchmarks.rows import BenchRow

_SPEED_ROWS = 1_000
_SPEED_TRAINING = 5_000
_REPEATS = 7
_VOWPAL = "Vowpal Wabbit"


@dataclass(frozen=True)
class BanditPlan:
    """What is measured.

    Attributes:
        seeds: Of the streams.
        scenarios: Names; empty means all.
        n_rounds: Of each stream; the digits have at most 10,000.
        peers: Whether others run too.
    """

    seeds: range
    scenarios: tuple[str, ...] = ()
    n_rounds: int = 100_000
    peers: bool = True


def bench_bandit(
    plan: BanditPlan, *, tell: Callable[[str], None], with_speed: bool = True
) -> list[BenchRow]:
    """Rows of every scenario: ours beside Vowpal Wabbit, then every peer's own row."""
    chosen = [Scenario(name) for name in plan.scenarios] or list(Scenario)
    rows: list[BenchRow] = []
    for scenario in chosen:
        rows += _bench_scenario(scenario, plan, tell=tell)
    return [*rows, _bench_speed()] if with_speed else rows


def _contestants(n_columns: int, *, peers: bool) -> dict[str, Callable[[], Contestant]]:
    if not peers:
        return {}
    named: dict[str, Callable[[], Contestant]] = {
        "uniform": Uniform,
        "beta_thompson": BetaThompson,
        "epsilon_greedy": lambda: EpsilonGreedy(n_columns),
        "lin_ucb": lambda: LinUcb(n_columns),
        "lin_thompson": lambda: LinThompson(n_columns),
    }
    if has_vowpal():
        named["vowpal_wabbit"] = Vowpal
    return named


def _bench_scenario(
    scenario: Scenario, plan: BanditPlan, *, tell: Callable[[str], None]
) -> list[BenchRow]:
    shares: dict[str, list[float]] = {}
    weights: list[float] = []
    for seed in plan.seeds:
        stream = make_stream(scenario, seed=seed, n_rounds=plan.n_rounds)
        n_columns = stream.contexts.shape[1]
        tell(f"{scenario}, seed {seed}")
        course = run_course(stream, OurBandit(n_columns), seed=seed)
        shares.setdefault("ours", []).append(stream.captured(course.arms))
        weights.append(course.mean_weight)
        for name, make in _contestants(n_columns, peers=plan.peers).items():
            theirs = run_course(stream, make(), seed=seed)
            shares.setdefault(name, []).append(stream.captured(theirs.arms))
    vowpal = shares.get("vowpal_wabbit")
    of_others = {name: each for name, each in shares.items() if name != "ours"}
    return [
        _row(scenario, "captured", shares["ours"], reference=vowpal),
        _row(scenario, "mean_inverse_probability", weights, reference=None),
        *(_row(scenario, f"captured_by_{name}", each) for name, each in of_others.items()),
    ]


def _row(
    case: str, metric: str, values: list[float], *, reference: list[float] | None = None
) -> BenchRow:
    mean, n = float(np.mean(values)), len(values)
    half = float(stats.t.ppf(0.975, n - 1) * stats.sem(values)) if n > 1 else None
    return BenchRow(
        case,
        metric,
        mean,
        None if half is None else mean - half,
        None if half is None else mean + half,
        None if reference is None else float(np.mean(reference)),
        None if reference is None else _VOWPAL,
        "1",
        n,
    )


def _bench_speed() -> BenchRow:
    """Decisions a second with their probabilities, in batches of 1,000, after 5,000 rounds."""
    ours = _measure(OurBandit)
    theirs = _measure(lambda _: Vowpal()) if has_vowpal() else None
    return BenchRow(
        "S1",
        "decisions_per_s",
        ours,
        None,
        None,
        theirs,
        None if theirs is None else _VOWPAL,
        "1/s",
        _REPEATS,
    )


def _measure(make: Callable[[int], Contestant | PatientContestant]) -> float:
    """The median rate of a few batches."""
    stream = make_stream(Scenario.S1, seed=0, n_rounds=_SPEED_TRAINING + _SPEED_ROWS)
    contestant = make(stream.contexts.shape[1])
    run_course(stream, contestant, seed=0)
    contexts = stream.contexts[-_SPEED_ROWS:]
    seconds = []
    for _ in range(_REPEATS):
        began = time.perf_counter()
        contestant.probabilities(contexts, n_arms=stream.n_first)
        seconds.append(time.perf_counter() - began)
    return _SPEED_ROWS / float(np.median(seconds))
