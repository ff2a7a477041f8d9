"""The end of an incident: advertising goes on, people are told, the report is kept."""

from datetime import datetime

from serving.autopilot.acting.context import IncidentContext
from serving.autopilot.acting.house_words import Letter
from serving.autopilot.acting.pausing import KIND as PAUSE
from serving.autopilot.acting.pausing import resume
from serving.autopilot.acting.report import write_report
from serving.autopilot.acting.telling import tell_owner
from serving.store.store import StoreSession
from serving.workflows.actions import Action, Planned, Skip, Turn, Written


class ResumeMarketing(Action[IncidentContext]):
    """Lets advertising go on to all for whom it rested; that needs nobody's leave."""

    def plan(
        self,
        session: StoreSession,
        *,
        context: IncidentContext,
        turn: Turn,  # noqa: ARG002  # the signature is the workflow's
        now: datetime,
    ) -> Planned:
        """End every pause of this incident."""
        holds = session.holds.find_of(context.workflow_id)
        paused = [held.request.action_id for held in holds if held.request.kind == PAUSE]
        n = resume(session, paused, now=now)
        return Written(f"advertising goes on for {n} customers") if n else Skip("nothing rested")


class CloseIncident(Action[IncidentContext]):
    """Keeps the report and sends it to the owner."""

    def plan(
        self, session: StoreSession, *, context: IncidentContext, turn: Turn, now: datetime
    ) -> Written:
        """Write it, once."""
        burst = context.read_burst(session)
        report = write_report(session, context=context, now=now)
        session.bursts.close(burst.incident_id, at=now, report=report)
        subject = context.pilot.words.report.subject.format(
            branch=burst.branch, topic=context.title_of(burst.topic)
        )
        tell_owner(
            session,
            Letter(subject=subject, body=report),
            context=context,
            branch=burst.branch,
            key=turn.name_action(),
            now=now,
            is_urgent=False,
        )
        return Written("closed, and the report is with the owner")
