"""The outbox: which messages are due, who hands them over, and what became of them.

A message moves from `pending` to `claimed`, and from there to an end or, for another attempt, back.
Claims hold a lease. One whose lease has run out is taken by whoever comes next, with a higher
fence; what the holder of a lower fence then has to say is not heard.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Final

from sqlalchemy import (
    Connection,
    Insert,
    RowMapping,
    and_,
    bindparam,
    distinct,
    func,
    literal,
    or_,
    select,
    update,
)

from features.vocabulary import Channel, Trigger
from serving.store.engine import insert_into
from serving.store.outbox_schema import outbox
from serving.store.queries import IS_CANCELLED
from serving.store.schema import messages


class OutboxState(StrEnum):
    """Where a message of the outbox is; the last four are ends."""

    PENDING = "pending"
    CLAIMED = "claimed"
    HANDED_OVER = "handed_over"
    REFUSED = "refused"  # a guard, or the receiver for good
    CANCELLED = "cancelled"
    DEAD = "dead"  # every attempt failed


_OPEN: Final = (OutboxState.PENDING.value, OutboxState.CLAIMED.value)
_COPIED: Final = ("message_id", "decision_id", "customer_id", "trigger", "channel")

_IS_ONE = (outbox.c.lane == bindparam("of_lane"), outbox.c.message_id == bindparam("of_message"))
_DUE = (
    select(outbox, IS_CANCELLED.label("is_cancelled"))
    .join(messages, messages.c.message_id == outbox.c.message_id)
    .where(outbox.c.lane == bindparam("lane"))
    .where(outbox.c.state.in_(_OPEN))
    .where(outbox.c.due_at_us <= bindparam("at_us"))
    .order_by(outbox.c.due_at_us, outbox.c.message_id)
    .limit(1)
)
_LISTED = (
    select(outbox)
    .where(outbox.c.lane == bindparam("lane"))
    .where(outbox.c.state == bindparam("state"))
    .order_by(outbox.c.due_at_us, outbox.c.message_id)
    .limit(bindparam("most"))
)
_COUNTS = (
    select(outbox.c.state, func.count())
    .where(outbox.c.lane == bindparam("lane"))
    .group_by(outbox.c.state)
)
_SET = (
    update(outbox)
    .where(*_IS_ONE, outbox.c.fence == bindparam("held_fence"), outbox.c.state.in_(_OPEN))
    .values(
        state=bindparam("to_state"),
        due_at_us=bindparam("to_due"),
        n_attempts=bindparam("to_attempts"),
        fence=bindparam("to_fence"),
        reason=bindparam("to_reason"),
        settled_at_us=bindparam("to_settled"),
    )
)
_REQUEUE = (
    update(outbox)
    .where(*_IS_ONE, outbox.c.state == OutboxState.DEAD.value)
    .values(
        state=OutboxState.PENDING.value,
        due_at_us=bindparam("to_due"),
        n_attempts=0,
        fence=outbox.c.fence + 1,
        reason=None,
        settled_at_us=None,
    )
)
_IS_IN_LANE = (
    select(outbox.c.message_id)
    .where(outbox.c.lane == bindparam("lane"), outbox.c.message_id == messages.c.message_id)
    .exists()
)
_N_CONTACTS = (
    select(func.count(distinct(outbox.c.decision_id)))
    .where(outbox.c.lane == bindparam("lane"))
    .where(outbox.c.customer_id == bindparam("customer_id"))
    .where(
        or_(
            outbox.c.state == OutboxState.CLAIMED.value,
            and_(
                outbox.c.state == OutboxState.HANDED_OVER.value,
                outbox.c.settled_at_us > bindparam("after_us"),
            ),
        )
    )
    .where(outbox.c.decision_id != bindparam("decision_id"))
)


@dataclass(frozen=True, slots=True)
class Queued:
    """A message of the outbox.

    Attributes:
        planned_at_us: When it was decided that it be sent.
        due_at_us: When it may be looked at next; of a claim, when its lease ends.
        n_attempts: Hand-overs that were begun.
        fence: Of the last claim.
        reason: Why it waits, or why it ended as it did; None where that needs none.
        is_cancelled: Whether somebody wished it away, in time or not.
    """

    message_id: str
    decision_id: str
    customer_id: str
    trigger: Trigger
    channel: Channel
    planned_at_us: int
    state: OutboxState
    due_at_us: int
    n_attempts: int
    fence: int
    reason: str | None
    is_cancelled: bool = False


class OutboxDesk:
    """The part of a transaction that is about the outbox."""

    def __init__(self, connection: Connection) -> None:
        """Work on an open transaction."""
        self._connection = connection

    def enqueue(self, *, lane: str, at_us: int, since_us: int) -> int:
        """Take in messages whose moment has come; how many are new.

        Args:
            lane: Of the outbox.
            at_us: The moment.
            since_us: Messages that were planned before this are none of the outbox's.
        """
        add = _enqueue(self._connection.dialect.name)
        given = {"lane": lane, "at_us": at_us, "since_us": since_us}
        counted = {"preserve_rowcount": True}  # else PostgreSQL's is not kept of an insert
        return self._connection.execute(add, given, execution_options=counted).rowcount

    def find_due(self, *, lane: str, at_us: int) -> Queued | None:
        """The message that has waited longest, among them those whose lease ran out; or None."""
        row = self._connection.execute(_DUE, {"lane": lane, "at_us": at_us}).mappings().first()
        return None if row is None else _read(row)

    def claim(self, queued: Queued, *, lane: str, until_us: int) -> Queued:
        """Hold a message that was found due in this transaction; how it is held."""
        held = _change(
            queued,
            state=OutboxState.CLAIMED,
            due_at_us=until_us,
            n_attempts=queued.n_attempts + 1,
            fence=queued.fence + 1,
        )
        self._set(queued, held, lane=lane, settled_at_us=None)
        return held

    def wait(self, queued: Queued, *, lane: str, until_us: int, reason: str) -> bool:
        """Look at it again then; whether the fence was still the caller's."""
        waits = _change(queued, state=OutboxState.PENDING, due_at_us=until_us, reason=reason)
        return self._set(queued, waits, lane=lane, settled_at_us=None)

    def end(
        self, queued: Queued, state: OutboxState, *, lane: str, at_us: int, reason: str | None
    ) -> bool:
        """It is over for that reason; whether the fence was still the caller's."""
        ended = _change(queued, state=state, due_at_us=queued.due_at_us, reason=reason)
        return self._set(queued, ended, lane=lane, settled_at_us=at_us)

    def requeue(self, message_ids: Sequence[str], *, lane: str, at_us: int) -> list[bool]:
        """Give dead messages their attempts again; for each whether it was one."""
        return [
            self._connection.execute(
                _REQUEUE, {"of_lane": lane, "of_message": message_id, "to_due": at_us}
            ).rowcount
            == 1
            for message_id in message_ids
        ]

    def count_contacts(self, queued: Queued, *, lane: str, after_us: int) -> int:
        """Other notices that were handed over to its customer after a moment, or are being so.

        Those of the future count, too: then a clock went back. A claim counts until it is settled,
        as nobody knows yet what becomes of it.
        """
        given = {
            "lane": lane,
            "customer_id": queued.customer_id,
            "decision_id": queued.decision_id,
            "after_us": after_us,
        }
        return int(self._connection.execute(_N_CONTACTS, given).scalar_one())

    def count(self, *, lane: str) -> dict[OutboxState, int]:
        """Messages by their state."""
        rows = self._connection.execute(_COUNTS, {"lane": lane})
        return {OutboxState(state): int(n) for state, n in rows}

    def find(self, state: OutboxState, *, lane: str, most: int) -> list[Queued]:
        """Messages in that state, the longest due first."""
        given = {"lane": lane, "state": state.value, "most": most}
        return [_read(row) for row in self._connection.execute(_LISTED, given).mappings()]

    def _set(self, before: Queued, after: Queued, *, lane: str, settled_at_us: int | None) -> bool:
        given = {
            "of_lane": lane,
            "of_message": before.message_id,
            "held_fence": before.fence,
            "to_state": after.state.value,
            "to_due": after.due_at_us,
            "to_attempts": after.n_attempts,
            "to_fence": after.fence,
            "to_reason": after.reason,
            "to_settled": settled_at_us,
        }
        return self._connection.execute(_SET, given).rowcount == 1


