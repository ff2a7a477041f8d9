"""Workflows in the store: asked for, told something, and what each of their effects came to.

Whoever wants a workflow, or has news for one, writes a row in the transaction of the fact that
causes it; the process that acts (`opportune act`) takes it from there.
"""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cache

from sqlalchemy import (
    Connection,
    RowMapping,
    Table,
    and_,
    bindparam,
    delete,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from features.errors import ConflictError
from serving.policy.cases import from_us, to_us
from serving.store.engine import count_added, insert_into
from serving.store.flow_schema import flow_results, flow_signals, flows


class FlowState(StrEnum):
    """Where a workflow is; the last two are ends."""

    ASKED = "asked"
    RUNNING = "running"
    ENDED = "ended"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class FlowRow:
    """A workflow and where it stands.

    Attributes:
        workflow_id: `incident/i7`, `case/c3`; the subject of its rows in the log and the corridor.
        kind: Which workflow it is.
        subject: What it is about, as who asked for it names it.
        given_json: What it was asked for with.
        spec_json: The steps it was started with; None until it is.
        turn: How often it went to sleep.
        step: That it is in; None before the first.
        due_at: When it goes on if nobody tells it anything; in the past while it is awake.
        topics: Of the signals that wake it before.
        why: How it ended, in words.
    """

    workflow_id: str
    kind: str
    subject: str
    given_json: str
    spec_json: str | None
    state: FlowState
    turn: int
    step: str | None
    due_at: datetime | None
    topics: tuple[str, ...]
    why: str | None
    asked_at: datetime
    started_at: datetime | None
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class Signal:
    """Something that a workflow was told.

    Attributes:
        topic: What about: `approve`, `veto`, `reply/...`.
        body_json: The rest.
        key: It is told once under it.
        at: When it was told.
    """

    topic: str
    body_json: str
    key: str
    at: datetime


_Cells = dict[str, str | int]

_IS_ONE = flows.c.workflow_id == bindparam("of_flow")
_OF_KINDS = flows.c.kind.in_(bindparam("kinds", expanding=True))
_LIVE = (FlowState.ASKED.value, FlowState.RUNNING.value)
_ONE = select(flows).where(_IS_ONE)
_STATE = select(flows.c.state).where(_IS_ONE)
_RESULTS = select(flow_results.c.key, flow_results.c.result).where(
    flow_results.c.workflow_id == bindparam("of_flow")
)
_FORGET = delete(flow_results).where(flow_results.c.workflow_id == bindparam("of_flow"))
_BEGIN = (
    update(flows)
    .where(_IS_ONE, flows.c.state == FlowState.ASKED.value)
    .values(
        state=FlowState.RUNNING.value,
        spec=bindparam("to_spec"),
        started_at_us=bindparam("to_started"),
        due_at_us=bindparam("to_started"),
    )
)
_SLEEP = (
    update(flows)
    .where(_IS_ONE, flows.c.state == FlowState.RUNNING.value)
    .values(turn=bindparam("to_turn"), due_at_us=bindparam("to_due"), topics=bindparam("to_topics"))
)
_WAKE = update(flows).where(_IS_ONE).values(due_at_us=bindparam("to_due"), topics="[]")
_STEP = update(flows).where(_IS_ONE).values(step=bindparam("to_step"))
_END = (
    update(flows)
    .where(_IS_ONE, flows.c.state.in_(_LIVE))
    .values(
        state=bindparam("to_state"),
        why=bindparam("to_why"),
        ended_at_us=bindparam("to_ended"),
        due_at_us=None,
        topics="[]",
    )
)
_UNREAD = (
    select(flow_signals)
    .where(flow_signals.c.workflow_id == bindparam("of_flow"))
    .where(flow_signals.c.read_at_us.is_(None))
    .order_by(flow_signals.c.signal_id)
)
_READ = (
    update(flow_signals)
    .where(flow_signals.c.signal_id == bindparam("of_signal"))
    .values(read_at_us=bindparam("to_read"))
)
_TOLD = (
    select(flow_signals.c.topic, flows)
    .join(flows, flows.c.workflow_id == flow_signals.c.workflow_id)
    .where(flow_signals.c.read_at_us.is_(None))
    .where(flows.c.state == FlowState.RUNNING.value)
    .order_by(flow_signals.c.signal_id)
)
_ASKED = (
    select(flows)
    .where(flows.c.state == FlowState.ASKED.value)
    .where(_OF_KINDS)
    .order_by(flows.c.asked_at_us, flows.c.workflow_id)
    .limit(bindparam("most"))
)
_DUE = (
    select(flows)
    .where(flows.c.state == FlowState.RUNNING.value)
    .where(flows.c.due_at_us <= bindparam("now_us"))
    .where(_OF_KINDS)
    .order_by(flows.c.due_at_us, flows.c.workflow_id)
    .limit(bindparam("most"))
)
_NEXT = (
    select(func.min(flows.c.due_at_us))
    .where(flows.c.state == FlowState.RUNNING.value)
    .where(flows.c.due_at_us > bindparam("after_us"))
)
_LISTED = (
    select(flows)
    .where(
        and_(
            or_(bindparam("of_kind").is_(None), flows.c.kind == bindparam("of_kind")),
            or_(bindparam("of_state").is_(None), flows.c.state == bindparam("of_state")),
        )
    )
    .order_by(flows.c.asked_at_us.desc(), flows.c.workflow_id)
    .limit(bindparam("most"))
)


class FlowBook:
    """The part of a transaction that is about workflows."""

    def __init__(self, connection: Connection) -> None:
        """Work on an open transaction; to write, on one that holds the write lock."""
        self._connection = connection

    # ------------------------------------------------------------ from outside

    def start(
        self, workflow_id: str, *, kind: str, subject: str, given_json: str, at: datetime
    ) -> bool:
        """Ask for a workflow; whether it is new. One that is known stays as it is."""
        row: _Cells = {
            "workflow_id": workflow_id,
            "kind": kind,
            "subject": subject,
            "given": given_json,
            "state": FlowState.ASKED.value,
            "turn": 0,
            "topics": "[]",
            "asked_at_us": to_us(at),
        }
        return self._add(flows, row)

    def signal(
        self, workflow_id: str, *, topic: str, at: datetime, key: str, body_json: str = "{}"
    ) -> bool:
        """Tell a workflow something; whether it is new under that key."""
        row: _Cells = {
            "workflow_id": workflow_id,
            "topic": topic,
            "body": body_json,
            "key": key,
            "at_us": to_us(at),
        }
        return self._add(flow_signals, row)

    def find(self, workflow_id: str) -> FlowRow | None:
        """The workflow of that identity, or None."""
        row = self._connection.execute(_ONE, {"of_flow": workflow_id}).mappings().first()
        return None if row is None else _read(row)

    # ------------------------------------------------------------ for who acts

    def begin(self, workflow_id: str, *, spec_json: str, at: datetime) -> None:
        """It runs from now on, by those steps; one that runs already stays as it is."""
        given = {"of_flow": workflow_id, "to_spec": spec_json, "to_started": to_us(at)}
        self._connection.execute(_BEGIN, given)

    def read_results(self, workflow_id: str) -> dict[str, str]:
        """What its effects came to, by their keys."""
        rows = self._connection.execute(_RESULTS, {"of_flow": workflow_id})
        return {row.key: row.result for row in rows}

    def keep(self, workflow_id: str, key: str, result: str, *, at: datetime) -> None:
        """Keep what an effect came to, in the effect's own transaction.

        Raises:
            ConflictError: Another process has done it; the transaction must not be kept.
        """
        row: _Cells = {
            "workflow_id": workflow_id,
            "key": key,
            "result": result,
            "at_us": to_us(at),
        }
        if not self._add(flow_results, row):
            raise ConflictError(f"workflow {workflow_id}: {key} was done by another process")

    def require_open(self, workflow_id: str) -> None:
        """Raise ConflictError where it has ended: then there is no result that says what was done.

        In a transaction that writes nobody else can end it meanwhile: writers wait for each other,
        and none reads before it holds the write lock (`store/engine.py`), on PostgreSQL, too.
        """
        state = self._connection.execute(_STATE, {"of_flow": workflow_id}).scalar()
        if state not in _LIVE:
            found = "is not there" if state is None else f"is {state}"
            raise ConflictError(
                f"workflow {workflow_id}: {found}, expected one that is asked or running: "
                f"another process has ended it, and nothing more is done"
            )

    def set_step(self, workflow_id: str, step: str) -> None:
        """It is in that step."""
        self._connection.execute(_STEP, {"of_flow": workflow_id, "to_step": step})

    def read_signal(
        self, workflow_id: str, topics: Collection[str], *, at: datetime
    ) -> Signal | None:
        """The first unread signal of these topics, which is read now; None where there is none."""
        for row in self._connection.execute(_UNREAD, {"of_flow": workflow_id}).mappings():
            if row["topic"] in topics:
                read = {"of_signal": row["signal_id"], "to_read": to_us(at)}
                self._connection.execute(_READ, read)
                return Signal(row["topic"], row["body"], row["key"], from_us(row["at_us"]))
        return None

    def sleep(
        self, workflow_id: str, *, turn: int, until: datetime | None, topics: Sequence[str]
    ) -> None:
        """It waits for a moment or a signal, whichever comes first."""
        given = {
            "of_flow": workflow_id,
            "to_turn": turn,
            "to_due": None if until is None else to_us(until),
            "to_topics": json.dumps(list(topics)),
        }
        self._connection.execute(_SLEEP, given)

    def wake(self, workflow_id: str, *, at: datetime) -> None:
        """It sleeps no more; should it go no further, as in a crash, it is due at once."""
        self._connection.execute(_WAKE, {"of_flow": workflow_id, "to_due": to_us(at)})

    def end(self, workflow_id: str, *, state: FlowState, why: str, at: datetime) -> bool:
        """It is over; whether it was not before. What its effects came to is forgotten."""
        given = {
            "of_flow": workflow_id,
            "to_state": state.value,
            "to_why": why,
            "to_ended": to_us(at),
        }
        self._connection.execute(_FORGET, {"of_flow": workflow_id})
        return self._connection.execute(_END, given).rowcount == 1

    def find_asked(self, kinds: Sequence[str], *, most: int) -> list[FlowRow]:
        """Workflows of these kinds that were asked for and not begun, the first at the front."""
        given = {"kinds": list(kinds), "most": most}
        rows = self._connection.execute(_ASKED, given).mappings()
        return [_read(row) for row in rows]

    def find_told(self) -> list[FlowRow]:
        """Running workflows with an unread signal of a topic that they wait for."""
        found: dict[str, FlowRow] = {}
        for row in self._connection.execute(_TOLD).mappings():
            flow = _read(row)
            if row["topic"] in flow.topics:
                found[flow.workflow_id] = flow
        return list(found.values())

    def find_due(self, kinds: Sequence[str], *, now: datetime, most: int) -> list[FlowRow]:
        """Running workflows of these kinds whose moment has come, the longest due at the front."""
        given = {"kinds": list(kinds), "now_us": to_us(now), "most": most}
        return [_read(row) for row in self._connection.execute(_DUE, given).mappings()]

    def find_next_due(self, after: datetime) -> datetime | None:
        """The first moment after another that a running workflow waits for; None: none does."""
        due = self._connection.execute(_NEXT, {"after_us": to_us(after)}).scalar()
        return None if due is None else from_us(due)

    def _add(self, table: Table, row: _Cells) -> bool:
        add = _insert_once(self._connection.dialect.name, table)
        return count_added(self._connection, add, row) == 1

    def list(
        self, *, kind: str | None = None, state: FlowState | None = None, most: int = 1_000
    ) -> list[FlowRow]:
        """Workflows of a kind and in a state, those that were asked for last at the front."""
        given = {
            "of_kind": kind,
            "of_state": None if state is None else state.value,
            "most": most,
        }
        return [_read(row) for row in self._connection.execute(_LISTED, given).mappings()]


@cache
def _insert_once(dialect: str, table: Table) -> "sqlite.Insert | postgresql.Insert":
    return insert_into(dialect, table).on_conflict_do_nothing()


def _read(row: RowMapping) -> FlowRow:
    started, ended, due = row["started_at_us"], row["ended_at_us"], row["due_at_us"]
    return FlowRow(
        workflow_id=row["workflow_id"],
        kind=row["kind"],
        subject=row["subject"],
        given_json=row["given"],
        spec_json=row["spec"],
        state=FlowState(row["state"]),
        turn=row["turn"],
        step=row["step"],
        due_at=None if due is None else from_us(due),
        topics=tuple(json.loads(row["topics"])),
        why=row["why"],
        asked_at=from_us(row["asked_at_us"]),
        started_at=None if started is None else from_us(started),
        ended_at=None if ended is None else from_us(ended),
    )
