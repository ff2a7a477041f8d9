"""From values to probabilities: each arm's distribution over the allowed actions."""

import numpy as np

from features.vocabulary import Arm
from serving.policy.actions import ActionGrid
from serving.policy.cases import Floats, Ints
from serving.policy.settings import LearnedSettings


def soft_choice(values: Floats, grid: ActionGrid, *, learned: LearnedSettings) -> Floats:
    """The learned policy: softmax of the values in cents with a floor, (n, K * S + 1).

    p = (1 - floor) x softmax(value / temperature) + floor / number of allowed actions, over the
    allowed actions, *no message* (worth 0) among them. So every allowed action keeps at least
    floor / number, and off-policy evaluation stays possible.
    """
    n = len(values)
    allowed = grid.flat_allowed()
    scaled = np.column_stack([values.reshape(n, -1), np.zeros(n)]) / learned.temperature_cents
    scaled = np.where(allowed, scaled, -np.inf)
    weights = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    soft = weights / weights.sum(axis=1, keepdims=True)
    probabilities: Floats = (1 - learned.floor) * soft + learned.floor * uniform_choice(grid)
    return probabilities


def uniform_choice(grid: ActionGrid) -> Floats:
    """The random arm: every allowed action alike, *no message* among them, (n, K * S + 1)."""
    allowed = grid.flat_allowed().astype(np.float64)
    uniform: Floats = allowed / allowed.sum(axis=1, keepdims=True)
    return uniform


def uniform_over(n: int) -> Floats:
    """The same probability for each of n, (n,)."""
    return np.full(n, 1.0 / n)


def certain_choice(actions: Ints, *, n_actions: int) -> Floats:
    """All probability on one action per case, (n, n_actions)."""
    probabilities = np.zeros((len(actions), n_actions))
    probabilities[np.arange(len(actions)), actions] = 1.0
    return probabilities


def choose_by_arm(arms: tuple[Arm, ...], grid: ActionGrid, *, learned: Floats | None) -> Floats:
    """Each case's distribution, by its arm.

    Args:
        arms: Arm of each case.
        grid: Allowed actions.
        learned: The learned policy's distribution, (n, K * S + 1); rows of NaN, or None for all,
            where no model can score: the rules policy stands in there.

    Returns:
        Probabilities, (n, K * S + 1); rows sum to 1.
    """
    n_actions = grid.n_actions
    rules = certain_choice(grid.rule_action(), n_actions=n_actions)
    nothing = certain_choice(np.full(len(arms), n_actions - 1), n_actions=n_actions)
    by_arm = {
        Arm.LEARNED: rules if learned is None else np.where(np.isnan(learned), rules, learned),
        Arm.RANDOM: uniform_choice(grid),
        Arm.RULES: rules,
        Arm.HOLDOUT: nothing,
    }
    codes = np.array([list(Arm).index(arm) for arm in arms])
    stacked = np.stack([by_arm[arm] for arm in Arm])
    chosen: Floats = stacked[codes, np.arange(len(arms))]
    return chosen
