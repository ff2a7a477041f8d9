"""Taking back what a request did."""

from datetime import datetime
from typing import TypeVar

from serving.audit.entries import EntryKind
from serving.corridor.actions import ActionRequest
from serving.store.store import StoreSession
from serving.workflows.results import Flag, Kept, Raised
from serving.workflows.run import Run, pause_after
from serving.workflows.spec import Step
from serving.workflows.telling import tell_failure, write_log

ContextT = TypeVar("ContextT")

_MOST_TRIES = 6  # ten minutes of pauses
_FLAG = Kept(Flag)


async def undo_request(run: Run[ContextT], step: Step, request: ActionRequest, *, key: str) -> None:
    """Take back a request by the step's undo, if it has one; tried again where it fails.

    Where it fails for good, the log and the owner are told that it still stands.
    """
    if step.undo is None:
        return
    action = run.workflow.actions[step.undo]

    def undo(now: datetime) -> Flag:
        action.undo(request, context=run.context, now=now)
        return Flag(True)

    why: str | None = None
    for n in range(_MOST_TRIES):
        done = await run.attempt_doing(f"{key}/{n}", undo, as_=_FLAG)
        why = done.why if isinstance(done, Raised) else None
        if not isinstance(done, Raised):
            break
        if n + 1 < _MOST_TRIES:
            again_at = done.at + pause_after(n)
            await run.driver.wait(f"{key}/{n}/pause", until=again_at, topics=())
    await run.driver.once(
        f"{key}/told", lambda s, now: _tell(run, s, request, why=why, now=now), as_=_FLAG
    )


def _tell(
    run: Run[ContextT],
    session: StoreSession,
    request: ActionRequest,
    *,
    why: str | None,
    now: datetime,
) -> Flag:
    action_id = request.action_id
    if why is None:
        words = f"{request.kind} is taken back, as far as it was still open"
        write_log(session, run.flow, words, at=now, kind=EntryKind.ACTION, action=action_id)
        return Flag(True)
    words = f"{request.kind} could not be taken back, and still stands: {why}"
    write_log(session, run.flow, words, at=now, action=action_id)
    tell_failure(
        session,
        run.flow,
        f"{request.kind} (undo)",
        key=f"{request.action_id}/undo",
        why=words,
        parts=run.parts,
        at=now,
        branch=request.branch,
    )
    return Flag(False)
