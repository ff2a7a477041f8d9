"""Steps that people take part in: they are told, briefed, and asked to do something."""

from datetime import datetime, timedelta

from serving.corridor.actions import ActionRequest
from serving.moments import show_moment
from serving.playbooks.briefs import write_brief
from serving.playbooks.context import CaseContext
from serving.playbooks.hours import find_due, next_start
from serving.playbooks.items import NoticeItem, TaskItem
from serving.store.cases import CaseRow
from serving.store.notices import Notice, Party
from serving.store.store import StoreSession
from serving.store.tasks import TaskRow, TaskState
from serving.workflows.actions import (
    Acted,
    Action,
    Outcome,
    Plan,
    Planned,
    Skip,
    Turn,
    Written,
)

_MAKE_TASK = "make_task"
"""The corridor's kind of a task."""

_NOBODY = "nobody knows the customer any more"


class TellTeam(Action[CaseContext]):
    """Tells a CSM, sales or leadership of a case."""

    def __init__(self, item: NoticeItem) -> None:
        """By that item."""
        self._item = item

    def plan(
        self, session: StoreSession, *, context: CaseContext, turn: Turn, now: datetime
    ) -> Planned:
        """Write the notice."""
        case = context.find_case(session)
        subject = self._item.subject.format(
            customer=case.customer_id, tier=case.tier, factor=case.factor or "unknown"
        )
        session.notices.add(
            Notice(
                key=turn.name_action(),
                to=Party(self._item.to, "default"),
                subject=subject,
                body=_say_case(case, context),
                language="en",
                made_at=now,
                workflow_id=context.flow_id,
            )
        )
        return Written(f"tells {self._item.to}")


class CollectBrief(Action[CaseContext]):
    """Collects what is known of the account."""

    def plan(
        self,
        session: StoreSession,
        *,
        context: CaseContext,
        turn: Turn,  # noqa: ARG002  # of the protocol
        now: datetime,
    ) -> Planned:
        """Write the brief and keep it with the case."""
        brief = make_brief(session, context, now=now)
        if brief is None:
            return Skip(_NOBODY)
        session.cases.set_brief(context.case_id, brief)
        return Written("collects plan, usage, tickets and timeline into a brief")


class AskTeam(Action[CaseContext]):
    """Asks somebody to do something, by when."""

    def __init__(self, item: TaskItem) -> None:
        """By that item."""
        self._item = item

    def plan(
        self,
        session: StoreSession,
        *,
        context: CaseContext,
        turn: Turn,
        now: datetime,  # noqa: ARG002  # of the protocol
    ) -> Planned:
        """One task."""
        case = context.find_case(session)
        return Plan((request_task(case, context, turn=turn),), words=self._item.title)

    def act(
        self,
        request: ActionRequest,  # noqa: ARG002  # the signature is the workflow's
        *,
        context: CaseContext,  # noqa: ARG002  # the signature is the workflow's
        now: datetime,  # noqa: ARG002  # the signature is the workflow's
    ) -> Outcome:
        """Nothing outside of the store: the task is written when this is settled."""
        return Acted(0, f"asks {self._item.team}: {self._item.title}")

    def record(
        self,
        session: StoreSession,
        *,
        request: ActionRequest,
        acted: Acted,  # noqa: ARG002  # of the protocol
        context: CaseContext,
        now: datetime,
    ) -> None:
        """The task, and a notice to who does it."""
        task = make_task(
            session,
            context,
            task_id=request.action_id,
            kind=self._item.kind,
            title=self._item.title,
            team=self._item.team,
            within_hours=self._item.within_hours,
            now=now,
        )
        add_task(session, task, context, now=now)

    def undo(self, request: ActionRequest, *, context: CaseContext, now: datetime) -> None:
        """Drop the task, unless somebody is at it or it is done."""
        with context.parts.store.transaction() as session:
            task = session.tasks.find(request.action_id)
            if task is not None and task.state is TaskState.OPEN:
                session.tasks.drop(task.task_id, at=now, why="the case is over")

    def describe(
        self,
        request: ActionRequest,
        *,
        context: CaseContext,  # noqa: ARG002  # the signature is the workflow's
    ) -> str:
        """The task's title, and about whom."""
        return f"{self._item.title} ({request.customer})"


def request_task(case: CaseRow, context: CaseContext, *, turn: Turn) -> ActionRequest:
    """To ask the corridor for a task."""
    return ActionRequest(
        action_id=turn.name_action(),
        kind=_MAKE_TASK,
        subject=context.flow_id,
        amount_cents=0,
        currency=context.free_currency,
        is_reversible=True,
        customer=case.customer_id,
    )


def make_task(
    session: StoreSession,
    context: CaseContext,
    *,
    task_id: str,
    kind: str,
    title: str,
    team: str,
    within_hours: float,
    now: datetime,
    first_words: str = "",
) -> TaskRow:
    """A task with the account's brief, due in the working hours of its owner.

    Args:
        session: A transaction that writes.
        context: Of the case.
        task_id: Its identity.
        kind: What it is.
        title: In a line.
        team: Who does it.
        within_hours: When it is due.
        now: Aware.
        first_words: What stands before the brief.
    """
    case = context.find_case(session)
    brief = session.cases.find_brief(case.case_id) or make_brief(session, context, now=now)
    return TaskRow(
        task_id=task_id,
        case_id=case.case_id,
        customer_id=case.customer_id,
        kind=kind,
        title=title,
        brief="\n\n".join(part for part in (first_words, brief or _NOBODY) if part),
        owner=team,
        made_at=now,
        due_at=find_due(now, within_hours=within_hours, team=context.opener.playbooks.teams[team]),
    )


def add_task(session: StoreSession, task: TaskRow, context: CaseContext, *, now: datetime) -> None:
    """Keep a task, and tell its owner when they next work."""
    if not session.tasks.add(task):
        return
    team = context.opener.playbooks.teams[task.owner]
    starts_at = next_start(now, team=team)
    session.notices.add(
        Notice(
            key=f"{task.task_id}/told",
            to=Party(team.party, "default"),
            subject=f"{task.title}: {task.customer_id}",
            body=f"Due {show_moment(task.due_at, zone=team.zone)}.\n\n{task.brief}",
            language="en",
            made_at=now,
            not_before=starts_at,
            expires_at=max(task.due_at, starts_at) + timedelta(days=2),
            workflow_id=context.flow_id,
        )
    )


def make_brief(session: StoreSession, context: CaseContext, *, now: datetime) -> str | None:
    """The brief of the account as of now; None where nobody knows the customer any more."""
    case = context.find_case(session)
    look = context.look(session, case, now=now)
    if look is None or look.seen is None:
        return None
    engine = context.parts.engine()
    return write_brief(
        session,
        case,
        look.seen,
        engine.snapshot,
        copy_settings=engine.copy_settings,
        language=context.parts.language,
        zone=context.parts.zone,
        now=now,
    )


def _say_case(case: CaseRow, context: CaseContext) -> str:
    mrr_cents, currency = case.mrr_cents, context.currency
    worth = "not known" if mrr_cents is None else f"{mrr_cents / 100:,.2f} {currency}"
    factors = ", ".join(case.factors) or "none that the model could name"
    return (
        f"Customer {case.customer_id} may be lost: p {case.p_churn:.2f} within 30 days, tier "
        f"{case.tier}.\nReasons: {factors}.\nMonthly revenue: {worth}.\n"
        f"Case {case.case_id}: opportune playbooks show {case.case_id}"
    )
