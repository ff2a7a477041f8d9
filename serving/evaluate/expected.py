"""What every allowed action was expected to earn: a ridge regression of what came of decisions."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from features.vocabulary import Channel
from serving.evaluate.columns import DecisionLog
from serving.policy.cases import DAY_US, Flags, Floats, Ints
from training.ope.direct import (
    assign_blocks,
    assign_folds,
    expect_across,
    expect_ahead,
    expect_squares,
    fit_ridge,
)

_CHUNK = 200_000
_N_FOLDS = 3


@dataclass(frozen=True)
class ActionRewards:
    """What was expected of every allowed action, (m,) each.

    Attributes:
        across: Reward, by a model of other customers.
        ahead: Reward, by a model of earlier decisions only; 0 for the first twentieth.
        squares: Square of the error of `ahead`.
    """

    across: Floats
    ahead: Floats
    squares: Floats

    def with_known(self, known: Flags) -> "ActionRewards":
        """The same where some actions, (m,), are known to earn 0."""
        return ActionRewards(*(np.where(known, 0.0, one) for one in self._columns()))

    def _columns(self) -> tuple[Floats, Floats, Floats]:
        return self.across, self.ahead, self.squares


def expect_rewards(log: DecisionLog, rewards: Floats, *, rng: np.random.Generator) -> ActionRewards:
    """Rewards and errors to be expected of every allowed action, in the rewards' unit.

    Args:
        log: In order of time.
        rewards: Of the decisions, (n,).
        rng: Of the folds.
    """
    model = _AllowedActions(log)
    folds = assign_folds(log.customers, n_folds=_N_FOLDS, rng=rng)
    ahead = expect_ahead(model, rewards, blocks=assign_blocks(log.n))
    return ActionRewards(
        expect_across(model, rewards, folds=folds),
        ahead,
        expect_squares(model, rewards, expected=ahead),
    )


@dataclass(frozen=True)
class _AllowedActions:
    """A `RewardModel` of actions that differ from decision to decision; expectations are (m,).

    One regression for all of them, whose columns are made for some actions at a time.
    """

    log: DecisionLog

    def blank(self) -> Floats:
        """See `RewardModel`."""
        return np.zeros(len(self.log.actions.row))

    def of_taken(self, expected: Floats, /) -> Floats:
        """See `RewardModel`."""
        return expected[self.log.taken]

    @cached_property
    def _triggers(self) -> Ints:
        return np.unique(self.log.triggers, return_inverse=True)[1].astype(np.int64)

    @cached_property
    def _has_channel(self) -> Floats:
        """Whether a kind of action holds each channel, (kinds, channels)."""
        kinds = self.log.actions.kinds
        held = [[channel.value in kind.split("+") for channel in Channel] for kind in kinds]
        return np.array(held, dtype=np.float64).reshape(len(kinds), len(Channel))

    @cached_property
    def _sends(self) -> Flags:
        return ~self.log.actions.is_nothing

    def columns(self, at: Ints) -> Floats:
        """Columns of these actions, (len(at), d): trigger, channels, waiting, value."""
        actions, row = self.log.actions, self.log.actions.row[at]
        sends = self._sends[at]
        trigger = np.eye(int(self._triggers.max(initial=0)) + 1)[self._triggers[row]]
        waited = np.where(sends, actions.send_at_us[at] - self.log.decided_at_us[row], 0) / DAY_US
        return np.column_stack(
            [
                trigger,
                trigger * sends[:, None],
                self._has_channel[actions.kind[at]],
                waited,
                np.nan_to_num(actions.value_cents[at]),
            ]
        )

    def fit(self, rewards: Floats, *, rows: Flags) -> Floats:
        """Coefficients from what was done in some decisions, (d,)."""
        return fit_ridge(self.columns(self.log.taken[rows]), rewards[rows])

    def predict(self, fitted: Floats, *, rows: Flags, into: Floats) -> None:
        """See `RewardModel`."""
        asked = np.flatnonzero(rows[self.log.actions.row])
        for begin in range(0, len(asked), _CHUNK):
            at = asked[begin : begin + _CHUNK]
            into[at] = self.columns(at) @ fitted
