"""Incidents as the watcher saw them: where, about what, who complained, and how they go on."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from sqlalchemy import Connection, RowMapping, or_

from features.errors import BadInputError, ConflictError
from features.vocabulary import Trigger
from serving.autopilot.detection.bursts import tell_how_often
from serving.autopilot.inbound.mood import Severity, sum_up
from serving.policy.cases import from_us, to_us
from serving.store.burst_queries import (
    COMPLAINTS,
    END,
    MOVE,
    NEWEST_FIRST,
    ONE,
    RELINK,
    REPORT,
    add_burst,
    add_complaints,
)
from serving.store.engine import count_added
from serving.store.inbound_schema import bursts
from serving.store.lots import in_json_lots

UNKNOWN_LANGUAGE: Final = "unknown"


class BurstState(StrEnum):
    """How far the answer to an incident has come; whether people still complain is `ended_at`."""

    DETECTED = "detected"
    TOLD = "told"  # the owner
    PLANNED = "planned"
    ACTING = "acting"
    RECOVERING = "recovering"  # nothing is left to do but to watch
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Link:
    """Something known that touches those who complain: a hypothesis, not a cause.

    Attributes:
        trigger: Of which kind.
        subject: Identity of the disruption, or how many orders are late.
        n_touched: Of those who complain.
        n_customers: Who complained when the burst was seen.
    """

    trigger: Trigger
    subject: str
    n_touched: int
    n_customers: int


@dataclass(frozen=True, slots=True)
class BurstComplaint:
    """One complaint of an incident.

    Attributes:
        inbound_id: Its message.
        customer_id: Of a customer who is known; None for everybody else.
        language: Stored, or identified; None where neither is sure.
        severity: By its words.
        at: When it was written.
    """

    inbound_id: str
    customer_id: str | None
    language: str | None
    severity: Severity
    at: datetime


@dataclass(frozen=True, slots=True)
class Affected:
    """A known customer who complained.

    Attributes:
        customer_id: Who.
        language: To write to them in: of their last message of a known language; None: none.
        first_at: Their first complaint.
        last_at: Their last one.
        inbound_ids: Their messages, in order of time.
    """

    customer_id: str
    language: str | None
    first_at: datetime
    last_at: datetime
    inbound_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NewBurst:
    """What is known of an incident when it is seen.

    Attributes:
        incident_id: Its identity, fit for addresses.
        burst_id: Its name for the detector.
        branch: Where.
        topic: About what.
        seen_at: When it was seen.
        since: The first complaint of the window that gave it away.
        n_usual: Complaints that were to be expected in that window.
        per_day: What is usual in that branch about that topic.
        score: How strongly the window speaks for more than that.
        threshold: What it had to reach.
        alarms_per_week: How often chance brings as much, somewhere in the chain.
        is_assumed: Whether what is usual was assumed, not learned.
        links: What may be behind it.
    """

    incident_id: str
    burst_id: str
    branch: str
    topic: str
    seen_at: datetime
    since: datetime
    n_usual: float
    per_day: float
    score: float
    threshold: float
    alarms_per_week: float
    is_assumed: bool
    links: tuple[Link, ...] = ()


@dataclass(frozen=True, slots=True)
class BurstRow:
    """An incident as it stands.

    Attributes:
        seen: What was known when it was seen.
        state: How far the answer to it has come.
        state_at: Since when.
        customer_ids: Known customers who complained, in order.
        languages: Messages by language; `unknown` where nothing was sure.
        n_messages: Complaints of known customers.
        n_strangers: Complaints of others, which did not count.
        severity: The worst of two or more messages, else the most usual one.
        last_at: The last complaint.
        ended_at: When it was clear that complaints are as rare as usual again; None until then.
        end_reason: See `detection.bursts.EndReason`.
        report: Words it was closed with; empty until then.
    """

    seen: NewBurst
    state: BurstState
    state_at: datetime
    customer_ids: tuple[str, ...]
    languages: Mapping[str, int]
    n_messages: int
    n_strangers: int
    severity: Severity
    last_at: datetime
    ended_at: datetime | None
    end_reason: str | None
    report: str

    @property
    def incident_id(self) -> str:
        """Its identity; that of its workflow is `incident/` and this."""
        return self.seen.incident_id

    @property
    def branch(self) -> str:
        """Where."""
        return self.seen.branch

    @property
    def topic(self) -> str:
        """About what."""
        return self.seen.topic

    @property
    def seen_at(self) -> datetime:
        """When it was seen."""
        return self.seen.seen_at

    @property
    def since(self) -> datetime:
        """Its first complaint."""
        return self.seen.since

    @property
    def how_often(self) -> str:
        """How often chance brings as much, in words: `about once in 14 weeks`."""
        return tell_how_often(self.seen.alarms_per_week)


class BurstBook:
    """The part of a transaction that is about incidents as they were seen."""

    def __init__(self, connection: Connection) -> None:
        """Work on an open transaction; to write, on one that holds the write lock."""
        self._connection = connection

    # ------------------------------------------------------------ reading

    def find(self, incident_id: str) -> BurstRow | None:
        """The incident of that identity, or None."""
        row = self._connection.execute(ONE, {"incident_id": incident_id}).mappings().first()
        return None if row is None else self._complete([row])[0]

    def list(
        self, *, only_open: bool = False, since: datetime | None = None, limit: int | None = 100
    ) -> Sequence[BurstRow]:
        """Incidents, the newest first.

        Args:
            only_open: Without those that are closed.
            since: Only those that are not closed, or were seen since.
            limit: At most so many; all of them when None.
        """
        wanted = NEWEST_FIRST.limit(limit)
        is_open = bursts.c.state != BurstState.CLOSED.value
        if only_open:
            wanted = wanted.where(is_open)
        if since is not None:
            wanted = wanted.where(or_(is_open, bursts.c.seen_us >= to_us(since)))
        return self._complete(self._connection.execute(wanted).mappings().all())

    def affected(self, incident_id: str) -> tuple[Affected, ...]:
        """Known customers who complained, in the order of their first complaints."""
        found: dict[str, list[RowMapping]] = {}
        for row in self._find_complaints([incident_id]).get(incident_id, ()):
            if row["customer_id"] is not None:
                found.setdefault(row["customer_id"], []).append(row)
        return tuple(_gather(customer_id, rows) for customer_id, rows in found.items())

    def find_complaints(self, incident_id: str) -> tuple[BurstComplaint, ...]:
        """Complaints of an incident in order of time, those of strangers among them."""
        return tuple(
            BurstComplaint(
                inbound_id=row["inbound_id"],
                customer_id=row["customer_id"],
                language=row["language"],
                severity=Severity(row["severity"]),
                at=from_us(row["at_us"]),
            )
            for row in self._find_complaints([incident_id]).get(incident_id, ())
        )

    # ------------------------------------------------------------ writing

    def open(self, burst: NewBurst, complaints: Sequence[BurstComplaint]) -> bool:
        """Keep a new incident with the complaints that gave it away; False: it is there already."""
        add = add_burst(self._connection.dialect.name)
        if count_added(self._connection, add, _write(burst)) == 0:
            return False
        self.grow(burst.incident_id, complaints)
        return True

    def grow(self, incident_id: str, complaints: Sequence[BurstComplaint]) -> None:
        """Add complaints, each once."""
        rows = [
            {
                "incident_id": incident_id,
                "inbound_id": one.inbound_id,
                "customer_id": one.customer_id,
                "language": one.language,
                "severity": one.severity.value,
                "at_us": to_us(one.at),
            }
            for one in complaints
        ]
        if rows:
            self._connection.execute(add_complaints(self._connection.dialect.name), rows)

    def set_links(self, incident_id: str, links: Sequence[Link]) -> None:
        """What may be behind it, as it is known now."""
        given = {"of_incident": incident_id, "to_links": _write_links(links)}
        self._connection.execute(RELINK, given)

    def end(self, incident_id: str, *, at: datetime, reason: str) -> bool:
        """Nobody complains any more; False: that was known. Its answer goes on until `close`."""
        given = {"of_incident": incident_id, "at_us": to_us(at), "reason": reason}
        return self._connection.execute(END, given).rowcount == 1

    def set_state(self, incident_id: str, state: BurstState, *, at: datetime) -> None:
        """How far the answer has come.

        Raises:
            BadInputError: There is no such incident.
            ConflictError: It is closed.
        """
        before = self._connection.execute(ONE, {"incident_id": incident_id}).mappings().first()
        if before is None:
            raise BadInputError(f"incident {incident_id!r}: there is none of that name")
        if before["state"] == BurstState.CLOSED.value and state is not BurstState.CLOSED:
            raise ConflictError(f"incident {incident_id}: it is closed, and cannot be {state}")
        given = {"of_incident": incident_id, "to_state": state.value, "at_us": to_us(at)}
        self._connection.execute(MOVE, given)

    def close(self, incident_id: str, *, at: datetime, report: str) -> None:
        """The answer is over; with the words of its report.

        Raises:
            BadInputError: There is no such incident.
        """
        self.set_state(incident_id, BurstState.CLOSED, at=at)
        self._connection.execute(REPORT, {"of_incident": incident_id, "words": report})

    def _complete(self, rows: Sequence[RowMapping]) -> Sequence[BurstRow]:
        complaints = self._find_complaints(row["incident_id"] for row in rows)
        return [_read(row, complaints.get(row["incident_id"], ())) for row in rows]

    def _find_complaints(self, incident_ids: Iterable[str]) -> dict[str, Sequence[RowMapping]]:
        found: dict[str, list[RowMapping]] = {}
        for ids in in_json_lots(incident_ids):
            for row in self._connection.execute(COMPLAINTS, {"ids": ids}).mappings():
                found.setdefault(row["incident_id"], []).append(row)
        return dict(found)


def _write(burst: NewBurst) -> dict[str, object]:
    return {
        "incident_id": burst.incident_id,
        "burst_id": burst.burst_id,
        "branch": burst.branch,
        "topic": burst.topic,
        "state": BurstState.DETECTED.value,
        "state_us": to_us(burst.seen_at),
        "seen_us": to_us(burst.seen_at),
        "since_us": to_us(burst.since),
        "n_usual": burst.n_usual,
        "per_day": burst.per_day,
        "score": burst.score,
        "threshold": burst.threshold,
        "alarms_per_week": burst.alarms_per_week,
        "is_assumed": burst.is_assumed,
        "links": _write_links(burst.links),
        "report": "",
    }


def _write_links(links: Sequence[Link]) -> str:
    return json.dumps(
        [[one.trigger.value, one.subject, one.n_touched, one.n_customers] for one in links]
    )


def _read(row: RowMapping, complaints: Sequence[RowMapping]) -> BurstRow:
    known = [one for one in complaints if one["customer_id"] is not None]
    return BurstRow(
        seen=_read_new(row),
        state=BurstState(row["state"]),
        state_at=from_us(row["state_us"]),
        customer_ids=tuple(dict.fromkeys(one["customer_id"] for one in known)),
        languages=Counter(one["language"] or UNKNOWN_LANGUAGE for one in known),
        n_messages=len(known),
        n_strangers=len(complaints) - len(known),
        severity=sum_up(Severity(one["severity"]) for one in known),
        last_at=from_us(max((one["at_us"] for one in complaints), default=row["since_us"])),
        ended_at=None if row["ended_us"] is None else from_us(row["ended_us"]),
        end_reason=row["end_reason"],
        report=row["report"],
    )


def _read_new(row: RowMapping) -> NewBurst:
    return NewBurst(
        incident_id=row["incident_id"],
        burst_id=row["burst_id"],
        branch=row["branch"],
        topic=row["topic"],
        seen_at=from_us(row["seen_us"]),
        since=from_us(row["since_us"]),
        n_usual=row["n_usual"],
        per_day=row["per_day"],
        score=row["score"],
        threshold=row["threshold"],
        alarms_per_week=row["alarms_per_week"],
        is_assumed=row["is_assumed"],
        links=tuple(
            Link(Trigger(trigger), subject, n_touched, n_customers)
            for trigger, subject, n_touched, n_customers in json.loads(row["links"])
        ),
    )


def _gather(customer_id: str, rows: Sequence[RowMapping]) -> Affected:
    languages = [row["language"] for row in rows if row["language"] is not None]
    return Affected(
        customer_id=customer_id,
        language=languages[-1] if languages else None,
        first_at=from_us(rows[0]["at_us"]),
        last_at=from_us(rows[-1]["at_us"]),
        inbound_ids=tuple(row["inbound_id"] for row in rows),
    )
