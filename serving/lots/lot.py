"""A lot: decisions about one trigger in columns, one row for each case.

Everything a record says is in its lot, so a record is a view of a row (`serving.lots.reading`) and
a lot is what the store keeps of many decisions at once (`serving.lots.packing`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from features.vocabulary import Channel, Priority, Trigger
from serving.copy.frames import Filled
from serving.policy.cases import Flags, Floats, Ints
from serving.records import FrozenRecord, ModelVersions, Reason, ValueTerms

REASONS: Final = tuple(Reason)
CHANNELS: Final = tuple(Channel)
TERMS: Final = tuple(ValueTerms.model_fields)
"""Names of the terms of a value, in the order of their columns."""

UNKNOWN_US: Final = -(2**62)
"""Stands for a moment that is not known."""

Codes = npt.NDArray[np.int64]


class LotHead(FrozenRecord):
    """What all records of a lot have in common.

    Attributes:
        trigger: Why.
        priority: Of the trigger.
        sets: Channel sets of the actions.
        variants: Variants to choose from, by the first channel of a set.
        models: Versions that had a say.
        policy_version: Name and digest of the policy's settings.
        feature_hash: Digest of the feature declarations behind the scores.
        experiment: Under which the arms were assigned.
        prices: Cents for each unit of a budget's account that were taken off the values.
        layout: Digest of the list of numbers that variants were chosen by.
        terms: Names of the terms of a value, in the order of their columns.
    """

    trigger: Trigger
    priority: Priority
    sets: tuple[tuple[Channel, ...], ...]
    variants: dict[Channel, tuple[str, ...]]
    models: ModelVersions
    policy_version: str
    feature_hash: str
    experiment: str
    prices: dict[str, float]
    layout: str
    terms: tuple[str, ...] = TERMS


@dataclass(frozen=True)
class WordColumns:
    """The words of the cases in which something is sent, m of them, and their q messages.

    Attributes:
        row: Row of the case, (m,), ascending.
        p_variants: Probability of each variant of the first channel, (m, V); NaN beyond the last,
            and where a variant is not for that customer.
        taken: Position of the chosen variant, (m,).
        terms: Terms of the value of what was chosen, (m, terms); NaN where the policy does not
            score.
        languages: Of the customers, m of them.
        segments: Of the customers, m of them; None where unknown.
        numbers: Of the customers, by the bandit's own list, (m, numbers); NaN where unknown.
        sent: Position of each message's case among the m, (q,), ascending.
        channel: Code of the message's channel, (q,).
        variants: Variant of each message, q of them.
        content: Position of the message's text in `contents`, (q,).
        cost_cents: What the message costs, (q,).
        contents: Texts, each once.
    """

    row: Ints
    p_variants: Floats
    taken: Ints
    terms: Floats
    languages: Sequence[str]
    segments: Sequence[str | None]
    numbers: Floats
    sent: Ints
    channel: Codes
    variants: Sequence[str]
    content: Ints
    cost_cents: Floats
    contents: Sequence[Filled]

    @cached_property
    def p_taken(self) -> Floats:
        """Probability of the chosen variant, (m,)."""
        p: Floats = self.p_variants[np.arange(len(self.row)), self.taken]
        return p

    @cached_property
    def first_message(self) -> Ints:
        """Position of the first message of each case, and after them their number, (m + 1,)."""
        starts: Ints = np.searchsorted(self.sent, np.arange(len(self.row) + 1))
        return starts

    def up_to(self, row: int) -> Self:
        """The words of the cases before that row."""
        m = int(np.searchsorted(self.row, row))
        q = int(self.first_message[m])
        return replace(
            self,
            row=self.row[:m],
            p_variants=self.p_variants[:m],
            taken=self.taken[:m],
            terms=self.terms[:m],
            languages=self.languages[:m],
            segments=self.segments[:m],
            numbers=self.numbers[:m],
            sent=self.sent[:q],
            channel=self.channel[:q],
            variants=self.variants[:q],
            content=self.content[:q],
            cost_cents=self.cost_cents[:q],
        )


@dataclass(frozen=True)
class ActionColumns:
    """What could be done, and what was: K channel sets x S moments and *no message*, n rows.

    The flat position of set k at moment s is `k * S + s`; *no message* comes after them all.

    Attributes:
        slots_us: Moments of sending, (n, S).
        allowed: What the guards allowed, (n, K, S).
        p: Probability of each action, (n, K * S + 1).
        net_cents: Net values before prices, (n, K, S).
        unsure_cents: Cents that the values are unsure by, (n,).
        by_rules: Position of the rules policy's action, (n,).
        taken: Position of the chosen action, (n,); *no message* where a guard refused the case.
    """

    slots_us: Ints
    allowed: Flags
    p: Floats
    net_cents: Floats
    unsure_cents: Floats
    by_rules: Ints
    taken: Ints

    @cached_property
    def p_taken(self) -> Floats:
        """Probability of the chosen action, (n,)."""
        p: Floats = self.p[np.arange(len(self.taken)), self.taken]
        return p

    def up_to(self, row: int) -> Self:
        """The first rows."""
        return replace(
            self,
            slots_us=self.slots_us[:row],
            allowed=self.allowed[:row],
            p=self.p[:row],
            net_cents=self.net_cents[:row],
            unsure_cents=self.unsure_cents[:row],
            by_rules=self.by_rules[:row],
            taken=self.taken[:row],
        )


@dataclass(frozen=True)
class DecisionLot:
    """Decisions about one trigger.

    Attributes:
        head: What they have in common.
        decision_ids: Identities, n of them.
        customer_ids: Whom they are about.
        keys: Idempotency keys; None where a request had none.
        decided_us: When, UTC microseconds, (n,).
        features_us: Moment of the features, (n,); `UNKNOWN_US` where the customer is unknown.
        p_churn: Churn scores, (n,); NaN where unknown.
        arm: Codes of the arms, (n,).
        reason: Codes of the reasons, (n,).
        is_scored: Whether models knew the customer, (n,).
        is_open: Whether no guard refused the case as a whole, (n,).
        lost_to: Decision whose message took the customer's place; None where none did.
        actions: What could be done, and what was.
        words: What is said where something is sent.
    """

    head: LotHead
    decision_ids: Sequence[str]
    customer_ids: Sequence[str]
    keys: Sequence[str | None]
    decided_us: Ints
    features_us: Ints
    p_churn: Floats
    arm: Codes
    reason: Codes
    is_scored: Flags
    is_open: Flags
    lost_to: Sequence[str | None]
    actions: ActionColumns
    words: WordColumns

    def __len__(self) -> int:
        return len(self.decision_ids)

    @cached_property
    def is_sent(self) -> Flags:
        """Whether anything is sent, (n,)."""
        sent = np.zeros(len(self), dtype=bool)
        sent[self.words.row] = True
        return sent

    @cached_property
    def send_us(self) -> Ints:
        """When the message of each case that has one is sent, (m,)."""
        rows = self.words.row
        at: Ints = self.actions.slots_us[
            rows, self.actions.taken[rows] % self.actions.slots_us.shape[1]
        ]
        return at

    @cached_property
    def propensity(self) -> Floats:
        """Probability of the final action (channels, moment and variant), given the arm, (n,)."""
        p = np.where(self.is_open, self.actions.p_taken, 1.0)
        p[self.words.row] *= self.words.p_taken
        return p

    def channels_of(self, sent: int) -> tuple[Channel, ...]:
        """Channels of one of the m cases in which something is sent."""
        taken = int(self.actions.taken[self.words.row[sent]])
        return self.head.sets[taken // self.actions.slots_us.shape[1]]

    def message_id(self, message: int) -> str:
        """Identity of one of the q messages."""
        words = self.words
        decision_id = self.decision_ids[int(words.row[words.sent[message]])]
        return f"{decision_id}.{CHANNELS[int(words.channel[message])]}"

    def up_to(self, row: int) -> Self:
        """The first rows."""
        return replace(
            self,
            decision_ids=self.decision_ids[:row],
            customer_ids=self.customer_ids[:row],
            keys=self.keys[:row],
            decided_us=self.decided_us[:row],
            features_us=self.features_us[:row],
            p_churn=self.p_churn[:row],
            arm=self.arm[:row],
            reason=self.reason[:row],
            is_scored=self.is_scored[:row],
            is_open=self.is_open[:row],
            lost_to=self.lost_to[:row],
            actions=self.actions.up_to(row),
            words=self.words.up_to(row),
        )
