"""Known rates are found, and the naive ways of finding them fail in the known direction."""

import numpy as np
import numpy.typing as npt

from features.vocabulary import Channel, Trigger
from training.bandit.posterior import compute_best_probabilities, mix_with_floor
from training.bandit.rewards import Cell, Reward
from training.bandit.thompson import ThompsonSampling

CELL = Cell(Trigger.PRICE_DROP, Channel.EMAIL)
VARIANTS = ("plain", "warm", "urgent")
RATES = np.array([0.05, 0.09, 0.04])
N_BATCHES, BATCH = 40, 150


def _run_thompson(rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Share of the best variant among the choices of each batch."""
    policy = ThompsonSampling()
    shares = np.empty(N_BATCHES)
    for batch in range(N_BATCHES):
        p = policy.probabilities(CELL, allowed=VARIANTS)
        chosen = rng.choice(len(VARIANTS), size=BATCH, p=p)
        success = rng.random(BATCH) < RATES[chosen]
        shares[batch] = (chosen == RATES.argmax()).mean()
        policy = policy.update(
            Reward(f"{batch}/{i}", CELL.trigger, CELL.channel, VARIANTS[c], bool(s))
            for i, (c, s) in enumerate(zip(chosen, success, strict=True))
        )
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
    thompson = np.array([_run_thompson(rng) for rng in streams[:20]])
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
            p = mix_with_floor(compute_best_probabilities(posteriors), floor=0.1)
            first = int(rng.binomial(batch, p[0]))
            won = rng.binomial([first, batch - first], truth)
            n, wins = n + np.array([first, batch - first]), wins + won
            ipw += won[0] / p[0]
        raw[run] = wins[0] / max(n[0], 1.0)
        weighted[run] = ipw / (n_batches * batch)
    standard_error = weighted.std() / np.sqrt(n_runs)
    assert raw.mean() < truth - 0.02
    assert abs(weighted.mean() - truth) < 3 * standard_error
