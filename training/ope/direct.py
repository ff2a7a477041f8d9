"""What actions are expected to earn: ridge regressions that never see the row they speak about.

On the log of a policy that learns, a row may only be spoken about by rows before it: then what a
model expects is known before the row's action is drawn, and the correction by weights stays
unbiased.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from training.measures import Bools, Floats, Integers
from training.ope.weighted import Names

PENALTY = 10.0
_OWN_PENALTY = 50.0
_LEAST_SQUARE = 0.05  # of the mean one


class RewardModel(Protocol):
    """A regression of what came of the rows of a log, and what it expects of every action."""

    def blank(self) -> Floats:
        """A zero for every action of every row, in whatever shape the model keeps them."""
        ...

    def of_taken(self, expected: Floats, /) -> Floats:
        """What is expected of the actions that were taken, (n,)."""
        ...

    def fit(self, rewards: Floats, *, rows: Bools) -> Floats:
        """Coefficients from what came, (n,), of some rows."""
        ...

    def predict(self, fitted: Floats, *, rows: Bools, into: Floats) -> None:
        """Write what is expected of the actions of some rows."""
        ...


@dataclass(frozen=True)
class SameActions:
    """A model of K actions that every row has; expectations are (n, K).

    Every action has a regression of its own, drawn towards the one that all actions share.

    Attributes:
        contexts: What was known, a constant among it, (n, d).
        actions: What was done, from 0 on, (n,).
        n_actions: How many actions there are.
    """

    contexts: Floats
    actions: Integers
    n_actions: int

    def blank(self) -> Floats:
        """See `RewardModel`."""
        return np.zeros((len(self.actions), self.n_actions))

    def of_taken(self, expected: Floats, /) -> Floats:
        """See `RewardModel`."""
        return expected[np.arange(len(self.actions)), self.actions]

    def fit(self, rewards: Floats, *, rows: Bools) -> Floats:
        """Coefficients by action, (K, d): the shared ones and each action's deviation from them."""
        contexts, actions, came = self.contexts[rows], self.actions[rows], rewards[rows]
        shared = fit_ridge(contexts, came)
        left = came - contexts @ shared
        fitted = np.tile(shared, (self.n_actions, 1))
        for action in range(self.n_actions):
            own = actions == action
            if own.any():
                fitted[action] += fit_ridge(contexts[own], left[own], penalty=_OWN_PENALTY)
        return fitted

    def predict(self, fitted: Floats, *, rows: Bools, into: Floats) -> None:
        """See `RewardModel`."""
        into[rows] = self.contexts[rows] @ fitted.T


def fit_ridge(columns: Floats, rewards: Floats, *, penalty: float = PENALTY) -> Floats:
    """Coefficients of a ridge regression, (d,); with a penalty it is never undetermined."""
    gram = columns.T @ columns + penalty * np.eye(columns.shape[1])
    return np.linalg.solve(gram, columns.T @ rewards).astype(np.float64)


def expect_across(model: RewardModel, rewards: Floats, *, folds: Integers) -> Floats:
    """Expected reward of every action, by a fit to the other folds."""
    expected = model.blank()
    for fold in np.unique(folds):
        fitted = model.fit(rewards, rows=folds != fold)
        model.predict(fitted, rows=folds == fold, into=expected)
    return expected


def expect_ahead(model: RewardModel, rewards: Floats, *, blocks: Integers) -> Floats:
    """Expected reward of every action, by a fit to the blocks before; 0 in the first.

    Args:
        model: Of rows in order of time.
        rewards: What came of them, (n,).
        blocks: Block of each row, not falling, (n,).
    """
    expected = model.blank()
    for block in np.unique(blocks)[1:]:
        fitted = model.fit(rewards, rows=blocks < block)
        model.predict(fitted, rows=blocks == block, into=expected)
    return expected


def expect_squares(model: RewardModel, rewards: Floats, *, expected: Floats) -> Floats:
    """Square of the error of what was expected, to be expected of every action.

    A model of the squares themselves, held above a twentieth of their mean.
    """
    squares = (rewards - model.of_taken(expected)) ** 2
    found, everywhere = model.blank(), np.ones(len(rewards), dtype=bool)
    model.predict(model.fit(squares, rows=everywhere), rows=everywhere, into=found)
    held: Floats = np.maximum(found, _LEAST_SQUARE * squares.mean())
    return held


def assign_folds(customers: Names, *, n_folds: int, rng: np.random.Generator) -> Integers:
    """A fold for each row, the same for all rows of a customer, (n,)."""
    _, position = np.unique(customers, return_inverse=True)
    n_customers = int(position.max()) + 1
    folds: Integers = rng.permutation(np.arange(n_customers) % n_folds)[position]
    return folds


def assign_blocks(n: int, *, n_blocks: int = 20) -> Integers:
    """Rows in order of time as blocks of equal length, (n,)."""
    return np.minimum(np.arange(n) * n_blocks // max(n, 1), n_blocks - 1)
