"""Known rates are found, and the naive ways of finding them fail in the known direction."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from features.vocabulary import Channel, Trigger
from tests.training.bandit.conftest import contexts_of, make_trials
from training.bandit.arms import ArmLearner, BanditSettings, alike
from training.bandit.delays import DelayTally
from training.bandit.files import new_bandit
from training.bandit.memories import MemorySettings
from training.bandit.normal_best import compute_best_of_normals, draw_arms, lift_to_floor
from training.bandit.rewards import Cell
from training.bandit.sites import Rows
from training.benchmarks.bandit.best_of_betas import compute_best_probabilities

CELL = Cell(Trigger.PRICE_DROP, Channel.EMAIL)
VARIANTS = ("plain", "warm", "urgent")
RATES = np.array([0.05, 0.09, 0.04])
N_BATCHES, BATCH = 40, 150
KNOWN = np.array([0.1, 0.06, 0.04, 0.05, 0.03, 0.07, 0.05, 0.06])


def _run_thompson(rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Share of the best variant among the choices of each batch."""
    policy = new_bandit()
    shares = np.empty(N_BATCHES)
    for batch in range(N_BATCHES):
        p = policy.probabilities(contexts_of(CELL, BATCH), arms=VARIANTS)
        chosen = draw_arms(p, u=rng.random(BATCH))
        success = rng.random(BATCH) < RATES[chosen]
        shares[batch] = (chosen == RATES.argmax()).mean()
        names = [VARIANTS[at] for at in chosen.tolist()]
        policy = policy.update(make_trials(names, success.tolist(), cell=CELL))
    return shares


def _run_greedy(rng: np.random.Generator) -> float:
    """Share of the best variant in the last batch when the best rate so far is always taken."""
    n, wins = np.full(3, 20.0), np.array([rng.binomial(20, rate) for rate in RATES], dtype=float)
    chosen = 0
    for _ in range(N_BATCHES):
        chosen = int((wins / n).argmax())
        n[chosen] += BATCH
        wins[chosen] += rng.binomial(BATCH, RATES[chosen])
    return float(chosen == RATES.argmax())


def test_bandit_finds_the_best_variant_where_greed_gets_stuck() -> None:
    streams = np.random.default_rng(5).spawn(40)
    thompson = np.array([_run_thompson(rng) for rng in streams[:8]])
    greedy = np.array([_run_greedy(rng) for rng in streams])
    assert thompson[:, 0].mean() < 0.5
    assert thompson[:, -10:].mean() > 0.9
    assert thompson[:, -10:].mean(axis=1).min() > 0.5
    assert greedy.mean() < 0.85


def test_raw_rates_of_a_bandit_are_too_low_where_weighted_ones_are_right() -> None:
    """Nie et al. (2018): what looked bad early is no longer tried, and never recovers."""
    rng = np.random.default_rng(6)
    truth, n_runs, n_batches, batch = 0.3, 2_000, 6, 10
    raw, weighted = np.empty(n_runs), np.empty(n_runs)
    for run in range(n_runs):
        n, wins, ipw = np.zeros(2), np.zeros(2), 0.0
        for _ in range(n_batches):
            posteriors = tuple((1 + w, 1 + k - w) for w, k in zip(wins, n, strict=True))
            p = lift_to_floor(compute_best_probabilities(posteriors)[None], floor=0.1)[0]
            first = int(rng.binomial(batch, p[0]))
            won = rng.binomial([first, batch - first], truth)
            n, wins = n + np.array([first, batch - first]), wins + won
            ipw += won[0] / p[0]
        raw[run] = wins[0] / max(n[0], 1.0)
        weighted[run] = ipw / (n_batches * batch)
    standard_error = weighted.std() / np.sqrt(n_runs)
    assert raw.mean() < truth - 0.02
    assert abs(weighted.mean() - truth) < 3 * standard_error


