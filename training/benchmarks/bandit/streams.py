"""Streams of decisions with known truth, on which bandits are compared.

10 arms, 20 columns (a constant, 9 normal, 10 binary), success rates of 3 to 15 %; a taste that all
arms share and one of each arm. Random numbers are drawn in a fixed order, so a seed is one stream
for every contestant and for every implementation that keeps to the order.

- S1: nothing changes, outcomes are known after each batch of 100.
- S2: 30 days in hours; an outcome is known 1 to 72 hours later.
- S2b: as S2, but a failure is known only after 72 hours, as with messages.
- S3: half-way every arm becomes another.
- S4: half-way an eleventh arm appears, the best for many.
- D: handwritten digits (scikit-learn); the right one of ten arms succeeds.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt
from scipy.special import expit
from sklearn.datasets import load_digits

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

N_ARMS = 10
WINDOW_HOURS = 72
_N_HOURS = 720
_BATCH = 100
_N_DIGITS = 10_000


class Scenario(StrEnum):
    """What a stream is like."""

    S1 = "S1"
    S2 = "S2"
    S2B = "S2b"
    S3 = "S3"
    S4 = "S4"
    D = "D"


@dataclass(frozen=True)
class Stream:
    """Decisions to be made, and what would come of each.

    Attributes:
        contexts: (n, d); the first column is 1.
        rates: True success rate of every arm, (n, arms).
        luck: A choice succeeds where it is below the rate, (n,).
        n_first: Arms there are at the start; the others appear half-way.
        batch: In which batch each decision is made, (n,), ascending.
        delay: Batches until an outcome is known, (n,); 0 is after its own batch.
        failures_wait: Failures are known only when the window closes.
        window: Batches until every outcome is known.
    """

    contexts: Floats
    rates: Floats
    luck: Floats
    n_first: int
    batch: Ints
    delay: Ints
    failures_wait: bool
    window: int

    def n_arms(self, at: int) -> int:
        """How many arms there are at decision `at`."""
        return self.n_first if at < len(self.luck) // 2 else self.rates.shape[1]

    def captured(self, chosen: Ints) -> float:
        """Share of the gap between chance and the best arm that choices (n,) took."""
        late = np.arange(len(self.luck)) >= len(self.luck) // 2
        there = np.ones(self.rates.shape, dtype=bool)
        there[~late, self.n_first :] = False
        best = np.where(there, self.rates, -np.inf).max(axis=1).sum()
        chance = (np.where(there, self.rates, 0.0).sum(axis=1) / there.sum(axis=1)).sum()
        taken = self.rates[np.arange(len(chosen)), chosen].sum()
        return float((taken - chance) / (best - chance))


def make_stream(scenario: Scenario, *, seed: int, n_rounds: int = 100_000) -> Stream:
    """A stream; the digits have at most 10,000 rounds."""
    rng = np.random.default_rng(10_000 + seed)
    if scenario is Scenario.D:
        n_rounds = min(n_rounds, _N_DIGITS)
        contexts, rates = _show_digits(rng, n_rounds)
        n_first = N_ARMS
    else:
        has_new = scenario is Scenario.S4
        contexts, rates = _invent_people(rng, n_rounds, has_new=has_new)
        n_first = N_ARMS
        if scenario is Scenario.S3:
            half = n_rounds // 2
            rates[half:] = np.roll(rates[half:], 1, axis=1)
    luck = rng.random(n_rounds)
    if scenario not in {Scenario.S2, Scenario.S2B}:
        batch = np.arange(n_rounds, dtype=np.int64) // _BATCH
        at_once = np.zeros(n_rounds, dtype=np.int64)
        return Stream(contexts, rates, luck, n_first, batch, at_once, False, 0)
    hour = np.sort(rng.integers(0, _N_HOURS, n_rounds))
    delay = np.clip(1 + rng.exponential(12.0, n_rounds), 1, WINDOW_HOURS)
    return Stream(
        contexts,
        rates,
        luck,
        n_first,
        hour,
        np.ceil(delay).astype(np.int64),
        scenario is Scenario.S2B,
        WINDOW_HOURS,
    )


def _show_digits(rng: np.random.Generator, n_rounds: int) -> tuple[Floats, Floats]:
    pixels, labels = load_digits(return_X_y=True)
    n_rounds_each = n_rounds // len(pixels) + 1
    order = np.concatenate([rng.permutation(len(pixels)) for _ in range(n_rounds_each)])[:n_rounds]
    rates = np.zeros((n_rounds, N_ARMS))
    rates[np.arange(n_rounds), labels[order]] = 1.0
    return np.column_stack([np.ones(n_rounds), pixels[order] / 16.0]), rates


def _invent_people(
    rng: np.random.Generator, n_rounds: int, *, has_new: bool
) -> tuple[Floats, Floats]:
    """Contexts and rates; intercepts are such that each arm's mean rate is its base rate."""
    normal = rng.normal(size=(n_rounds, 9))
    binary = (rng.random((n_rounds, 10)) < rng.uniform(0.15, 0.5, 10)).astype(np.float64)
    contexts = np.column_stack([np.ones(n_rounds), normal, binary])
    n_arms = N_ARMS + int(has_new)
    base = np.linspace(0.03, 0.15, n_arms)
    rng.shuffle(base)
    if has_new:
        base = np.append(rng.permutation(np.linspace(0.03, 0.13, N_ARMS)), 0.15)
    shared = rng.normal(size=20) * 0.25
    own = rng.normal(size=(n_arms, 20)) * 0.15
    shared[0], own[:, 0] = 0.0, 0.0
    score = contexts @ (own + shared).T
    return contexts, expit(score + _find_intercepts(score[:5_000], base))


def _find_intercepts(score: Floats, base: Floats) -> Floats:
    """By bisection, all arms at once."""
    low, high = np.full(len(base), -12.0), np.full(len(base), 6.0)
    middle: Floats = (low + high) / 2
    for _ in range(60):
        middle = (low + high) / 2
        is_low = expit(score + middle).mean(axis=0) < base
        low, high = np.where(is_low, middle, low), np.where(is_low, high, middle)
    return middle
