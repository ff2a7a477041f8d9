"""Kept decisions in columns: one row per decision, one per action that was allowed in it."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from serving.policy.cases import Flags, Floats, Ints
from training.ope.weighted import Names

NOTHING: Final = ""
"""Kind of *no message*."""


@dataclass(frozen=True)
class Actions:
    """Actions that were allowed, those of one decision after each other, *no message* among them.

    Attributes:
        row: Decision of each, not falling, (m,).
        kinds: Channels together, `sms+push`, in their order; empty for *no message*.
        kind: Position among the kinds, (m,).
        send_at_us: When it would be sent; `NEVER_US` for *no message*, (m,).
        p_logged: Probability with which it was chosen, given the arm, (m,).
        value_cents: Expected value; NaN where the policy did not score, (m,).
    """

    row: Ints
    kinds: tuple[str, ...]
    kind: Ints
    send_at_us: Ints
    p_logged: Floats
    value_cents: Floats

    @property
    def is_nothing(self) -> Flags:
        """Where it is *no message*."""
        nothing = self.kinds.index(NOTHING) if NOTHING in self.kinds else -1
        found: Flags = self.kind == nothing
        return found


@dataclass(frozen=True)
class LeftOut:
    """Decisions that a log does not hold.

    Attributes:
        n_without_choice: Refused, or with nothing but *no message* allowed.
        n_open: Made after the moment until which the log was asked for.
        n_moved: Of customers who were in several arms: they belong to none.
    """

    n_without_choice: int = 0
    n_open: int = 0
    n_moved: int = 0


@dataclass(frozen=True)
class DecisionLog:
    """Decisions in which there was something to choose, n rows, in order of time.

    Attributes:
        decision_ids: Their identities, (n,).
        customers: customer_id, (n,).
        triggers: Of each, (n,).
        arms: By which rule the customer was decided for, (n,).
        versions: Of the policy, (n,).
        decided_at_us: When, (n,).
        taken: Position of the action taken among `actions`, (n,).
        rules_taken: Position of what the rules would have done; -1 where nobody knows, (n,).
        p_words: Probability of the words that were sent; 1 without a message, (n,).
        n_words: How many wordings might have been sent; 1 without a message, (n,).
        is_likeliest: Whether the words sent were the likeliest ones, (n,).
        cost_cents: Of sending, (n,).
        unsure_cents: Cents that the values are unsure by; NaN where nobody knows, (n,).
        is_priced: Whether a budget that ran short had a price in the choice, (n,).
        messages: Row of the decision of each message, by message_id.
        actions: What was allowed.
        left_out: What is not in it.
    """

    decision_ids: Names
    customers: Names
    triggers: Names
    arms: Names
    versions: Names
    decided_at_us: Ints
    taken: Ints
    rules_taken: Ints
    p_words: Floats
    n_words: Ints
    is_likeliest: Flags
    cost_cents: Floats
    unsure_cents: Floats
    is_priced: Flags
    messages: dict[str, int]
    actions: Actions
    left_out: LeftOut

    @property
    def n(self) -> int:
        """Decisions."""
        return len(self.decision_ids)

    def sums(self, numbers: Floats) -> Floats:
        """Sum over the actions of each decision, (n,), of one number per action, (m,)."""
        return np.bincount(self.actions.row, numbers, minlength=self.n).astype(np.float64)

    @property
    def n_allowed(self) -> Ints:
        """Number of actions of each decision, (n,)."""
        return np.bincount(self.actions.row, minlength=self.n).astype(np.int64)
