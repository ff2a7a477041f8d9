"""Watching the recovery: who complains later is told as well, and so is a confirmed cause."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from serving.autopilot.acting.context import IncidentContext
from serving.autopilot.acting.helping import take_offer
from serving.autopilot.acting.joining import plan_for_more
from serving.autopilot.acting.responding import Respond
from serving.autopilot.acting.siblings import list_siblings
from serving.autopilot.acting.topics import CONFIRM_CAUSE, ENDED, GREW, reply_topic
from serving.store.bursts import BurstRow, BurstState
from serving.store.store import StoreSession
from serving.workflows.actions import Later, Plan, Planned, Turn

_LOOK_EVERY = timedelta(hours=1)


class KeepInformed(Respond):
    """Plans again and again until the incident is over, which is an exit of the workflow.

    A vendor that offers to come after its time was up is booked here.
    """

    def plan(
        self, session: StoreSession, *, context: IncidentContext, turn: Turn, now: datetime
    ) -> Planned:
        """Letters to those who have joined, or waiting for the next signal."""
        burst = context.read_burst(session)
        session.bursts.set_state(burst.incident_id, BurstState.RECOVERING, at=now)
        offer = take_offer(session, context=context, turn=turn)
        more = plan_for_more(session, context=context, burst=burst, turn=turn)
        requests = more if offer is None else (offer, *more)
        if requests:
            return Plan(requests, again=True, words="for those who are to be told since")
        asks = session.amends.find_asks(context.workflow_id)
        replies = tuple(reply_topic(one.vendor_id) for one in asks)
        topics = (GREW, ENDED, CONFIRM_CAUSE, *replies)
        return Later(now + _LOOK_EVERY, topics, "watches whether complaints go on")


def is_over(session: StoreSession, context: IncidentContext, now: datetime) -> bool:
    """Whether complaints ended long enough ago, or it has gone on for as long as it may."""
    rules = context.pilot.settings.recovery
    burst = context.read_burst(session)
    if now >= burst.seen_at + timedelta(hours=rules.most_hours):
        return True
    again = list_returned(session, burst)
    if burst.ended_at is None or any(one.ended_at is None for one in again):
        return False
    return all(now >= find_recovery(one, context=context) for one in (burst, *again))


def list_returned(session: StoreSession, burst: BurstRow) -> Sequence[BurstRow]:
    """Incidents of the same topic and branch that were seen since, and are not closed."""
    return [one for one in list_siblings(session, burst) if one.seen_at > burst.seen_at]


def find_recovery(burst: BurstRow, *, context: IncidentContext) -> datetime:
    """When an incident counts as over, if nobody complains any more from now on."""
    quiet = timedelta(minutes=context.pilot.settings.recovery.quiet_minutes)
    return max(burst.last_at, burst.ended_at or burst.last_at) + quiet


def is_closed_by_human(
    session: StoreSession,
    context: IncidentContext,
    now: datetime,  # noqa: ARG001  # a condition's
) -> bool:
    """Whether somebody wants it closed."""
    return session.amends.find_closing(context.workflow_id) is not None


def has_recovered(
    session: StoreSession,
    context: IncidentContext,
    now: datetime,  # noqa: ARG001  # a condition's
) -> bool:
    """Whether complaints are over, so that people may be told so."""
    burst = context.read_burst(session)
    return all(one.ended_at is not None for one in (burst, *list_returned(session, burst)))
