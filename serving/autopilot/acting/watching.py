"""Watching the recovery: who complains later is told as well, and so is a confirmed cause."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from serving.autopilot.acting.context import IncidentContext
from serving.autopilot.acting.helping import take_offer
from serving.autopilot.acting.pausing import plan_pause
from serving.autopilot.acting.responding import Respond
from serving.autopilot.acting.topics import CONFIRM_CAUSE, ENDED, GREW, reply_topic
from serving.autopilot.acting.updates import Stage
from serving.autopilot.acting.writing import SENT, list_affected, plan_letters
from serving.store.bursts import BurstRow, BurstState
from serving.store.letters import Letter
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
        action_id = turn.name_action("pause")
        asked = [
            plan_pause(session, context=context, burst=burst, action_id=action_id),
            take_offer(session, context=context, turn=turn),
        ]
        asked += [
            plan_letters(
                session,
                context=context,
                burst=burst,
                stage=stage,
                action_id=turn.name_action(stage.value),
                customer_ids=customer_ids,
            )
            for stage, customer_ids in _list_readers(session, context=context)
        ]
        requests = tuple(one for one in asked if one is not None)
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
    return burst.ended_at is not None and now >= find_recovery(burst, context=context)


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
    return context.read_burst(session).ended_at is not None


def _list_readers(
    session: StoreSession, *, context: IncidentContext
) -> Iterator[tuple[Stage, Sequence[str]]]:
    """Who may still have to be told something, by what it is."""
    yield Stage.CHECKING, list_affected(session, context=context)
    confirmed = session.amends.find_cause(context.workflow_id)
    if confirmed is not None:
        open_words = set(context.pilot.updates.stages[Stage.CHECKING].values())
        letters = session.letters.find_of(context.workflow_id)
        yield Stage.CAUSE, [one.customer_id for one in letters if _has_read(one, open_words)]


def _has_read(letter: Letter, words: set[str]) -> bool:
    """Whether somebody was told exactly this."""
    is_told = letter.request is not None and letter.reason == SENT
    return is_told and letter.request is not None and letter.request.evidence["update"] in words
