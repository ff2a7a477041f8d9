"""When a case is over, whatever steps are left."""

from datetime import datetime

from serving.playbooks.context import CaseContext, Look
from serving.playbooks.following import find_exit
from serving.playbooks.words import asked_for_rest
from serving.store.cases import CaseExit, CaseRow, CaseState
from serving.store.store import StoreSession
from serving.workflows.actions import Condition


def find_end(
    session: StoreSession, case: CaseRow, *, context: CaseContext, now: datetime
) -> CaseExit | None:
    """Why a case is over; None: it is not.

    Only facts that became known since the case was opened count: without news nobody recovered.
    """
    if case.state is CaseState.CLOSED:
        return case.exit_reason
    if asked_for_rest(session, case):
        return CaseExit.LEFT_ALONE
    look = context.look(session, case, now=now)
    return None if look is None else _read_end(look, case, context=context)


def _read_end(look: Look, case: CaseRow, *, context: CaseContext) -> CaseExit | None:
    if not look.is_news:
        return None
    if look.seen is None:
        return CaseExit.ERASED
    if look.seen.score is None:
        return CaseExit.LEFT
    recovered = look.seen.score < find_exit(context.opener, case)
    return CaseExit.RECOVERED if recovered else None


def is_over(session: StoreSession, context: CaseContext, now: datetime) -> bool:
    """Whether the customer recovered, left, is unknown, asked for rest, or a human ended it."""
    case = context.find_case(session)
    return find_end(session, case, context=context, now=now) is not None


CONDITIONS: dict[str, Condition[CaseContext]] = {"is_over": is_over}
