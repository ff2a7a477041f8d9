"""The people of a rehearsal: an owner who approves, and teams that do a task within a day."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import pandas as pd

from serving.corridor.actions import ActionState
from serving.playbooks.words import OFFER_TASK, finish_task
from serving.rehearsal.playbooks.levers import OFFERS, STEPS, TASK_CENTS
from serving.store.tasks import TaskOutcome, TaskRow
from serving.workflows.parts import ActingParts
from serving.workflows.words import approve_action
from training.world.acting.protocol import ActingWorld, Lever

_WHO: Final = "rehearsal"
_OWNER: Final = "owner"


@dataclass(frozen=True)
class Contact:
    """Somebody spoke with a customer.

    Attributes:
        customer_id: Whom.
        case_id: Of which case.
        lever: What it pulled.
        at: When.
        true_cents: What it was truly worth beforehand, before its cost.
    """

    customer_id: str
    case_id: str
    lever: Lever
    at: datetime
    true_cents: float


@dataclass
class Office:
    """Does what cases ask people for, and keeps what it truly was worth.

    Attributes:
        parts: Store and corridor.
        world: In which customers are spoken with.
        contacts: All so far.
        task_cents: People's time so far.
    """

    parts: ActingParts
    world: ActingWorld
    contacts: list[Contact] = field(default_factory=list)
    task_cents: float = 0.0

    def approve(self, now: datetime) -> int:
        """Say yes to everything that waits for it; how many."""
        desk = self.parts.desk()
        with self.parts.store.transaction() as session:
            waiting = [
                held.request.action_id
                for held in session.holds.find_in(ActionState.WAITING)
                if held.needs_approval
            ]
            for action_id in waiting:
                approve_action(session, action_id, desk=desk, by=_WHO, role=_OWNER, now=now)
        return len(waiting)

    def work(self, now: datetime, *, gone: frozenset[str]) -> int:
        """Do the tasks there are, one with each customer; how many.

        Args:
            now: When.
            gone: Customers of whom the company knows that they have left.
        """
        with self.parts.store.reading() as session:
            tasks = list(
                {task.customer_id: task for task in reversed(session.tasks.list())}.values()
            )
        self._speak([task for task in tasks if task.customer_id not in gone], now=now)
        with self.parts.store.transaction() as session:
            for task in tasks:
                outcome = _find_outcome(task, is_gone=task.customer_id in gone)
                finish_task(session, task.task_id, by=_WHO, outcome=outcome, now=now)
                self.task_cents += TASK_CENTS[task.kind]
        return len(tasks)

    def _speak(self, tasks: Sequence[TaskRow], *, now: datetime) -> None:
        """Let the world know of the tasks that customers hear of, and what those are worth."""
        heard = [(task, lever) for task in tasks if (lever := find_lever(task)) is not None]
        if not heard:
            return
        frame = pd.DataFrame(
            {
                "intervention_id": [task.task_id for task, _ in heard],
                "customer_id": [task.customer_id for task, _ in heard],
                "lever": [lever.value for _, lever in heard],
                "begins_at": [now] * len(heard),
                "cost_cents": [TASK_CENTS[task.kind] for task, _ in heard],
            }
        )
        values = self.world.true_save_value(frame)
        self.world.intervene(frame)
        self.contacts += [
            Contact(task.customer_id, task.case_id or "", lever, now, float(cents))
            for (task, lever), cents in zip(heard, values, strict=True)
        ]


def find_lever(task: TaskRow) -> Lever | None:
    """What a task pulls; None where the customer does not hear of it."""
    parts = task.task_id.split("/")
    if task.kind == OFFER_TASK:
        return OFFERS[parts[-1]]
    return next((STEPS[part] for part in parts if part in STEPS), None)


def _find_outcome(task: TaskRow, *, is_gone: bool) -> TaskOutcome:
    """Whoever is still a customer takes what is offered; what they will do nobody can tell."""
    if task.kind == OFFER_TASK:
        return TaskOutcome.DECLINED if is_gone else TaskOutcome.ACCEPTED
    return TaskOutcome.LEAVES if is_gone else TaskOutcome.DONE
