"""Others' methods in the contest, short but whole."""

import numpy as np

from training.bandit.normal_best import compute_best_of_normals, lift_to_floor
from training.benchmarks.bandit.best_of_betas import compute_best_probabilities
from training.benchmarks.bandit.contest import Told
from training.benchmarks.bandit.streams import Floats

_FLOOR = 0.02


class Uniform:
    """Every arm alike."""

    def probabilities(self, contexts: Floats, *, n_arms: int) -> Floats:
        """The same for all."""
        return np.full((len(contexts), n_arms), 1.0 / n_arms)

    def learn(self, told: Told) -> None:
        """Nothing to learn."""


class BetaThompson:
    """Thompson sampling without context, by Beta posteriors."""

    def __init__(self) -> None:
        self._wins, self._losses = np.zeros(0), np.zeros(0)

    def probabilities(self, contexts: Floats, *, n_arms: int) -> Floats:
        """The same for all rows."""
        wins = np.append(self._wins, np.zeros(n_arms - len(self._wins)))
        losses = np.append(self._losses, np.zeros(n_arms - len(self._losses)))
        posteriors = tuple(zip((1.0 + wins).tolist(), (19.0 + losses).tolist(), strict=True))
        best = compute_best_probabilities(posteriors)
        return lift_to_floor(np.tile(best, (len(contexts), 1)), floor=_FLOOR)

    def learn(self, told: Told) -> None:
        """Count."""
        n_arms = max(len(self._wins), int(told.arms.max()) + 1)
        wins, losses = np.zeros(n_arms), np.zeros(n_arms)
        wins[: len(self._wins)], losses[: len(self._losses)] = self._wins, self._losses
        np.add.at(wins, told.arms, told.rewards)
        np.add.at(losses, told.arms, 1.0 - told.rewards)
        self._wins, self._losses = wins, losses


class _Ridge:
    """A ridge regression of the reward for each arm."""

    def __init__(self, n_columns: int) -> None:
        self._n_columns = n_columns
        self._gram = np.zeros((0, n_columns, n_columns))
        self._sum = np.zeros((0, n_columns))

    def learn(self, told: Told) -> None:
        """Add rows to the normal equations."""
        self._widen(int(told.arms.max()) + 1)
        for arm in np.unique(told.arms).tolist():
            rows = told.arms == arm
            x = told.contexts[rows]
            self._gram[arm] += x.T @ x
            self._sum[arm] += x.T @ told.rewards[rows]

    def _widen(self, n_arms: int) -> None:
        n_new = max(0, n_arms - len(self._sum))
        start = np.tile(np.eye(self._n_columns), (n_new, 1, 1))
        self._gram = np.concatenate([self._gram, start])
        self._sum = np.concatenate([self._sum, np.zeros((n_new, self._n_columns))])

    def _score(self, contexts: Floats, n_arms: int) -> tuple[Floats, Floats]:
        """Mean and root of x' inverse(A) x of each arm, (n, arms)."""
        self._widen(n_arms)
        inverse = np.linalg.inv(self._gram)
        mean = contexts @ (inverse @ self._sum[:, :, None])[:, :, 0].T
        spread = np.stack([((contexts @ each) * contexts).sum(axis=1) for each in inverse], axis=1)
        return mean, np.sqrt(spread)


class LinThompson(_Ridge):
    """Linear Thompson sampling (Agrawal and Goyal 2013), alpha .1, exact probabilities."""

    def probabilities(self, contexts: Floats, *, n_arms: int) -> Floats:
        """How likely each arm's draw is the highest."""
        mean, spread = self._score(contexts, n_arms)
        return lift_to_floor(compute_best_of_normals(mean, 0.1 * spread), floor=0.004)


class LinUcb(_Ridge):
    """LinUCB (Li et al. 2010), alpha .1: certain, so its log can't judge another policy."""

    def probabilities(self, contexts: Floats, *, n_arms: int) -> Floats:
        """1 for the highest bound."""
        mean, spread = self._score(contexts, n_arms)
        bound = mean + 0.1 * spread
        p = np.zeros(bound.shape)
        p[np.arange(len(p)), bound.argmax(axis=1)] = 1.0
        return p


class EpsilonGreedy(_Ridge):
    """The best linear estimate, but any arm 5 % of the time."""

    def probabilities(self, contexts: Floats, *, n_arms: int) -> Floats:
        """95 % for the best."""
        mean, _ = self._score(contexts, n_arms)
        p = np.zeros(mean.shape)
        p[np.arange(len(p)), mean.argmax(axis=1)] = 1.0
        return lift_to_floor(p, floor=0.05)
