"""Driving a contestant through a stream."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from training.bandit.normal_best import draw_arms
from training.benchmarks.bandit.streams import Floats, Ints, Stream


@dataclass(frozen=True)
class Told:
    """Outcomes that have become known.

    Attributes:
        contexts: (n, d).
        arms: Chosen, (n,).
        rewards: 0 or 1, (n,).
        p: With which probability each was chosen, (n,).
    """

    contexts: Floats
    arms: Ints
    rewards: Floats
    p: Floats


class Contestant(Protocol):
    """A bandit on plain arrays."""

    def probabilities(self, contexts: Floats, *, n_arms: int) -> Floats:
        """The probability of each arm, (n, n_arms); every row sums to 1."""
        ...

    def learn(self, told: Told) -> None:
        """Take up outcomes."""
        ...


@runtime_checkable
class PatientContestant(Protocol):
    """A bandit that makes something of decisions whose outcome is not known yet."""

    def probabilities(self, contexts: Floats, *, n_arms: int) -> Floats:
        """The probability of each arm, (n, n_arms)."""
        ...

    def watch(self, stream: Stream) -> None:
        """Told before the first decision."""
        ...

    def note(self, rows: Ints, arms: Ints) -> None:
        """Decisions that were made."""
        ...

    def know(self, rows: Ints, rewards: Floats, *, batch: int) -> None:
        """Outcomes that have become known before this batch is decided; it learns from all."""
        ...


@dataclass(frozen=True)
class Course:
    """What a contestant did.

    Attributes:
        arms: Chosen, (n,).
        p: With which probability, (n,).
        n_arms: How many arms there were, (n,).
    """

    arms: Ints
    p: Floats
    n_arms: Ints

    @property
    def mean_weight(self) -> float:
        """Mean of 1 / (p x number of arms): 1 for true probabilities, but for chance."""
        return float((1.0 / (self.p * self.n_arms)).mean())


def run_course(stream: Stream, contestant: Contestant | PatientContestant, *, seed: int) -> Course:
    """Decide a whole stream, batch by batch; the seed draws the arms."""
    rng = np.random.default_rng(seed)
    n = len(stream.luck)
    arms, p, rewards = np.zeros(n, dtype=np.int64), np.ones(n), np.zeros(n)
    known_in = np.full(n, np.iinfo(np.int64).max)
    if isinstance(contestant, PatientContestant):
        contestant.watch(stream)
    n_batches = int(stream.batch[-1]) + 1
    starts = np.searchsorted(stream.batch, np.arange(n_batches + 1))
    first_open = 0
    for batch in range(n_batches):
        open_rows = np.arange(first_open, starts[batch])
        due = open_rows[known_in[open_rows] == batch]
        if isinstance(contestant, PatientContestant):
            contestant.know(due, rewards[due], batch=batch)
        elif len(due):
            contestant.learn(Told(stream.contexts[due], arms[due], rewards[due], p[due]))
        first_open = int(np.searchsorted(stream.batch, batch - stream.window - 1))
        rows = np.arange(starts[batch], starts[batch + 1])
        if not len(rows):
            continue
        chances = contestant.probabilities(
            stream.contexts[rows], n_arms=stream.n_arms(int(rows[0]))
        )
        arms[rows] = draw_arms(chances, u=rng.random(len(rows)))
        p[rows] = chances[np.arange(len(rows)), arms[rows]]
        rewards[rows] = stream.luck[rows] < stream.rates[rows, arms[rows]]
        waits = stream.failures_wait & (rewards[rows] == 0.0)
        wait = np.where(waits, stream.window, stream.delay[rows])
        known_in[rows] = batch + np.maximum(wait, 1)
        if isinstance(contestant, PatientContestant):
            contestant.note(rows, arms[rows])
    there = np.array([stream.n_arms(0), stream.n_arms(n - 1)])
    return Course(arms, p, there[(np.arange(n) >= n // 2).astype(np.int64)])
