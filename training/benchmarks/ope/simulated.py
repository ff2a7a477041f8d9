"""How often intervals hold the truth, over many logs that are simulated one like the other."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from scipy import stats

from training.benchmarks.ope.streams import (
    N_ACTIONS,
    Problem,
    Stream,
    Target,
    draw_problem,
    learn_target,
    log_adaptive,
    log_static,
    true_value,
)
from training.benchmarks.rows import BenchRow
from training.evaluation.bootstrap import Estimate
from training.ope.direct import (
    SameActions,
    assign_blocks,
    assign_folds,
    expect_across,
    expect_ahead,
    expect_squares,
)
from training.ope.estimators import Estimator, estimate_parts
from training.ope.intervals import martingale_interval, normal_interval, sequence_interval
from training.ope.tuning import (
    TuningRule,
    choose_strength,
    estimate_tuned,
    list_strengths,
)
from training.ope.weighted import WeightedLog, weigh

N_ROWS = 10_000
_RUNS_PER_PROBLEM = 20
_NOMINAL = 0.95


@dataclass(frozen=True)
class Judged:
    """One estimate of one log beside the truth."""

    found: Estimate
    truth: float


@dataclass(frozen=True)
class _Setting:
    """A problem, a policy to be judged in it, and who made the log of the static case."""

    problem: Problem
    target: Target
    truth: float
    logger: Target


def bench_simulated(
    *, n_runs: int, seed: int, tell: Callable[[str], None], n_rows: int = N_ROWS
) -> list[BenchRow]:
    """Coverage, error and width of every interval, on static and on adaptive logs.

    Args:
        n_runs: Logs of each kind; every twenty share a problem.
        seed: Of everything random.
        tell: Told when another problem is done.
        n_rows: Rows of each log.
    """
    judged = judge_runs(n_runs=n_runs, seed=seed, tell=tell, n_rows=n_rows)
    return [
        row
        for kind, by_name in judged.items()
        for metric, found in by_name.items()
        for row in make_coverage_rows(
            kind, metric, found, beside=by_name["dr normal"], name="dr normal"
        )
    ]


def judge_runs(
    *, n_runs: int, seed: int, n_rows: int, tell: Callable[[str], None] = lambda _: None
) -> dict[str, dict[str, list[Judged]]]:
    """Every estimate of every log: by kind of log, then by estimator and interval."""
    judged: dict[str, dict[str, list[Judged]]] = {"static logs": {}, "adaptive logs": {}}
    root = np.random.SeedSequence(seed)
    rngs = [np.random.default_rng(child) for child in root.spawn(n_runs)]
    setting = _draw_setting(rngs[0])
    for run, rng in enumerate(rngs):
        if run % _RUNS_PER_PROBLEM == 0:
            setting = _draw_setting(rng)
            tell(f"{run} of {n_runs} logs of each kind")
        logs = {
            "static logs": log_static(
                setting.problem, setting.logger, floor=0.1, n=n_rows, rng=rng
            ),
            "adaptive logs": log_adaptive(setting.problem, floor=0.05, n=n_rows, rng=rng),
        }
        for kind, log in logs.items():
            for name, found in _estimate(log, setting.target, rng=rng).items():
                judged[kind].setdefault(name, []).append(Judged(found, setting.truth))
    return judged


def _draw_setting(rng: np.random.Generator) -> _Setting:
    problem = draw_problem(rng)
    target = learn_target(problem, temperature=0.0, n=5_000, rng=rng)
    logger = learn_target(problem, temperature=0.03, n=1_000, rng=rng)
    return _Setting(problem, target, true_value(problem, target, rng=rng), logger)


def _estimate(log: Stream, target: Target, *, rng: np.random.Generator) -> Mapping[str, Estimate]:
    across, ahead = _weigh(log, target, rng=rng)
    customers = across.customers
    found = {}
    for by in (Estimator.IPS, Estimator.SNIPS, Estimator.DR, Estimator.SNDR, Estimator.DM):
        parts = estimate_parts(across, by=by)
        found[f"{by} normal"] = normal_interval(parts, customers=customers)
    dr = estimate_parts(ahead, by=Estimator.DR)
    if ahead.expected is None or ahead.expected.noise is None:
        raise AssertionError("unreachable: the streams hold all probabilities")
    noise = ahead.expected.noise
    whole = martingale_interval(dr, noise=noise, customers=customers)
    found["dr martingale"] = whole
    found["dr anytime"] = sequence_interval(dr, customers=customers, noise=noise)
    for by in (Estimator.DROS, Estimator.SWITCH_DR):
        tuned = estimate_tuned(across, by=by, rule=TuningRule.SLOPE, rng=rng, whole=whole)
        found[f"{by} tuned"] = tuned.estimate
        found[f"{by} naive"] = _estimate_naively(across, by=by)
    return found


def _weigh(
    log: Stream, target: Target, *, rng: np.random.Generator
) -> tuple[WeightedLog, WeightedLog]:
    """The log with a model of other rows, and with a model of earlier ones."""
    model = SameActions(log.customers, log.actions, N_ACTIONS)
    everyone = np.arange(len(log.actions)).astype(object)
    folds = assign_folds(everyone, n_folds=3, rng=rng)
    across = expect_across(model, log.clicks, folds=folds)
    ahead = expect_ahead(model, log.clicks, blocks=assign_blocks(len(everyone)))
    p_target = target.probabilities(log.customers)
    first, second = (
        weigh(
            log.actions,
            log.clicks,
            p_logged=log.probabilities,
            p_target=p_target,
            expected=expected,
            squares=expect_squares(model, log.clicks, expected=expected),
        )
        for expected in (across, ahead)
    )
    return first, second


def _estimate_naively(log: WeightedLog, *, by: Estimator) -> Estimate:
    """What not to do: tuned and judged on the same rows, with the usual interval."""
    grid = list_strengths(log, by=by)
    strength = choose_strength(log, by=by, rule=TuningRule.SLOPE, grid=grid)
    return normal_interval(estimate_parts(log, by=by, strength=strength), customers=log.customers)


def find_coverage(judged: list[Judged]) -> float:
    """Share of intervals that hold the truth."""
    return float(np.mean([one.found.low <= one.truth <= one.found.high for one in judged]))


def find_width(judged: list[Judged]) -> float:
    """Mean width over the mean truth."""
    widths = [one.found.high - one.found.low for one in judged]
    return float(np.mean(widths) / np.mean([one.truth for one in judged]))


def make_coverage_rows(
    kind: str, metric: str, judged: list[Judged], *, beside: list[Judged], name: str
) -> list[BenchRow]:
    """How often intervals held, how wide they were beside others of that name, and the error."""
    n, coverage = len(judged), find_coverage(judged)
    held = stats.binomtest(round(coverage * n), n).proportion_ci(0.95, method="wilson")
    errors = np.array([one.found.value - one.truth for one in judged])
    truth = np.mean([one.truth for one in judged])
    rmse = float(np.sqrt((errors**2).mean()) / truth)
    ratio = find_width(judged) / find_width(beside)
    stem = metric.replace(" ", "_")
    return [
        BenchRow(
            kind, f"coverage_{stem}", coverage, held.low, held.high, _NOMINAL, "nominal", "1", n
        ),
        BenchRow(kind, f"width_ratio_{stem}", ratio, None, None, 1.0, name, "1", n),
        BenchRow(kind, f"rmse_{stem}", rmse, None, None, None, None, "1", n),
    ]
