"""Messages from customers: kept once as they come in, read in their order, forgotten in time."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cache

from sqlalchemy import (
    Connection,
    Insert,
    RowMapping,
    bindparam,
    func,
    insert,
    or_,
    select,
    update,
)

from serving.autopilot.inbound.message import InboundMessage, Triaged, TriagedBy
from serving.autopilot.inbound.mood import Severity
from serving.autopilot.inbound.neighbours import LabelledText
from serving.policy.cases import from_us, to_us
from serving.store.engine import insert_into
from serving.store.inbound_schema import inbound, inbound_labels, inbound_readings
from serving.store.lots import in_json_lots, is_listed

_KNOWN = select(inbound.c.inbound_id, inbound.c.digest).where(
    is_listed(inbound.c.inbound_id, "ids")
)
_AFTER = (
    select(inbound)
    .where(inbound.c.seq > bindparam("after_seq"))
    .order_by(inbound.c.seq)
    .limit(bindparam("most"))
)
_ONE = select(inbound).where(inbound.c.inbound_id == bindparam("inbound_id"))
_LISTED = select(inbound).where(is_listed(inbound.c.inbound_id, "ids")).order_by(inbound.c.seq)
_AT = (
    select(inbound)
    .where(inbound.c.seq.in_(bindparam("seqs", expanding=True)))
    .order_by(inbound.c.seq)
)
_LAST_SEQ = select(func.coalesce(func.max(inbound.c.seq), 0))
_FORGET = (
    update(inbound)
    .where(inbound.c.arrived_us < bindparam("before_us"))
    .where(or_(inbound.c.text.is_not(None), inbound.c.digest.is_not(None)))
    .values(text=None, digest=None)
)
_PAST = select(
    inbound.c.inbound_id,
    inbound.c.at_us,
    inbound.c.arrived_us,
    inbound.c.customer_id,
    inbound.c.branch,
    inbound_readings,
).join(inbound_readings, inbound_readings.c.seq == inbound.c.seq)
_READINGS = (
    _PAST.where(inbound.c.seq > bindparam("after_seq"))
    .order_by(inbound.c.seq)
    .limit(bindparam("most"))
)
_LATEST = (
    _PAST.where(inbound_readings.c.topic == bindparam("topic"))
    .order_by(inbound.c.seq.desc())
    .limit(bindparam("most"))
)
_READINGS_OF = (
    select(inbound.c.inbound_id, inbound_readings)
    .join(inbound_readings, inbound_readings.c.seq == inbound.c.seq)
    .where(is_listed(inbound.c.inbound_id, "ids"))
)
_BRANCHES = select(inbound.c.branch).where(inbound.c.branch.is_not(None)).distinct()
_LABELS = select(inbound_labels).order_by(inbound_labels.c.at_us, inbound_labels.c.inbound_id)
_N_LABELS = select(
    func.count(inbound_labels.c.inbound_id), func.coalesce(func.max(inbound_labels.c.at_us), 0)
)


class InboundState(StrEnum):
    """What became of a message that was posted."""

    TAKEN = "taken"
    DUPLICATE = "duplicate"  # it is there, in these words
    DIFFERS = "differs"  # it is there in other words; the first ones stay


@dataclass(frozen=True, slots=True)
class ArrivedMessage:
    """A message in the order of its arrival.

    Attributes:
        seq: Its place; grows in the order in which messages are committed.
        arrived_at: When it was taken in.
        message: As it came in; its text is empty once it was forgotten.
        is_forgotten: Whether its text is gone.
    """

    seq: int
    arrived_at: datetime
    message: InboundMessage
    is_forgotten: bool = False


@dataclass(frozen=True, slots=True)
class Reading:
    """What the watcher made of a message.

    Attributes:
        seq: Of the message.
        triaged: Topic, severity, language, and who said so.
        taken: What the detector did with it, see `detection.bursts.Taken`; None where it was not
            told: no complaint, or no branch.
        is_known: Whether a known customer wrote it.
        read_at: When it was read.
    """

    seq: int
    triaged: Triaged
    taken: str | None
    is_known: bool
    read_at: datetime


@dataclass(frozen=True, slots=True)
class PastMessage:
    """A message that was read, without its text: what levels and rhythms are learned from."""

    seq: int
    inbound_id: str
    at: datetime
    arrived_at: datetime
    customer_id: str | None
    branch: str | None
    reading: Reading


@dataclass(frozen=True, slots=True)
class Label:
    """A topic that a person has said.

    Attributes:
        inbound_id: Of the message.
        topic: Of the taxonomy.
        text: Of the message, without personal data of a known form.
        by: Who said so.
        at: When.
    """

    inbound_id: str
    topic: str
    text: str
    by: str
    at: datetime

    @property
    def example(self) -> LabelledText:
        """As triage learns from it."""
        return LabelledText(self.text, self.topic)


class InboundBook:
    """The part of a transaction that is about messages from customers."""

    def __init__(self, connection: Connection) -> None:
        """Work on an open transaction; to write, on one that holds the write lock."""
        self._connection = connection

    # ------------------------------------------------------------ as they come in

    def add(
        self, messages: Sequence[InboundMessage], *, arrived_at: datetime
    ) -> list[InboundState]:
        """Keep messages, each once; what became of each, in order.

        Args:
            messages: As they came in; those of strangers are kept, too.
            arrived_at: When.
        """
        known = self._find_digests(one.inbound_id for one in messages)
        states: list[InboundState] = []
        rows: list[dict[str, object]] = []
        for one in messages:
            digest = _digest(one)
            if one.inbound_id in known:
                before = known[one.inbound_id]
                # Of a forgotten message nobody knows any more what it said.
                is_same = before is None or before == digest
                states.append(InboundState.DUPLICATE if is_same else InboundState.DIFFERS)
                continue
            known[one.inbound_id] = digest
            states.append(InboundState.TAKEN)
            rows.append(_write(one, digest=digest, arrived_at=arrived_at))
        if rows:
            self._connection.execute(insert(inbound), rows)
        return states

    def read(self, *, after_seq: int, limit: int) -> list[ArrivedMessage]:
        """The next messages after a place, in the order of arrival."""
        rows = self._connection.execute(_AFTER, {"after_seq": after_seq, "most": limit})
        return [_read(row) for row in rows.mappings()]

    def find(self, inbound_id: str) -> ArrivedMessage | None:
        """The message of that identity, or None."""
        row = self._connection.execute(_ONE, {"inbound_id": inbound_id}).mappings().first()
        return None if row is None else _read(row)

    def find_many(self, inbound_ids: Iterable[str]) -> list[ArrivedMessage]:
        """Those of these messages that are there, in the order of arrival."""
        return [
            _read(row)
            for ids in in_json_lots(inbound_ids)
            for row in self._connection.execute(_LISTED, {"ids": ids}).mappings()
        ]

    def find_at(self, seqs: Sequence[int]) -> list[ArrivedMessage]:
        """The messages at these places, in the order of arrival."""
        if not seqs:
            return []
        rows = self._connection.execute(_AT, {"seqs": list(seqs)})
        return [_read(row) for row in rows.mappings()]

    def last_seq(self) -> int:
        """Place of the last message; 0 before the first."""
        return int(self._connection.execute(_LAST_SEQ).scalar_one())

    def forget(self, *, before: datetime) -> int:
        """Remove the texts of messages that arrived before a moment; how many.

        What they were about and when stays, and so does the masked text of those that somebody
        has labelled.
        """
        return self._connection.execute(_FORGET, {"before_us": to_us(before)}).rowcount

    # ------------------------------------------------------------ what was made of them

    def add_readings(self, readings: Sequence[Reading]) -> None:
        """Keep what was made of messages."""
        rows = [
            {
                "seq": one.seq,
                "topic": one.triaged.topic,
                "is_complaint": one.triaged.is_complaint,
                "severity": one.triaged.severity.value,
                "language": one.triaged.language,
                "by": one.triaged.by.value,
                "confidence": one.triaged.confidence,
                "taken": one.taken,
                "is_known": one.is_known,
                "read_us": to_us(one.read_at),
            }
            for one in readings
        ]
        if rows:
            self._connection.execute(insert(inbound_readings), rows)

    def read_past(self, *, after_seq: int, limit: int) -> list[PastMessage]:
        """The next messages that were read, after a place."""
        rows = self._connection.execute(_READINGS, {"after_seq": after_seq, "most": limit})
        return [_read_past(row) for row in rows.mappings()]

    def list_branches(self) -> list[str]:
        """Branches that messages have named, by name."""
        return sorted(self._connection.execute(_BRANCHES).scalars())

    def read_latest(self, *, topic: str, limit: int) -> list[PastMessage]:
        """Messages that were read as being about a topic, the newest first."""
        rows = self._connection.execute(_LATEST, {"topic": topic, "most": limit})
        return [_read_past(row) for row in rows.mappings()]

    def find_readings(self, inbound_ids: Iterable[str]) -> Mapping[str, Reading]:
        """What was made of these messages, by identity; those not read yet are missing."""
        return {
            row["inbound_id"]: _read_reading(row)
            for ids in in_json_lots(inbound_ids)
            for row in self._connection.execute(_READINGS_OF, {"ids": ids}).mappings()
        }

    # ------------------------------------------------------------ what people say of them

    def label(self, label: Label) -> None:
        """Keep a person's word on a topic; a later one replaces it."""
        row = {
            "inbound_id": label.inbound_id,
            "topic": label.topic,
            "text": label.text,
            "by": label.by,
            "at_us": to_us(label.at),
        }
        self._connection.execute(_put_label(self._connection.dialect.name), row)

    def find_labels(self) -> list[Label]:
        """Every label, the oldest first."""
        return [
            Label(row.inbound_id, row.topic, row.text, row.by, from_us(row.at_us))
            for row in self._connection.execute(_LABELS)
        ]

    def labels_version(self) -> str:
        """Changes whenever a label is added or replaced."""
        n, latest_us = self._connection.execute(_N_LABELS).one()
        return f"{n}/{latest_us}"

    def _find_digests(self, inbound_ids: Iterable[str]) -> dict[str, str | None]:
        return {
            inbound_id: digest
            for ids in in_json_lots(inbound_ids)
            for inbound_id, digest in self._connection.execute(_KNOWN, {"ids": ids})
        }


