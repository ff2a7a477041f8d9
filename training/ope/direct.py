"""What actions are expected to earn: ridge regressions that never see the row they speak about.

Every action has a regression of its own, drawn towards the one that all actions share. On the log
of a policy that learns, a row may only be spoken about by rows before it: then what a model expects
is known before the row's action is drawn, and the correction by weights stays unbiased.
"""

from dataclasses import dataclass

import numpy as np

from training.measures import Floats, Integers
from training.ope.weighted import Names

PENALTY = 10.0
_OWN_PENALTY = 50.0
_LEAST_SQUARE = 0.05  # of the mean one


@dataclass(frozen=True)
class Rows:
    """Rows to learn from.

    Attributes:
        contexts: What was known, a constant among it, (n, d).
        actions: What was done, from 0 on, (n,).
        rewards: What came of it, (n,).
        n_actions: How many actions there are.
    """

    contexts: Floats
    actions: Integers
    rewards: Floats
    n_actions: int

    def take(self, rows: Integers) -> "Rows":
        """Some of the rows."""
        return Rows(self.contexts[rows], self.actions[rows], self.rewards[rows], self.n_actions)


def fit_ridge(columns: Floats, rewards: Floats, *, penalty: float = PENALTY) -> Floats:
    """Coefficients of a ridge regression, (d,); with a penalty it is never undetermined."""
    gram = columns.T @ columns + penalty * np.eye(columns.shape[1])
    return np.linalg.solve(gram, columns.T @ rewards).astype(np.float64)


def fit_actions(rows: Rows) -> Floats:
    """Coefficients by action, (K, d): the shared ones and each action's deviation from them."""
    shared = fit_ridge(rows.contexts, rows.rewards)
    left = rows.rewards - rows.contexts @ shared
    fitted = np.tile(shared, (rows.n_actions, 1))
    for action in range(rows.n_actions):
        own = rows.actions == action
        if own.any():
            fitted[action] += fit_ridge(rows.contexts[own], left[own], penalty=_OWN_PENALTY)
    return fitted


def expect_across(rows: Rows, *, folds: Integers) -> Floats:
    """Expected reward of every action, by a model of the other folds, (n, K)."""
    expected = np.empty((len(rows.rewards), rows.n_actions))
    for fold in np.unique(folds):
        asked, others = np.flatnonzero(folds == fold), np.flatnonzero(folds != fold)
        expected[asked] = rows.contexts[asked] @ fit_actions(rows.take(others)).T
    return expected


def expect_ahead(rows: Rows, *, blocks: Integers) -> Floats:
    """Expected reward of every action, by a model of the blocks before, (n, K); 0 in the first.

    Args:
        rows: In order of time.
        blocks: Block of each row, not falling, (n,).
    """
    expected = np.zeros((len(rows.rewards), rows.n_actions))
    for block in np.unique(blocks)[1:]:
        asked, before = np.flatnonzero(blocks == block), np.flatnonzero(blocks < block)
        expected[asked] = rows.contexts[asked] @ fit_actions(rows.take(before)).T
    return expected


def expect_squares(rows: Rows, expected: Floats) -> Floats:
    """Square of the model's error to be expected of every action, (n, K).

    A model of the squares themselves, held above a twentieth of their mean.
    """
    squares = (rows.rewards - expected[np.arange(len(rows.rewards)), rows.actions]) ** 2
    fitted = fit_actions(Rows(rows.contexts, rows.actions, squares, rows.n_actions))
    held: Floats = np.maximum(rows.contexts @ fitted.T, _LEAST_SQUARE * squares.mean())
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