def _change(
    queued: Queued,
    *,
    state: OutboxState,
    due_at_us: int,
    n_attempts: int | None = None,
    fence: int | None = None,
    reason: str | None = None,
) -> Queued:
    return Queued(
        queued.message_id,
        queued.decision_id,
        queued.customer_id,
        queued.trigger,
        queued.channel,
        queued.planned_at_us,
        state,
        due_at_us,
        queued.n_attempts if n_attempts is None else n_attempts,
        queued.fence if fence is None else fence,
        reason,
    )


def _read(row: RowMapping) -> Queued:
    return Queued(
        message_id=row["message_id"],
        decision_id=row["decision_id"],
        customer_id=row["customer_id"],
        trigger=Trigger(row["trigger"]),
        channel=Channel(row["channel"]),
        planned_at_us=row["planned_at_us"],
        state=OutboxState(row["state"]),
        due_at_us=row["due_at_us"],
        n_attempts=row["n_attempts"],
        fence=row["fence"],
        reason=row["reason"],
        is_cancelled=bool(row.get("is_cancelled", False)),
    )


@cache
def _enqueue(dialect: str) -> Insert:
    """Messages that are due, not cancelled, and new to the lane."""
    due = (
        select(
            bindparam("lane", type_=outbox.c.lane.type),
            *(messages.c[name] for name in _COPIED),
            messages.c.sent_at_us,
            literal(OutboxState.PENDING.value),
            messages.c.sent_at_us,
            literal(0),
            literal(0),
        )
        .where(messages.c.sent_at_us <= bindparam("at_us"))
        .where(messages.c.sent_at_us >= bindparam("since_us"))
        .where(~IS_CANCELLED, ~_IS_IN_LANE)
    )
    names = ("lane", *_COPIED, "planned_at_us", "state", "due_at_us", "n_attempts", "fence")
    return insert_into(dialect, outbox).from_select(list(names), due)
