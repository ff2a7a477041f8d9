"""Tasks of people: who is asked to do what by when, and what came of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cache
from typing import Final

from sqlalchemy import Connection, Row, bindparam, select, update
from sqlalchemy.dialects import postgresql, sqlite

from serving.policy.cases import from_us, to_us
from serving.store.engine import count_added, insert_into
from serving.store.playbook_schema import playbook_tasks


class TaskState(StrEnum):
    """Where a task stands; the last two are ends."""

    OPEN = "open"
    TAKEN = "taken"  # somebody works on it
    DONE = "done"
    DROPPED = "dropped"  # there is no need any more


class TaskOutcome(StrEnum):
    """What came of a task that was done."""

    DONE = "done"  # nothing more to tell
    STAYS = "stays"  # they were spoken with and mean to stay
    UNDECIDED = "undecided"  # they were spoken with
    NOT_REACHED = "not_reached"
    LEAVES = "leaves"  # they say that they leave
    ACCEPTED = "accepted"  # they took what was offered
    DECLINED = "declined"  # they did not
    LEAVE_ALONE = "leave_alone"  # they ask not to be contacted


class TaskAnswer(StrEnum):
    """What became of a wish to take, finish or drop a task."""

    DONE = "done"  # it holds now
    AGAIN = "again"  # it held already
    UNKNOWN = "unknown"  # no task of that identity
    OTHERS = "others"  # somebody else has taken it
    OVER = "over"  # it is done or dropped


@dataclass(frozen=True, slots=True)
class TaskRow:
    """One task.

    Attributes:
        case_id: Of which case; None: of none.
        kind: What is to be done: `call`, `check`, ...
        title: In a line.
        brief: What one should know before doing it; markdown.
        owner: The team or person who is asked, such as `csm`.
        taken_by: Who works on it, or did; None while nobody does.
        settled_at: When it was done or dropped.
        outcome: What came of it; None unless done.
        note: What whoever did it wrote.
    """

    task_id: str
    case_id: str | None
    customer_id: str
    kind: str
    title: str
    brief: str
    owner: str
    made_at: datetime
    due_at: datetime
    state: TaskState = TaskState.OPEN
    taken_by: str | None = None
    settled_at: datetime | None = None
    outcome: TaskOutcome | None = None
    note: str = ""

    def is_overdue(self, now: datetime) -> bool:
        """Whether it should have been done by now."""
        return self.state in _LIVE and now > self.due_at


_LIVE: Final = (TaskState.OPEN, TaskState.TAKEN)
_T = playbook_tasks.c
_ALL = select(playbook_tasks).order_by(_T.due_at_us, _T.task_id)
_ONE = _ALL.where(_T.task_id == bindparam("task_id"))
_MOVE = (
    update(playbook_tasks)
    .where(_T.task_id == bindparam("of_task"), _T.state.in_([str(state) for state in _LIVE]))
    .values(
        state=bindparam("to_state"),
        taken_by=bindparam("to_taken"),
        settled_at_us=bindparam("to_settled"),
        outcome=bindparam("to_outcome"),
        note=bindparam("to_note"),
    )
)


class TaskBook:
    """The part of a transaction that is about tasks; to change any, on one that may write."""

    def __init__(self, connection: Connection) -> None:
        """Work on an open transaction."""
        self._connection = connection

    def add(self, task: TaskRow) -> bool:
        """Keep a new task; False: there is one of that identity, and nothing changes."""
        add = _add(self._connection.dialect.name)
        return count_added(self._connection, add, _write(task)) == 1

    def find(self, task_id: str) -> TaskRow | None:
        """The task of that identity."""
        row = self._connection.execute(_ONE, {"task_id": task_id}).first()
        return None if row is None else _read(row)

    def list(
        self,
        *,
        states: Sequence[TaskState] = _LIVE,
        owner: str | None = None,
        taken_by: str | None = None,
        case_id: str | None = None,
        most: int | None = None,
    ) -> Sequence[TaskRow]:
        """Tasks in those states, what is due first before the rest.

        Args:
            states: Which; by default those that are to be done.
            owner: Of that team alone.
            taken_by: Taken by that person alone.
            case_id: Of that case alone.
            most: At most as many.
        """
        wanted = _ALL.where(_T.state.in_([str(state) for state in states]))
        for column, value in ((_T.owner, owner), (_T.taken_by, taken_by), (_T.case_id, case_id)):
            if value is not None:
                wanted = wanted.where(column == value)
        if most is not None:
            wanted = wanted.limit(most)
        return [_read(row) for row in self._connection.execute(wanted)]

    def take(self, task_id: str, *, by: str) -> TaskAnswer:
        """Work on it from now on; one person at a time does."""
        task = self.find(task_id)
        if task is None:
            return TaskAnswer.UNKNOWN
        if task.state is TaskState.TAKEN:
            return TaskAnswer.AGAIN if task.taken_by == by else TaskAnswer.OTHERS
        if task.state is not TaskState.OPEN:
            return TaskAnswer.OVER
        return self._move(task_id, TaskState.TAKEN, by=by)

    def finish(
        self, task_id: str, *, by: str, outcome: TaskOutcome, at: datetime, note: str = ""
    ) -> TaskAnswer:
        """It was done; an open one counts as taken and done at once, one of others as theirs."""
        task = self.find(task_id)
        if task is None:
            return TaskAnswer.UNKNOWN
        if task.state is TaskState.TAKEN and task.taken_by != by:
            return TaskAnswer.OTHERS
        if task.state not in _LIVE:
            is_same = task.state is TaskState.DONE and task.outcome is outcome
            return TaskAnswer.AGAIN if is_same and task.taken_by == by else TaskAnswer.OVER
        return self._move(task_id, TaskState.DONE, by=by, at=at, outcome=outcome, note=note)

    def drop(self, task_id: str, *, at: datetime, why: str) -> TaskAnswer:
        """There is no need any more, whoever has it."""
        task = self.find(task_id)
        if task is None:
            return TaskAnswer.UNKNOWN
        if task.state not in _LIVE:
            dropped = task.state is TaskState.DROPPED
            return TaskAnswer.AGAIN if dropped else TaskAnswer.OVER
        return self._move(task_id, TaskState.DROPPED, by=task.taken_by, at=at, note=why)

    def _move(
        self,
        task_id: str,
        state: TaskState,
        *,
        by: str | None,
        at: datetime | None = None,
        outcome: TaskOutcome | None = None,
        note: str = "",
    ) -> TaskAnswer:
        values = {
            "of_task": task_id,
            "to_state": state.value,
            "to_taken": by,
            "to_settled": None if at is None else to_us(at),
            "to_outcome": None if outcome is None else outcome.value,
            "to_note": note,
        }
        moved = self._connection.execute(_MOVE, values).rowcount == 1
        return TaskAnswer.DONE if moved else TaskAnswer.OVER


@cache
def _add(dialect: str) -> "sqlite.Insert | postgresql.Insert":
    return insert_into(dialect, playbook_tasks).on_conflict_do_nothing(index_elements=["task_id"])


def _write(task: TaskRow) -> dict[str, str | int | None]:
    return {
        "task_id": task.task_id,
        "case_id": task.case_id,
        "customer_id": task.customer_id,
        "kind": task.kind,
        "title": task.title,
        "brief": task.brief,
        "owner": task.owner,
        "made_at_us": to_us(task.made_at),
        "due_at_us": to_us(task.due_at),
        "state": task.state.value,
        "taken_by": task.taken_by,
        "settled_at_us": None if task.settled_at is None else to_us(task.settled_at),
        "outcome": None if task.outcome is None else task.outcome.value,
        "note": task.note,
    }


def _read(row: Row[*tuple[object, ...]]) -> TaskRow:
    cells = row._mapping  # noqa: SLF001  # the public name of a row's columns
    settled_us, outcome = cells["settled_at_us"], cells["outcome"]
    return TaskRow(
        task_id=cells["task_id"],
        case_id=cells["case_id"],
        customer_id=cells["customer_id"],
        kind=cells["kind"],
        title=cells["title"],
        brief=cells["brief"],
        owner=cells["owner"],
        made_at=from_us(cells["made_at_us"]),
        due_at=from_us(cells["due_at_us"]),
        state=TaskState(cells["state"]),
        taken_by=cells["taken_by"],
        settled_at=None if settled_us is None else from_us(settled_us),
        outcome=None if outcome is None else TaskOutcome(outcome),
        note=cells["note"],
    )