def _learn_stream(rates: npt.NDArray[np.float64], memory: MemorySettings, *, seed: int) -> float:
    """Share of what can be captured in the last fifth of a stream of rates (batches, arms)."""
    rng = np.random.default_rng(seed)
    learner = ArmLearner.start(alike(rates.shape[1], 1), BanditSettings(memory=memory))
    taken = []
    for row in rates:
        x = np.ones((BATCH, 1))
        arms = draw_arms(learner.probabilities(x), u=rng.random(BATCH))
        rewards = (rng.random(BATCH) < row[arms]).astype(np.float64)
        taken.append((row[arms].mean() - row.mean()) / (row.max() - row.mean()))
        learner = learner.learn(Rows.sort(x, arms, rewards, np.ones(BATCH)))
    return float(np.mean(taken[-len(taken) // 5 :]))


def test_bandit_notices_a_change_that_a_full_memory_sleeps_through() -> None:
    before = np.array([0.12, 0.06, 0.04, 0.04])
    rates = np.concatenate([np.tile(before, (60, 1)), np.tile(before[::-1] / 2, (60, 1))])
    forever = MemorySettings(lengths=(float("inf"),))
    adaptive = [_learn_stream(rates, MemorySettings(), seed=seed) for seed in range(2)]
    sleeping = [_learn_stream(rates, forever, seed=seed) for seed in range(2)]
    assert np.mean(adaptive) > 0.5
    assert np.mean(sleeping) < 0.2


def test_forgetting_costs_little_where_nothing_changes() -> None:
    rates = np.tile([0.12, 0.06, 0.04, 0.04], (100, 1))
    assert np.mean([_learn_stream(rates, MemorySettings(), seed=seed) for seed in range(2)]) > 0.9


def _meet_newcomer(learner: ArmLearner, *, seed: int, is_naive: bool) -> float:
    """How often the newcomer, the best of all arms, is chosen in the end."""
    rng = np.random.default_rng(seed)
    rates, one, n = np.append(KNOWN, 0.13), np.ones((1, 1)), 40
    least = learner.settings.explore
    p = np.empty((0, len(rates)))
    for _ in range(40):
        mean, sd = learner.score(one)
        p = compute_best_of_normals(mean, least * sd) if is_naive else learner.probabilities(one)
        arms = draw_arms(np.tile(p, (n, 1)), u=rng.random(n))
        rewards = (rng.random(n) < rates[arms]).astype(np.float64)
        learner = learner.learn(Rows.sort(np.ones((n, 1)), arms, rewards, np.ones(n)))
    return float(p[0, -1])


def test_newcomer_is_found_that_exploring_all_arms_alike_buries() -> None:
    n_known = len(KNOWN)
    n = np.array([20_000.0] + [2_000.0] * (n_known - 1))
    counts = np.column_stack([n * KNOWN, n * (1.0 - KNOWN)]).ravel()
    known = Rows.sort(
        np.ones((2 * n_known, 1)),
        np.repeat(np.arange(n_known), 2),
        np.tile([1.0, 0.0], n_known),
        counts,
    )
    learner = ArmLearner.start(alike(n_known, 1)).learn(known).widen(alike(n_known + 1, 1))
    assert learner.explore()[-1] > 1.5 * learner.explore()[:-1].max()
    ours, naive = (
        np.mean([_meet_newcomer(learner, seed=seed, is_naive=is_naive) for seed in range(16)])
        for is_naive in (False, True)
    )
    assert ours > naive + 0.2


def _learn_certain(*, seed: int, is_naive: bool) -> tuple[float, float]:
    """Share of right arms where one of ten is right for each reader, and trust in the line."""
    rng = np.random.default_rng(seed)
    learner, right = ArmLearner.start(alike(10, 41)), []
    marks = rng.random((10, 40)) < 0.4  # what a reader of each kind looks like, before noise
    for _ in range(12):
        if is_naive:  # logistic memories alone
            learner = replace(learner, memories=replace(learner.memories, p_linear=1e-9))
        kinds = rng.integers(0, 10, 100)
        seen = np.where(rng.random((100, 40)) < 0.15, ~marks[kinds], marks[kinds])
        x = np.column_stack([np.ones(100), seen])
        arms = draw_arms(learner.probabilities(x), u=rng.random(100))
        right.append((arms == kinds).mean())
        rewards = (arms == kinds).astype(np.float64)
        learner = learner.learn(Rows.sort(x, arms, rewards, np.ones(100)))
    return float(np.mean(right)), learner.p_linear


def test_linear_model_learns_sooner_where_the_reader_decides() -> None:
    ours = np.array([_learn_certain(seed=seed, is_naive=False) for seed in range(3)])
    logistic = np.array([_learn_certain(seed=seed, is_naive=True) for seed in range(3)])
    assert ours[:, 1].min() > 0.9
    assert ours[:, 0].mean() > 0.74
    assert logistic[:, 0].mean() < ours[:, 0].mean() - 0.05


def test_linear_model_is_not_asked_where_rates_are_low() -> None:
    rng = np.random.default_rng(8)
    learner = ArmLearner.start(alike(4, 6))
    truth = np.column_stack([np.linspace(-3.0, -2.0, 4), rng.normal(size=(4, 5)) * 0.5])
    for _ in range(20):
        x = np.column_stack([np.ones(200), rng.normal(size=(200, 5))])
        arms = draw_arms(learner.probabilities(x), u=rng.random(200))
        p = 1.0 / (1.0 + np.exp(-(x * truth[arms]).sum(axis=1)))
        rewards = (rng.random(200) < p).astype(np.float64)
        learner = learner.learn(Rows.sort(x, arms, rewards, np.ones(200)))
    assert learner.p_linear < 0.05


def test_learned_delay_finds_the_rates_that_counting_silence_as_failure_misses() -> None:
    """Two arms alike, one sent only lately: its silence is not failure yet."""
    rng = np.random.default_rng(7)
    n, rate, mean_delay = 30_000, 0.2, 0.3
    arms = (np.arange(n) >= n // 2).astype(np.int64)
    ages = np.where(arms == 0, rng.uniform(1.0, 2.0, n), rng.uniform(0.0, 0.3, n))
    delays = np.minimum(rng.exponential(mean_delay, n), 0.99)
    success = (rng.random(n) < rate) & (delays < ages)
    failure = ~success & (ages >= 1.0)
    watched = np.where(success, delays, np.minimum(ages, 1.0))
    weights = DelayTally.empty().undecided_weights(
        watched, ages=ages, success=success, failure=failure
    )
    weights[success | failure] = 1.0
    found = {}
    for name, each in {"learned": weights, "naive": np.ones(n)}.items():
        rows = Rows.sort(np.ones((n, 1)), arms, success.astype(np.float64), each)
        mean, _ = ArmLearner.start(alike(2, 1)).learn(rows).score(np.ones((1, 1)))
        found[name] = 1.0 / (1.0 + np.exp(-mean[0]))
    np.testing.assert_allclose(found["learned"], rate, atol=0.025)
    assert found["naive"][1] < 0.12