@cache
def _put_label(dialect: str) -> Insert:
    put = insert_into(dialect, inbound_labels)
    names = ("topic", "text", "by", "at_us")
    return put.on_conflict_do_update(
        index_elements=["inbound_id"], set_={name: put.excluded[name] for name in names}
    )


def _digest(message: InboundMessage) -> str:
    said = [
        to_us(message.at),
        message.customer_id,
        message.source,
        message.branch,
        message.text,
    ]
    return hashlib.blake2b(
        json.dumps(said, ensure_ascii=False).encode(), digest_size=12
    ).hexdigest()


def _write(message: InboundMessage, *, digest: str, arrived_at: datetime) -> dict[str, object]:
    return {
        "inbound_id": message.inbound_id,
        "at_us": to_us(message.at),
        "arrived_us": to_us(arrived_at),
        "customer_id": message.customer_id,
        "source": message.source,
        "branch": message.branch,
        "text": message.text,
        "digest": digest,
    }


def _read(row: RowMapping) -> ArrivedMessage:
    text = row["text"]
    return ArrivedMessage(
        seq=row["seq"],
        arrived_at=from_us(row["arrived_us"]),
        message=InboundMessage(
            inbound_id=row["inbound_id"],
            at=from_us(row["at_us"]),
            customer_id=row["customer_id"],
            source=row["source"],
            branch=row["branch"],
            text=text or "",
        ),
        is_forgotten=text is None,
    )


def _read_past(row: RowMapping) -> PastMessage:
    return PastMessage(
        seq=row["seq"],
        inbound_id=row["inbound_id"],
        at=from_us(row["at_us"]),
        arrived_at=from_us(row["arrived_us"]),
        customer_id=row["customer_id"],
        branch=row["branch"],
        reading=_read_reading(row),
    )


def _read_reading(row: RowMapping) -> Reading:
    return Reading(
        seq=row["seq"],
        triaged=Triaged(
            topic=row["topic"],
            is_complaint=row["is_complaint"],
            severity=Severity(row["severity"]),
            language=row["language"],
            by=TriagedBy(row["by"]),
            confidence=row["confidence"],
        ),
        taken=row["taken"],
        is_known=row["is_known"],
        read_at=from_us(row["read_us"]),
    )
