"""Notices: what an owner, an operator, a vendor or a colleague is to be told.

They are no decisions: nobody is chosen, nothing is learned from them, and customers are never
written to by one. A notice is kept in the transaction of the fact that causes it; the process that
delivers takes it from there.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cache

from sqlalchemy import Connection, RowMapping, bindparam, select
from sqlalchemy.dialects import postgresql, sqlite

from serving.policy.cases import from_us, to_us
from serving.store.claims import OutboxState
from serving.store.engine import count_added, insert_into
from serving.store.notice_schema import notice_handovers, notices


class PartyKind(StrEnum):
    """Who is told."""

    OWNER = "owner"
    OPERATOR = "operator"
    VENDOR = "vendor"
    CSM = "csm"
    LEADERSHIP = "leadership"
    SALES = "sales"


@dataclass(frozen=True, slots=True)
class Party:
    """Somebody who may be told something; where to reach them is in the file of parties.

    Attributes:
        kind: What they are.
        name: Which of them: a vendor's identity, a colleague's, a branch for its owner.
    """

    kind: PartyKind
    name: str


@dataclass(frozen=True, slots=True)
class Notice:
    """What somebody is to be told.

    Attributes:
        key: Its identity: what is kept under one key is told once.
        body: Plain text.
        language: That the words are in.
        not_before: First moment at which it may be told; when it was made if None.
        expires_at: From then on it is not worth telling; None: after the time in the settings.
        is_urgent: Whether it is told by night, too.
        reply_topic: Of the signal that an answer becomes; None where none is expected.
        workflow_id: Whose signal that is, and to which the notice belongs; None: to none.
    """

    key: str
    to: Party
    subject: str
    body: str
    language: str
    made_at: datetime
    not_before: datetime | None = None
    expires_at: datetime | None = None
    is_urgent: bool = False
    reply_topic: str | None = None
    workflow_id: str | None = None


@dataclass(frozen=True, slots=True)
class Handover:
    """How a notice fares on one way.

    Attributes:
        way: Of the party's ways; empty where the party has none.
        reason: Why it waits, or why it ended as it did; None where that needs none.
        settled_at: When it ended; None where it has not.
    """

    way: str
    state: OutboxState
    reason: str | None
    settled_at: datetime | None


_ONE = select(notices).where(notices.c.notice_key == bindparam("key"))
_OF_WORKFLOW = (
    select(notices)
    .where(notices.c.workflow_id == bindparam("workflow_id"))
    .order_by(notices.c.made_at_us, notices.c.notice_key)
)
_HANDOVERS = (
    select(notice_handovers)
    .where(notice_handovers.c.lane == bindparam("lane"))
    .where(notice_handovers.c.notice_key == bindparam("key"))
    .order_by(notice_handovers.c.way)
)


class NoticeBoard:
    """The part of a transaction that is about notices."""

    def __init__(self, connection: Connection) -> None:
        """Work on an open transaction."""
        self._connection = connection

    def add(self, notice: Notice) -> bool:
        """Keep a notice, once per key; whether it is new. The first under a key stays as it is."""
        row = {
            "notice_key": notice.key,
            "party_kind": notice.to.kind.value,
            "party_name": notice.to.name,
            "subject": notice.subject,
            "body": notice.body,
            "language": notice.language,
            "made_at_us": to_us(notice.made_at),
            "not_before_us": to_us(notice.not_before or notice.made_at),
            "expires_at_us": None if notice.expires_at is None else to_us(notice.expires_at),
            "is_urgent": notice.is_urgent,
            "reply_topic": notice.reply_topic,
            "workflow_id": notice.workflow_id,
        }
        add = _add(self._connection.dialect.name)
        return count_added(self._connection, add, row) == 1

    def find(self, key: str) -> Notice | None:
        """The notice under that key; None where there is none."""
        row = self._connection.execute(_ONE, {"key": key}).mappings().first()
        return None if row is None else read_notice(row)

    def find_of(self, workflow_id: str) -> list[Notice]:
        """Notices of a workflow, the earliest first."""
        rows = self._connection.execute(_OF_WORKFLOW, {"workflow_id": workflow_id}).mappings()
        return [read_notice(row) for row in rows]

    def find_handovers(self, key: str, *, lane: str) -> list[Handover]:
        """How a notice fares on each of its ways; empty where the lane has not taken it in."""
        rows = self._connection.execute(_HANDOVERS, {"lane": lane, "key": key}).mappings()
        return [
            Handover(
                row["way"],
                OutboxState(row["state"]),
                row["reason"],
                None if row["settled_at_us"] is None else from_us(row["settled_at_us"]),
            )
            for row in rows
        ]


def read_notice(row: RowMapping) -> Notice:
    """A notice from its row."""
    expires_us = row["expires_at_us"]
    return Notice(
        key=row["notice_key"],
        to=Party(PartyKind(row["party_kind"]), row["party_name"]),
        subject=row["subject"],
        body=row["body"],
        language=row["language"],
        made_at=from_us(row["made_at_us"]),
        not_before=from_us(row["not_before_us"]),
        expires_at=None if expires_us is None else from_us(expires_us),
        is_urgent=row["is_urgent"],
        reply_topic=row["reply_topic"],
        workflow_id=row["workflow_id"],
    )


@cache
def _add(dialect: str) -> "sqlite.Insert | postgresql.Insert":
    return insert_into(dialect, notices).on_conflict_do_nothing(index_elements=["notice_key"])
