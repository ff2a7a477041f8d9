"""What people say about tasks and cases: kept, logged, and told to the case, in one transaction."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from serving.audit.entries import EntryKind
from serving.corridor.log import name_of
from serving.playbooks.plans import STOP, TASK
from serving.store.cases import CaseExit, CaseRow, OfferState
from serving.store.store import StoreSession
from serving.store.tasks import TaskAnswer, TaskOutcome, TaskRow, TaskState

OFFER_TASK: Final = "offer"
"""Kind of the task by which an offer is presented."""

_ANSWERS: Final = {
    TaskOutcome.ACCEPTED: OfferState.ACCEPTED,
    TaskOutcome.DECLINED: OfferState.DECLINED,
}


def take_task(session: StoreSession, task_id: str, *, by: str, now: datetime) -> TaskAnswer:
    """Somebody works on it from now on.

    Args:
        session: A transaction that writes.
        task_id: Of the task.
        by: Who.
        now: Aware.
    """
    answer = session.tasks.take(task_id, by=by)
    if answer is TaskAnswer.DONE:
        _log(session, task_id, by=by, now=now, words="takes the task")
    return answer


def finish_task(
    session: StoreSession,
    task_id: str,
    *,
    by: str,
    outcome: TaskOutcome,
    now: datetime,
    note: str = "",
) -> TaskAnswer:
    """It was done, and its case learns what came of it.

    What a customer says to an offer is kept with the offer. Somebody who asks not to be contacted
    is not: the case ends, and opens no other.

    Args:
        session: A transaction that writes.
        task_id: Of the task.
        by: Who did it.
        outcome: What came of it.
        now: Aware.
        note: In their own words; personal data are masked in the log, not with the task.
    """
    answer = session.tasks.finish(task_id, by=by, outcome=outcome, at=now, note=note)
    task = session.tasks.find(task_id)
    if answer is not TaskAnswer.DONE or task is None:
        return answer
    words = f"finishes the task: {outcome}"
    _log(session, task_id, by=by, now=now, words=words, quote=note)
    if task.case_id is None:
        return answer
    if task.kind == OFFER_TASK and outcome in _ANSWERS:
        _answer_offer(session, task, state=_ANSWERS[outcome])
    body = json.dumps({"task_id": task_id, "outcome": outcome.value}, ensure_ascii=False)
    session.flows.signal(
        f"case/{task.case_id}", topic=TASK, at=now, key=f"task/{task_id}", body_json=body
    )
    return answer


def drop_task(
    session: StoreSession, task_id: str, *, by: str, now: datetime, why: str
) -> TaskAnswer:
    """There is no need of it any more.

    Args:
        session: A transaction that writes.
        task_id: Of the task.
        by: Who says so.
        now: Aware.
        why: In their own words.
    """
    answer = session.tasks.drop(task_id, at=now, why=why)
    if answer is TaskAnswer.DONE:
        _log(session, task_id, by=by, now=now, words="drops the task", quote=why)
    return answer


def stop_case(session: StoreSession, case_id: str, *, by: str, now: datetime, why: str) -> bool:
    """A human ends a case: nothing more is done about it. False: it is over, or there is none."""
    if not session.cases.close(case_id, reason=CaseExit.STOPPED, at=now):
        return False
    session.flows.signal(f"case/{case_id}", topic=STOP, at=now, key="stop")
    session.audit.append(
        EntryKind.HUMAN,
        f"case/{case_id}",
        {},
        by=name_of(by),
        at=now,
        words="ends the case",
        quote=why,
    )
    return True


def wants_no_contact(session: StoreSession, cases: Sequence[CaseRow]) -> bool:
    """Whether a customer with these cases once asked not to be contacted, by its end or later."""
    return any(
        case.exit_reason is CaseExit.LEFT_ALONE or asked_for_rest(session, case) for case in cases
    )


def asked_for_rest(session: StoreSession, case: CaseRow) -> bool:
    """Whether a task of the case ended with the wish not to be contacted."""
    done = session.tasks.list(states=[TaskState.DONE], case_id=case.case_id)
    return any(task.outcome is TaskOutcome.LEAVE_ALONE for task in done)


def _answer_offer(session: StoreSession, task: TaskRow, *, state: OfferState) -> None:
    for offer in session.cases.list_offers(case_id=task.case_id):
        if offer.state is OfferState.MADE:
            session.cases.set_offer(
                offer.customer_id, offer=offer.offer, case_id=offer.case_id, state=state
            )


def _log(
    session: StoreSession, task_id: str, *, by: str, now: datetime, words: str, quote: str = ""
) -> None:
    task = session.tasks.find(task_id)
    if task is None:
        return
    subject = "task" if task.case_id is None else f"case/{task.case_id}"
    body = {"task": task_id[:200], "kind": task.kind, "customer": task.customer_id}
    session.audit.append(
        EntryKind.HUMAN,
        subject,
        body,
        by=name_of(by),
        at=now,
        words=f"{words} ({task.title})",
        quote=quote,
    )
