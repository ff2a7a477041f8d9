"""Advertising to those who complained rests until the incident is over."""

from collections.abc import Sequence
from datetime import datetime

from serving.autopilot.acting.context import IncidentContext
from serving.autopilot.acting.writing import list_affected
from serving.corridor.actions import ActionRequest
from serving.policy.cases import to_us
from serving.store.bursts import BurstRow
from serving.store.letters import Letter
from serving.store.store import StoreSession
from serving.workflows.actions import Acted, Action, Plan, Planned, Skip, Turn

KIND = "pause_marketing"
STAGE = "pause"  # beside those of letters: for whom it was asked


class PauseMarketing(Action[IncidentContext]):
    """Opens an incident of the policy for those who complained; taken back, it is closed."""

    def plan(
        self,
        session: StoreSession,
        *,
        context: IncidentContext,
        turn: Turn,
        now: datetime,  # noqa: ARG002  # the signature is the workflow's
    ) -> Planned:
        """For everybody who has complained so far."""
        burst = context.read_burst(session)
        request = plan_pause(session, context=context, burst=burst, action_id=turn.name_action())
        return Skip("nobody is known who complained") if request is None else Plan((request,))

    def act(self, request: ActionRequest, *, context: IncidentContext, now: datetime) -> Acted:
        """Pause, once."""
        return pause(request, context=context, now=now)

    def undo(self, request: ActionRequest, *, context: IncidentContext, now: datetime) -> None:
        """Let it go on."""
        with context.parts.store.transaction() as session:
            resume(session, [request.action_id], now=now)


def plan_pause(
    session: StoreSession, *, context: IncidentContext, burst: BurstRow, action_id: str
) -> ActionRequest | None:
    """Ask for those for whom that was not asked yet; None where it was for all."""
    letters = session.letters.find_of(context.workflow_id)
    known = {one.customer_id for one in letters if one.stage == STAGE}
    fresh = [one for one in list_affected(session, context=context) if one not in known]
    if not fresh:
        return None
    session.letters.add(
        Letter(context.workflow_id, STAGE, customer_id, action_id) for customer_id in fresh
    )
    return context.request(action_id, KIND, branch=burst.branch, is_reversible=True)


def pause(request: ActionRequest, *, context: IncidentContext, now: datetime) -> Acted:
    """Let advertising rest for those whom the action is for; asked again, nothing changes."""
    with context.parts.store.transaction() as session:
        touched = [one.customer_id for one in session.letters.find_by(request.action_id)]
        if session.incidents.find_one(request.action_id) is None:
            session.incidents.open(request.action_id, starts_at_us=to_us(now), customer_ids=touched)
    return Acted(0, f"advertising rests for {len(touched)} customers")


def resume(session: StoreSession, action_ids: Sequence[str], *, now: datetime) -> int:
    """Let advertising go on that these actions paused; for how many customers."""
    n = 0
    for action_id in action_ids:
        found = session.incidents.find_one(action_id)
        if found is not None and found.ends_at_us is None:
            session.incidents.close(action_id, at_us=max(to_us(now), found.starts_at_us + 1))
            n += len(found.customer_ids)
    return n
