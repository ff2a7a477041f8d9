"""Kept decisions in columns: one row per decision, one per action that was allowed in it."""

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np

from features.errors import BadInputError
from serving.policy.cases import NEVER_US, Flags, Floats, Ints, to_us
from serving.records import Decision
from training.ope.weighted import Names

_NOTHING: Final = ""
_UNKNOWN: Final = -1
_SUM_MAY_BE_OFF: Final = 1e-6


@dataclass(frozen=True)
class Actions:
    """Actions that were allowed, those of one decision after each other, *no message* among them.

    Attributes:
        row: Decision of each, not falling, (m,).
        channels: Channels together, `sms+push`; empty for *no message*, (m,).
        send_at_us: When it would be sent; `NEVER_US` for *no message*, (m,).
        p_logged: Probability with which it was chosen, given the arm, (m,).
        value_cents: Expected value; NaN where the policy did not score, (m,).
    """

    row: Ints
    channels: Names
    send_at_us: Ints
    p_logged: Floats
    value_cents: Floats

    @property
    def is_nothing(self) -> Flags:
        """Where it is *no message*."""
        nothing: Flags = self.channels == _NOTHING
        return nothing


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
        n_words: How many wordings there were to choose from; 1 without a message, (n,).
        is_likeliest: Whether the words sent were the likeliest ones, (n,).
        cost_cents: Of sending, (n,).
        unsure_cents: Cents that the values are unsure by; NaN where nobody knows, (n,).
        is_priced: Whether a budget that ran short had a price in the choice, (n,).
        messages: Row of the decision of each message, by message_id.
        actions: What was allowed.
        n_without_choice: Decisions left out: refused, or with nothing but *no message* allowed.
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
    n_without_choice: int

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


@dataclass(frozen=True, slots=True)
class _Kept:
    """What is kept of one record while the others are read."""

    decision_id: str
    customer_id: str
    trigger: str
    arm: str
    version: str
    decided_at_us: int
    taken: int
    rules_taken: int
    p_words: float
    n_words: int
    is_likeliest: bool
    cost_cents: float
    unsure_cents: float
    is_priced: bool
    message_ids: tuple[str, ...]
    channels: tuple[str, ...]
    send_at_us: Ints
    p_logged: Floats
    value_cents: Floats


def read_columns(
    decisions: Iterable[Decision], *, decided_before_us: int = NEVER_US
) -> DecisionLog:
    """Decisions before a moment as columns; a decision that comes twice counts once.

    Raises:
        BadInputError: A record whose action, words or probabilities cannot be.
    """
    found: dict[str, _Kept | None] = {}
    for record in decisions:
        if to_us(record.decided_at) < decided_before_us and record.decision_id not in found:
            has_choice = len(record.allowed) > 1
            found[record.decision_id] = _keep(record) if has_choice else None
    kept = [one for one in found.values() if one is not None]
    kept.sort(key=lambda one: (one.decided_at_us, one.decision_id))
    starts = np.cumsum([0, *(len(one.p_logged) for one in kept)])[:-1].astype(np.int64)
    rules = np.array([one.rules_taken for one in kept], dtype=np.int64)
    return DecisionLog(
        decision_ids=_names([one.decision_id for one in kept]),
        customers=_names([one.customer_id for one in kept]),
        triggers=_names([one.trigger for one in kept]),
        arms=_names([one.arm for one in kept]),
        versions=_names([one.version for one in kept]),
        decided_at_us=np.array([one.decided_at_us for one in kept], dtype=np.int64),
        taken=starts + np.array([one.taken for one in kept], dtype=np.int64),
        rules_taken=np.where(rules == _UNKNOWN, _UNKNOWN, starts + rules),
        p_words=np.array([one.p_words for one in kept], dtype=np.float64),
        n_words=np.array([one.n_words for one in kept], dtype=np.int64),
        is_likeliest=np.array([one.is_likeliest for one in kept], dtype=bool),
        cost_cents=np.array([one.cost_cents for one in kept], dtype=np.float64),
        unsure_cents=np.array([one.unsure_cents for one in kept], dtype=np.float64),
        is_priced=np.array([one.is_priced for one in kept], dtype=bool),
        messages={name: row for row, one in enumerate(kept) for name in one.message_ids},
        actions=Actions(
            row=np.repeat(np.arange(len(kept)), [len(one.p_logged) for one in kept]),
            channels=_names([name for one in kept for name in one.channels]),
            send_at_us=np.concatenate([np.empty(0, np.int64), *(one.send_at_us for one in kept)]),
            p_logged=np.concatenate([np.empty(0), *(one.p_logged for one in kept)]),
            value_cents=np.concatenate([np.empty(0), *(one.value_cents for one in kept)]),
        ),
        n_without_choice=len(found) - len(kept),
    )


def _keep(record: Decision) -> _Kept:
    likeliest = max(record.variants, key=lambda name: record.variants[name], default=None)
    p_logged = np.array([action.probability for action in record.allowed])
    if abs(p_logged.sum() - 1) > _SUM_MAY_BE_OFF:
        raise BadInputError(
            f"decision {record.decision_id}: the probabilities of the allowed actions add up to "
            f"{p_logged.sum()}, not to 1"
        )
    return _Kept(
        decision_id=record.decision_id,
        customer_id=record.customer_id,
        trigger=record.trigger.value,
        arm=record.arm.value,
        version=record.policy_version,
        decided_at_us=to_us(record.decided_at),
        taken=_find_taken(record),
        rules_taken=_UNKNOWN if record.rules_choice is None else record.rules_choice,
        p_words=_p_words(record),
        n_words=max(len(record.variants), 1),
        is_likeliest=likeliest is None or record.variant == likeliest,
        cost_cents=sum(message.cost_cents for message in record.messages),
        unsure_cents=np.nan if record.unsure_cents is None else record.unsure_cents,
        is_priced=any(record.prices.values()),
        message_ids=tuple(message.message_id for message in record.messages),
        channels=tuple(sys.intern("+".join(action.channels)) for action in record.allowed),
        send_at_us=np.array(
            [NEVER_US if a.send_at is None else to_us(a.send_at) for a in record.allowed]
        ),
        p_logged=p_logged,
        value_cents=np.array(
            [np.nan if a.value_cents is None else a.value_cents for a in record.allowed]
        ),
    )


def _find_taken(record: Decision) -> int:
    """Position in `allowed` of what was done."""
    for position, action in enumerate(record.allowed):
        is_taken = action.channels == record.channels and action.send_at == record.send_at
        if is_taken and action.probability > 0:
            return position
    raise BadInputError(
        f"decision {record.decision_id}: what was done ({'+'.join(record.channels) or 'nothing'}) "
        "is not among the allowed actions with a probability above 0"
    )


def _p_words(record: Decision) -> float:
    """Probability of the words, given the action; 1 where there was no choice of words."""
    if record.variant is None or not record.variants:
        return 1.0
    p = record.variants.get(record.variant, 0.0)
    if p <= 0:
        raise BadInputError(
            f"decision {record.decision_id}: its words, {record.variant}, are not among the "
            "variants with a probability above 0"
        )
    return p


def _names(values: list[str]) -> Names:
    names = np.empty(len(values), dtype=object)
    names[:] = values
    return names
