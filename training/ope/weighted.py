"""A log as an estimator sees it: per row a reward, a weight, and what a model expected.

Everything that estimators need of actions, positions and contexts is in four numbers a row, so sets
of actions may differ from row to row.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from features.errors import BadInputError
from training.measures import Bools, Floats, Integers

Names = npt.NDArray[np.object_]


@dataclass(frozen=True)
class Expected:
    """What a reward model expects, fitted on other rows than it predicts.

    Attributes:
        logged: Reward of the logged action, (n,).
        target: Reward of the target policy's actions, by its probabilities, (n,).
        noise: Sum over the actions of (target probability)^2 / (logged one) x expected square of
            the model's error, (n,): how far the row's correction by weights is expected to stray,
            whatever was drawn; None where the log does not hold all probabilities.
    """

    logged: Floats
    target: Floats
    noise: Floats | None = None

    def take(self, rows: Integers | Bools) -> "Expected":
        """Some of the rows."""
        noise = None if self.noise is None else self.noise[rows]
        return Expected(self.logged[rows], self.target[rows], noise)


@dataclass(frozen=True)
class ExpectedWeights:
    """What the logged probabilities let expect of each row's weight before its action is drawn.

    Attributes:
        mean: Probability that the target gives to what could be logged, (n,); 1 with full support.
        variance: Of the weight under the logging policy, (n,).
    """

    mean: Floats
    variance: Floats

    def take(self, rows: Integers | Bools) -> "ExpectedWeights":
        """Some of the rows."""
        return ExpectedWeights(self.mean[rows], self.variance[rows])


@dataclass(frozen=True)
class WeightedLog:
    """Rows of a log, weighted for one target policy; in order of time where that matters.

    Attributes:
        rewards: What came of the logged action, (n,).
        weights: Probability of the logged action under the target over the logged one, (n,).
        expected: Of a reward model; None without one.
        customers: Whose row it is, (n,): rows of one customer hang together.
        is_supported: Whether every action that the target may take could have been logged, (n,).
        expected_weights: Mean and variance of the weights; None where the log does not hold all
            probabilities.
    """

    rewards: Floats
    weights: Floats
    expected: Expected | None
    customers: Names
    is_supported: Bools
    expected_weights: ExpectedWeights | None = None

    def __post_init__(self) -> None:
        """BadInputError names every column that cannot be."""
        n = len(self.rewards)
        faults = [
            f"{name} has {len(column)} rows, the rewards have {n}"
            for name, column in self._columns().items()
            if len(column) != n
        ]
        faults += [
            f"{name} holds a number that is not finite"
            for name, column in self._columns().items()
            if column.dtype == np.float64 and not np.isfinite(column).all()
        ]
        if n and not faults and self.weights.min() < 0:
            faults.append(f"weights: {self.weights.min()} is below 0")
        if faults:
            raise BadInputError("log: " + "; ".join(faults))

    @property
    def n(self) -> int:
        """Rows."""
        return len(self.rewards)

    def take(self, rows: Integers | Bools) -> "WeightedLog":
        """Some of the rows."""
        expected, weights = self.expected, self.expected_weights
        return replace(
            self,
            rewards=self.rewards[rows],
            weights=self.weights[rows],
            expected=None if expected is None else expected.take(rows),
            customers=self.customers[rows],
            is_supported=self.is_supported[rows],
            expected_weights=None if weights is None else weights.take(rows),
        )

    def _columns(self) -> dict[str, npt.NDArray[np.generic]]:
        columns: dict[str, npt.NDArray[np.generic]] = {
            "rewards": self.rewards,
            "weights": self.weights,
            "customers": self.customers,
            "is_supported": self.is_supported,
        }
        if self.expected is not None:
            columns["expected.logged"] = self.expected.logged
            columns["expected.target"] = self.expected.target
            if self.expected.noise is not None:
                columns["expected.noise"] = self.expected.noise
        if self.expected_weights is not None:
            columns["expected_weights.mean"] = self.expected_weights.mean
            columns["expected_weights.variance"] = self.expected_weights.variance
        return columns


def weigh(
    actions: Integers,
    rewards: Floats,
    *,
    p_logged: Floats,
    p_target: Floats,
    expected: Floats | None = None,
    squares: Floats | None = None,
    customers: Sequence[object] | Names | None = None,
) -> WeightedLog:
    """A log of K actions that are always the same ones.

    Args:
        actions: What was logged, (n,), from 0 on.
        rewards: What came of it, (n,).
        p_logged: With which probability: of the logged action, (n,), or of all actions, (n, K).
        p_target: Probabilities of the target policy, (n, K); rows sum to 1.
        expected: Rewards that a model expects of every action, (n, K).
        squares: Squares of its errors that are to be expected, (n, K); only beside `expected` and
            logged probabilities of all actions.
        customers: Whose row it is; None where every row stands alone.

    Raises:
        BadInputError: Probabilities that are none, naming them all.
    """
    row = np.arange(len(actions))
    p_own = p_logged[row, actions] if p_logged.ndim == 2 else p_logged
    faults = []
    if np.any((p_own <= 0) | (p_own > 1)):
        faults.append("p_logged: of what was logged it must be above 0 and at most 1")
    if np.any(p_target < 0) or np.any(np.abs(p_target.sum(axis=1) - 1) > 1e-6):
        faults.append("p_target: rows must sum to 1, none below 0")
    if faults:
        raise BadInputError("; ".join(faults))
    return WeightedLog(
        rewards=rewards.astype(np.float64),
        weights=p_target[row, actions] / p_own,
        expected=None
        if expected is None
        else Expected(
            expected[row, actions],
            (p_target * expected).sum(axis=1),
            None if squares is None else _sum_noise(p_target, p_logged, squares),
        ),
        customers=row.astype(object) if customers is None else np.asarray(customers, dtype=object),
        is_supported=_find_supported(p_logged, p_target),
        expected_weights=_expect_weights(p_logged, p_target),
    )


def add_noise(p: Floats, *, p_logged: Floats, squares: Floats) -> Floats:
    """What each action adds to `Expected.noise`; 0 where it could not be logged.

    Args:
        p: Its probability under the target, or the difference of two targets', of any shape.
        p_logged: Its logged probability.
        squares: Square of the model's error that is to be expected.
    """
    return np.divide(p**2, p_logged, out=np.zeros_like(p), where=p_logged > 0) * squares


def _sum_noise(p_target: Floats, p_logged: Floats, squares: Floats) -> Floats:
    if p_logged.ndim != 2:
        raise BadInputError("squares: they ask for the logged probabilities of all actions, (n, K)")
    noise: Floats = add_noise(p_target, p_logged=p_logged, squares=squares).sum(axis=1)
    return noise


def _expect_weights(p_logged: Floats, p_target: Floats) -> ExpectedWeights | None:
    if p_logged.ndim != 2:
        return None
    squares = add_noise(p_target, p_logged=p_logged, squares=np.ones_like(p_target)).sum(axis=1)
    mean: Floats = np.where(p_logged > 0, p_target, 0.0).sum(axis=1)
    return ExpectedWeights(mean, np.maximum(squares - mean**2, 0.0))


def _find_supported(p_logged: Floats, p_target: Floats) -> Bools:
    if p_logged.ndim != 2:
        return np.ones(len(p_target), dtype=bool)
    missed: Bools = (p_target > 0) & (p_logged <= 0)
    supported: Bools = missed.sum(axis=1) == 0
    return supported


def at_positions(distribution: Floats, positions: Integers) -> Floats:
    """Probabilities of a slate's policy at the position of each row, (n, K).

    Args:
        distribution: Of every action at every position, (K, L) for all rows alike, or (n, K, L).
        positions: Of each row, from 0 on, (n,).
    """
    if distribution.ndim == 2:
        at: Floats = distribution.T[positions]
    else:
        at = distribution[np.arange(len(positions)), :, positions]
    return at
