"""The outbox: which messages are due, who hands them over, and what became of them."""

from collections.abc import Iterable
from dataclasses import dataclass
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
)

from features.vocabulary import Channel, Trigger
from serving.store.claims import OPEN, Claimable, ClaimDesk, ClaimStatements, OutboxState
from serving.store.engine import count_added, insert_into
from serving.store.lots import in_json_lots, is_listed
from serving.store.outbox_schema import outbox, outbox_lanes
from serving.store.queries import IS_CANCELLED
from serving.store.schema import messages

_COPIED: Final = ("message_id", "decision_id", "customer_id", "trigger", "channel")
_STATEMENTS: Final = ClaimStatements.of(outbox, key=outbox.c.message_id)

_DUE = (
    select(outbox, IS_CANCELLED.label("is_cancelled"))
    .join(messages, messages.c.message_id == outbox.c.message_id)
    .where(outbox.c.lane == bindparam("lane"))
    .where(outbox.c.state.in_(OPEN))
    .where(outbox.c.due_at_us <= bindparam("at_us"))
    .where(outbox.c.channel.not_in(bindparam("closed", expanding=True)))
    .order_by(outbox.c.due_at_us, outbox.c.message_id)
    .limit(1)
)
_ONE = (
    select(outbox)
    .where(outbox.c.lane == bindparam("lane"))
    .where(outbox.c.message_id == bindparam("message_id"))
)
_LISTED = (
    select(outbox)
    .where(outbox.c.lane == bindparam("lane"))
    .where(outbox.c.state == bindparam("state"))
    .order_by(outbox.c.due_at_us, outbox.c.message_id)
    .limit(bindparam("most"))
)
_SINCE = select(outbox_lanes.c.since_us).where(outbox_lanes.c.lane == bindparam("lane"))
_IS_IN_LANE = (
    select(outbox.c.message_id)
    .where(outbox.c.lane == bindparam("lane"), outbox.c.message_id == messages.c.message_id)
    .exists()
)
_LATER = (
    select(func.count(), func.min(messages.c.sent_at_us))
    .where(messages.c.sent_at_us > bindparam("at_us"))
    .where(~IS_CANCELLED)
)
_LATER_OF = _LATER.where(is_listed(messages.c.decision_id, "decisions"))
_N_PASSED = (
    select(func.count())
    .select_from(messages)
    .where(messages.c.sent_at_us >= bindparam("from_us"))
    .where(messages.c.sent_at_us < bindparam("since_us"))
    .where(~IS_CANCELLED, ~_IS_IN_LANE)
)
_TAKEN: Final = (OutboxState.HANDED_OVER.value, OutboxState.UNCERTAIN.value)
_N_CONTACTS = (
    select(func.count(distinct(outbox.c.decision_id)))
    .where(outbox.c.lane == bindparam("lane"))
    .where(outbox.c.customer_id == bindparam("customer_id"))
    .where(
        or_(
            outbox.c.state == OutboxState.CLAIMED.value,
            and_(
                outbox.c.state.in_(_TAKEN),
                outbox.c.settled_at_us > bindparam("after_us"),
            ),
        )
    )
    .where(outbox.c.decision_id != bindparam("decision_id"))
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Queued(Claimable):
    """A message of the outbox.

    Attributes:
        planned_at_us: When it was decided that it be sent.
        is_cancelled: Whether somebody wished it away, in time or not.
    """

    message_id: str
    decision_id: str
    customer_id: str
    trigger: Trigger
    channel: Channel
    planned_at_us: int
    is_cancelled: bool = False

    @property
    def key(self) -> str:
        """Its identity in its lane."""
        return self.message_id


@dataclass(frozen=True, slots=True)
class Later:
    """Messages whose moment has not come.

    Attributes:
        n: How many; none that was wished away.
        first_us: When the first one goes out; None where there is none.
    """

    n: int
    first_us: int | None


class OutboxDesk(ClaimDesk[Queued]):
    """The part of a transaction that is about the outbox."""

    def __init__(self, connection: Connection) -> None:
        """Work on an open transaction."""
        super().__init__(connection, _STATEMENTS)

    def open_lane(self, lane: str, *, at_us: int) -> int:
        """Since when the lane is there: since now where it is new."""
        row = {"lane": lane, "since_us": at_us}
        self._connection.execute(_open_lane(self._connection.dialect.name), row)
        return self.find_start(lane) or at_us

    def find_start(self, lane: str) -> int | None:
        """Since when the lane is there; None where it is not."""
        since_us = self._connection.execute(_SINCE, {"lane": lane}).scalar()
        return None if since_us is None else int(since_us)

    def enqueue(self, *, lane: str, at_us: int, since_us: int) -> int:
        """Take in messages whose moment has come; how many are new.

        Args:
            lane: Of the outbox.
            at_us: The moment.
            since_us: Messages that were planned before this are none of the outbox's.
        """
        add = _enqueue(self._connection.dialect.name)
        given = {"lane": lane, "at_us": at_us, "since_us": since_us}
        return count_added(self._connection, add, given)

    def find_later(self, *, at_us: int) -> Later:
        """What is planned for after a moment: it joins no lane before its own."""
        n, first_us = self._connection.execute(_LATER, {"at_us": at_us}).one()
        return Later(n, first_us)

    def find_later_of(self, decision_ids: Iterable[str], *, at_us: int) -> Later:
        """The same of these decisions alone."""
        found = [
            self._connection.execute(_LATER_OF, {"at_us": at_us, "decisions": ids}).one()
            for ids in in_json_lots(decision_ids)
        ]
        firsts = [first_us for _, first_us in found if first_us is not None]
        return Later(sum(n for n, _ in found), min(firsts, default=None))

    def count_passed(self, *, lane: str, from_us: int, since_us: int) -> int:
        """Messages between two moments that the lane has never taken in: none of its business."""
        given = {"lane": lane, "from_us": from_us, "since_us": since_us}
        return int(self._connection.execute(_N_PASSED, given).scalar_one())

    def find_due(
        self, *, lane: str, at_us: int, closed: frozenset[str] = frozenset()
    ) -> Queued | None:
        """The message that has waited longest, among them those whose lease ran out; or None.

        Args:
            lane: Of the outbox.
            at_us: The moment.
            closed: Channels whose messages are left where they are.
        """
        given = {"lane": lane, "at_us": at_us, "closed": sorted(closed)}
        row = self._connection.execute(_DUE, given).mappings().first()
        return None if row is None else _read(row)

    def count_contacts(self, queued: Queued, *, lane: str, after_us: int) -> int:
        """Other notices that were handed over to its customer after a moment, or are being so.

        Those of the future count, too: then a clock went back. A claim counts until it is settled,
        and what is uncertain counts, as nobody knows yet what becomes of it.
        """
        given = {
            "lane": lane,
            "customer_id": queued.customer_id,
            "decision_id": queued.decision_id,
            "after_us": after_us,
        }
        return int(self._connection.execute(_N_CONTACTS, given).scalar_one())

    def find_one(self, message_id: str, *, lane: str) -> Queued | None:
        """A message of the lane; None where it is none."""
        given = {"lane": lane, "message_id": message_id}
        row = self._connection.execute(_ONE, given).mappings().first()
        return None if row is None else _read(row)

    def find(self, state: OutboxState, *, lane: str, most: int) -> list[Queued]:
        """Messages in that state, the longest due first."""
        given = {"lane": lane, "state": state.value, "most": most}
        return [_read(row) for row in self._connection.execute(_LISTED, given).mappings()]


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
        is_begun=bool(row["is_begun"]),
        n_earlier=row["n_earlier"] or 0,
        is_cancelled=bool(row.get("is_cancelled", False)),
    )


@cache
def _open_lane(dialect: str) -> Insert:
    return insert_into(dialect, outbox_lanes).on_conflict_do_nothing()


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
