"""Churn in the simulated world: ours beside the best that facts allow, and beside the truth.

Three scores of the same customers at the same later moments:

- ours: trained on earlier months of the same history, calibrated, all its features from the tables;
- from facts: Bayes' rule over everything the customers have shown, with the world's own laws (see
  `training.world.foresight`); no function of the tables ranks better;
- from moods: the world's own P(lost within 30 days | mood, temper), which nobody can know.

Who really left is one draw of these chances. `auc` is on what happened; `auc_expected` on the
chances themselves, a customer being lost by p and kept by 1 - p: the same with less noise.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from features.errors import BadInputError
from training.benchmarks.rows import BenchRow
from training.churn import TrainedChurn, train_churn
from training.datasets.churn import ChurnDataset, build_churn_dataset
from training.datasets.split import to_datetime
from training.evaluation import Estimate, Window, compare
from training.measures import Floats
from training.world.simulated import SimulatedWorld

CASE = "world_churn"
FROM_FACTS = "best from facts"
FROM_MOODS = "hidden moods"
N_CUSTOMERS = 20_000
DAYS = 365
N_SCORED = 2_000


@dataclass(frozen=True)
class ChurnScores:
    """Three scores of the same rows, (n,) each.

    Attributes:
        ours: Of the model.
        from_facts: The best that facts allow.
        from_moods: The world's own.
        window: What happened, and to whom.
    """

    ours: Floats
    from_facts: Floats
    from_moods: Floats
    window: Window


@dataclass(frozen=True)
class _Figure:
    """One figure of one world; a bare number has no interval."""

    metric: str
    ours: Estimate | float
    reference: float
    reference_name: str


def bench_world_churn(
    *,
    seeds: Sequence[int],
    n_customers: int = N_CUSTOMERS,
    days: int = DAYS,
    n_scored: int = N_SCORED,
) -> list[BenchRow]:
    """Our AUC and calibration on later moments, beside what could be known at best.

    Args:
        seeds: Of the worlds; figures are medians over them.
        n_customers: Customers of each.
        days: Days of history of each.
        n_scored: Customers that are scored: the best score takes 0.1 s for each.

    Raises:
        BadInputError: The history is too short to train on.
    """
    worlds = [
        score_world(seed=seed, n_customers=n_customers, days=days, n_scored=n_scored)
        for seed in seeds
    ]
    of_seeds = [_compare(scores, seed=seed) for scores, seed in zip(worlds, seeds, strict=True)]
    n = sum(len(scores.ours) for scores in worlds)
    return [_take_median(figures, n=n) for figures in zip(*of_seeds, strict=True)]


def score_world(*, seed: int, n_customers: int, days: int, n_scored: int) -> ChurnScores:
    """Train on a world's history and score customers at its later moments."""
    world = SimulatedWorld(seed=seed, n_customers=n_customers, days=days)
    trained = _train(world, seed=seed)
    everybody = np.unique(trained.test.customers)
    n_drawn = min(n_scored, len(everybody))
    drawn = np.random.default_rng(seed).choice(everybody, size=n_drawn, replace=False)
    rows = np.isin(trained.test.customers, drawn)
    test = trained.test.take(rows)
    ids = sorted(set(test.customers.tolist()))
    moments = np.unique(test.moments)
    at = (np.searchsorted(ids, test.customers), np.searchsorted(moments, test.moments))
    asked = [to_datetime(moment) for moment in moments]
    return ChurnScores(
        ours=trained.p_test[rows],
        from_facts=world.p_lost_from_facts(ids, moments=asked)[at],
        from_moods=world.p_lost(ids, moments=asked)[at],
        window=Window(test.labels, test.customers),
    )


def expected_auc(p: Floats, *, chances: Floats) -> float:
    """The AUC of p if each row were lost by its chance, ties counting half.

    >>> round(expected_auc(np.array([0.1, 0.9]), chances=np.array([0.0, 1.0])), 6)
    1.0
    >>> round(expected_auc(np.array([0.5, 0.5]), chances=np.array([0.2, 0.8])), 6)
    0.5
    """
    _, group = np.unique(p, return_inverse=True)
    lost = np.bincount(group, weights=chances).astype(np.float64)
    kept = np.bincount(group, weights=1.0 - chances).astype(np.float64)
    below = np.cumsum(kept) - kept
    return float((lost * (below + 0.5 * kept)).sum() / (lost.sum() * kept.sum()))


def _train(world: SimulatedWorld, *, seed: int) -> TrainedChurn:
    dataset = build_churn_dataset(world.tables(world.start), known_until=world.start)
    if not isinstance(dataset, ChurnDataset):
        raise BadInputError(f"{CASE}: {dataset.reason}")
    trained = train_churn(dataset, seed=seed)
    if not isinstance(trained, TrainedChurn):
        raise BadInputError(f"{CASE}: {trained.reason}")
    return trained


def _compare(scores: ChurnScores, *, seed: int) -> list[_Figure]:
    """The figures of one world."""
    rng = np.random.default_rng(seed)
    facts = compare(scores.ours, other=scores.from_facts, window=scores.window, rng=rng)
    moods = compare(scores.ours, other=scores.from_moods, window=scores.window, rng=rng)
    expected, best, oracle = (
        expected_auc(p, chances=scores.from_moods)
        for p in (scores.ours, scores.from_facts, scores.from_moods)
    )
    of_facts, error = facts.other, facts.ours.calibration_error
    return [
        _Figure("auc", facts.ours.auc, of_facts.auc.value, FROM_FACTS),
        _Figure("auc_gain", facts.difference.auc, 0.0, FROM_FACTS),
        _Figure("auc_gain_over_moods", moods.difference.auc, 0.0, FROM_MOODS),
        _Figure("auc_expected", expected, best, FROM_FACTS),
        _Figure("auc_expected_of_moods", oracle, best, FROM_FACTS),
        _Figure("calibration_error", error, of_facts.calibration_error.value, FROM_FACTS),
    ]


def _take_median(figures: Sequence[_Figure], *, n: int) -> BenchRow:
    """One figure of several worlds as a row; ends of intervals are medians of theirs."""
    intervals = [f.ours for f in figures if isinstance(f.ours, Estimate)]
    values = [f.ours.value if isinstance(f.ours, Estimate) else f.ours for f in figures]
    return BenchRow(
        case=CASE,
        metric=figures[0].metric,
        ours=float(np.median(values)),
        low=float(np.median([i.low for i in intervals])) if intervals else None,
        high=float(np.median([i.high for i in intervals])) if intervals else None,
        reference=float(np.median([f.reference for f in figures])),
        reference_name=figures[0].reference_name,
        unit="1",
        n=n,
    )
