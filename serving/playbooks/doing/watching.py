"""Steps that look: at the risk from time to time, and at the end of a case."""

from datetime import datetime

from serving.playbooks.context import CaseContext
from serving.playbooks.doing.offering import withdraw_unmade
from serving.playbooks.exits import find_end
from serving.playbooks.words import OFFER_TASK
from serving.store.cases import CaseExit, CaseState
from serving.store.store import StoreSession
from serving.store.tasks import TaskState
from serving.workflows.actions import Action, Planned, Skip, Turn, Written


class LookAgain(Action[CaseContext]):
    """Looks at the risk again, and says how it has changed."""

    def plan(
        self,
        session: StoreSession,
        *,
        context: CaseContext,
        turn: Turn,  # noqa: ARG002  # of the protocol
        now: datetime,
    ) -> Planned:
        """Compare the risk with that at the beginning."""
        case = context.find_case(session)
        withdraw_unmade(session, case.case_id)
        look = context.look(session, case, now=now)
        if look is None:
            return Skip("there is no churn model that could tell")
        if look.seen is None or look.seen.p_churn is None or not look.is_news:
            return Skip("nothing new is known of the customer")
        return Written(f"looks again: p {case.p_churn:.2f} then, {look.seen.p_churn:.2f} now")


class CloseCase(Action[CaseContext]):
    """Closes a case with what came of it."""

    def plan(
        self,
        session: StoreSession,
        *,
        context: CaseContext,
        turn: Turn,  # noqa: ARG002  # of the protocol
        now: datetime,
    ) -> Planned:
        """Close the case; offers that still waited were never made, others are not presented."""
        case = context.find_case(session)
        withdraw_unmade(session, case.case_id)
        for task in session.tasks.list(states=[TaskState.OPEN], case_id=case.case_id):
            if task.kind == OFFER_TASK:
                session.tasks.drop(task.task_id, at=now, why="the case is over")
        if case.state is CaseState.CLOSED:
            return Skip(f"it was closed before: {case.exit_reason}")
        reason = find_end(session, case, context=context, now=now) or CaseExit.COMPLETED
        look = context.look(session, case, now=now)
        p_churn = None if look is None or look.seen is None else look.seen.p_churn
        session.cases.close(case.case_id, reason=reason, at=now, p_churn=p_churn)
        return Written(f"closes the case: {reason}")
