"""From values to probabilities: each arm's distribution over the allowed actions."""

import numpy as np

from features.vocabulary import Arm
from serving.policy.actions import ActionGrid
from serving.policy.arms import ARMS
from serving.policy.cases import Flags, Floats, Ints
from serving.policy.settings import LearnedSettings

_WIDE = 4.0
"""The wide softmax is so many times as warm."""


def soft_choice(
    values: Floats, grid: ActionGrid, *, unsure: Floats, learned: LearnedSettings
) -> Floats:
    """The learned policy: softmaxes of the values with a floor, (n, K * S + 1).

    p = (1 - floor - wide) x softmax(value / t) + wide x softmax(value / 4 t) + floor / number of
    allowed actions, over the allowed actions, *no message* (worth 0) among them. A softmax at
    temperature t is the choice of the best when each value has an error of its own by Gumbel's law
    of scale t (Thompson sampling over it, in closed form), so t follows how unsure they are:

    t = max(temperature_cents, temperature_share x unsure)

    Bad actions get the floor and little else; every allowed action keeps floor / number, and
    off-policy evaluation stays possible.

    Args:
        values: Net cents of each action, (n, K, S).
        grid: Allowed actions.
        unsure: Cents that the values of a case are unsure by, (n,).
        learned: Temperatures and shares.
    """
    net = np.column_stack([values.reshape(len(values), -1), np.zeros(len(values))])
    return soften(net, grid.flat_allowed(), unsure=unsure, learned=learned)


def soften(net: Floats, allowed: Flags, *, unsure: Floats, learned: LearnedSettings) -> Floats:
    """The probabilities of `soft_choice`, for actions in any order, (n, M).

    Args:
        net: Net cents of each action, *no message* among them, (n, M); where not allowed, anything.
        allowed: At least one in each row, (n, M).
        unsure: Cents that the values of a case are unsure by, (n,).
        learned: Temperatures and shares.
    """
    below_best = np.where(allowed, net, -np.inf)
    below_best -= below_best.max(axis=1, keepdims=True)
    t = np.maximum(learned.temperature_cents, learned.temperature_share * unsure)[:, None]
    probabilities: Floats = (
        (1.0 - learned.floor - learned.wide_share) * _normalise(np.exp(below_best / t))
        + learned.wide_share * _normalise(np.exp(below_best / (_WIDE * t)))
        + learned.floor * _normalise(allowed.astype(np.float64))
    )
    return probabilities


def _normalise(weights: Floats) -> Floats:
    normalised: Floats = weights / weights.sum(axis=1, keepdims=True)
    return normalised


def uniform_choice(grid: ActionGrid) -> Floats:
    """The random arm: every allowed action alike, *no message* among them, (n, K * S + 1).

    Sets of several channels are tried as often as one channel, all of them together: most of what
    this arm teaches is of channels alone.
    """
    together = [len(channels) > 1 for channels in grid.sets]
    by_set = np.where(together, 1.0 / max(sum(together), 1), 1.0)
    weights = np.append(np.repeat(by_set, grid.n_slots), 1.0)
    return _normalise(grid.flat_allowed() * weights)


def uniform_over(n: int) -> Floats:
    """The same probability for each of n, (n,)."""
    return np.full(n, 1.0 / n)


def certain_choice(actions: Ints, *, n_actions: int) -> Floats:
    """All probability on one action per case, (n, n_actions)."""
    probabilities = np.zeros((len(actions), n_actions))
    probabilities[np.arange(len(actions)), actions] = 1.0
    return probabilities


def choose_by_arm(arms: Ints, grid: ActionGrid, *, learned: Floats | None) -> Floats:
    """Each case's distribution, by its arm.

    Args:
        arms: Arm of each case, as its position in `ARMS`, (n,).
        grid: Allowed actions.
        learned: The learned policy's distribution, (n, K * S + 1); rows of NaN, or None for all,
            where no model can score: the rules policy stands in there.

    Returns:
        Probabilities, (n, K * S + 1); rows sum to 1.
    """
    n_actions = grid.n_actions
    is_of = {arm: arms == code for code, arm in enumerate(ARMS)}
    certain = np.where(is_of[Arm.HOLDOUT], n_actions - 1, grid.rule_action())
    chosen = certain_choice(certain, n_actions=n_actions)
    if learned is not None:
        rows = is_of[Arm.LEARNED] & ~np.isnan(learned[:, -1])
        chosen[rows] = learned[rows]
    if (rows := is_of[Arm.RANDOM]).any():
        chosen[rows] = uniform_choice(grid)[rows]
    return chosen
