"""Our contextual bandit in the contest, with its defaults."""

import numpy as np

from training.bandit.arms import ArmLearner, alike
from training.bandit.delays import DelayTally
from training.bandit.sites import Rows
from training.benchmarks.bandit.streams import Floats, Ints, Stream


class OurBandit:
    """What is settled is learned once, what is younger is learned anew with every batch."""

    def __init__(self, n_columns: int) -> None:
        self._n_columns = n_columns
        self._settled: ArmLearner | None = None
        self._served: ArmLearner | None = None
        self._delays = DelayTally.empty()

    def watch(self, stream: Stream) -> None:
        """Keep what the decisions are about."""
        n = len(stream.luck)
        self._stream = stream
        self._arms = np.zeros(n, dtype=np.int64)
        self._rewards = np.full(n, np.nan)
        self._known_in = np.zeros(n, dtype=np.int64)
        self._n_made, self._n_settled = 0, 0

    def probabilities(self, contexts: Floats, *, n_arms: int) -> Floats:
        """The probability of each arm."""
        return self._wide(n_arms).probabilities(contexts)

    def note(self, rows: Ints, arms: Ints) -> None:
        """Remember what was decided."""
        self._arms[rows] = arms
        self._n_made = int(rows[-1]) + 1

    def know(self, rows: Ints, rewards: Floats, *, batch: int) -> None:
        """Settle what is old enough, and look at the rest."""
        if not self._n_made:
            return
        self._rewards[rows], self._known_in[rows] = rewards, batch
        window = max(self._stream.window, 1)
        made_in = self._stream.batch[: self._n_made]
        n_old = int(np.searchsorted(made_in, batch - window, side="right"))
        settled = self._settled
        if settled is None:
            settled = ArmLearner.start(alike(self._stream.n_first, self._n_columns))
        old = np.arange(self._n_settled, n_old)
        if len(old):
            settled = self._fold(settled, old, window=window)
        self._settled, self._n_settled = settled, n_old
        young = np.arange(n_old, self._n_made)
        self._served = self._glance(settled, young, batch=batch, window=window)

    def _fold(self, learner: ArmLearner, rows: Ints, *, window: int) -> ArmLearner:
        rewards = self._rewards[rows]
        watched = (self._known_in[rows] - self._stream.batch[rows]) / window
        self._delays = self._delays.add(watched, success=rewards == 1.0, failure=rewards == 0.0)
        return learner.learn(self._sort(rows, rewards, np.ones(len(rows))))

    def _glance(self, learner: ArmLearner, rows: Ints, *, batch: int, window: int) -> ArmLearner:
        if not len(rows):
            return learner
        rewards, made_in = self._rewards[rows], self._stream.batch[rows]
        is_known = ~np.isnan(rewards)
        ages = (batch - made_in) / window
        watched = np.where(is_known, (self._known_in[rows] - made_in) / window, ages)
        undecided = self._delays.undecided_weights(
            watched, ages=ages, success=rewards == 1.0, failure=rewards == 0.0
        )
        weights = np.where(is_known, 1.0, undecided)
        return learner.trusted().learn(self._sort(rows, np.nan_to_num(rewards), weights))

    def _sort(self, rows: Ints, rewards: Floats, weights: Floats) -> Rows:
        return Rows.sort(self._stream.contexts[rows], self._arms[rows], rewards, weights)

    def _wide(self, n_arms: int) -> ArmLearner:
        """The served learner with a place for every arm."""
        for learner in (self._served, self._settled):
            if learner is not None and len(learner.designs.arms) == n_arms:
                return learner
        start = self._settled
        if start is None:
            self._settled = ArmLearner.start(alike(n_arms, self._n_columns))
        else:
            self._settled = start.widen(alike(n_arms, self._n_columns))
        self._served = self._settled
        return self._settled
