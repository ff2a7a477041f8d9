"""Messages handed over: noted in the facts, kept until they are sent."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from training.world.clock import Floats, Ints
from training.world.facts.ledger import Facts
from training.world.mail.response import Approach


@dataclass(frozen=True)
class Mail:
    """Messages handed over, n rows.

    Attributes:
        row: Position in the messages table's ids.
        approach: How the customer meets them.
    """

    row: Ints
    approach: Approach

    def __len__(self) -> int:
        return len(self.row)

    def rows(self, at: Ints) -> "Mail":
        """These rows of it."""
        return Mail(self.row[at], self.approach.rows(at))

    @classmethod
    def joined(cls, parts: Sequence["Mail"]) -> "Mail":
        """The messages of all parts, at least one, in their order."""
        return cls(
            row=np.concatenate([part.row for part in parts]),
            approach=Approach.joined([part.approach for part in parts]),
        )


@dataclass(frozen=True)
class Imprint:
    """What the messages table tells about messages besides how they are met, n rows."""

    message_ids: list[str]
    decision_ids: list[str]
    variants: pd.Series
    case_keys: pd.Series
    arm: Ints
    propensity: Floats
    cost_cents: Floats


def write_mail(facts: Facts, approach: Approach, imprint: Imprint) -> Mail:
    """Note messages in the facts; BadInputError when an id is taken."""
    row = facts.number_messages(imprint.message_ids, imprint.decision_ids)
    facts.add(
        "messages",
        message_id=row,
        decision_id=row,
        customer_id=approach.customer,
        trigger=approach.trigger,
        channel=approach.channel,
        variant=facts.number_texts("variant", imprint.variants),
        case_key=facts.number_texts("case_key", imprint.case_keys),
        sent_at=approach.sent_at,
        arm=imprint.arm,
        propensity=imprint.propensity,
        cost_cents=imprint.cost_cents,
    )
    return Mail(row, approach)


class Outbox:
    """Messages handed over and not sent yet."""

    def __init__(self) -> None:
        self._waiting: list[Mail] = []

    def add(self, mail: Mail) -> None:
        """Keep messages until they are sent."""
        self._waiting.append(mail)

    def take(self, *, until: int) -> list[Mail]:
        """The messages sent before the moment, in rounds to be received one after the other."""
        due, later = [], []
        for mail in self._waiting:
            is_due = mail.approach.sent_at < until
            due.append(mail.rows(np.flatnonzero(is_due)))
            if not is_due.all():
                later.append(mail.rows(np.flatnonzero(~is_due)))
        self._waiting = later
        return _in_rounds(Mail.joined(due)) if due else []


def _in_rounds(mail: Mail) -> list[Mail]:
    """Split so that no round holds a customer twice, each customer's in order of sending."""
    who, sent_at = mail.approach.customer, mail.approach.sent_at
    order = np.lexsort([mail.row, sent_at, who])
    _, first, counts = np.unique(who[order], return_index=True, return_counts=True)
    turn_of = np.arange(len(order)) - np.repeat(first, counts)
    return [mail.rows(np.sort(order[turn_of == number])) for number in range(counts.max(initial=0))]
