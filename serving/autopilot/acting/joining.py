"""What is to be done for those who complain later, and about a cause that was confirmed since."""

from collections.abc import Iterable, Iterator, Sequence

from features.evidence import Scalar
from serving.autopilot.acting.context import IncidentContext
from serving.autopilot.acting.pausing import STAGE as PAUSE
from serving.autopilot.acting.pausing import plan_pause
from serving.autopilot.acting.updates import Stage, find_cause
from serving.autopilot.acting.writing import (
    SENT,
    find_stage,
    list_affected,
    name_cause,
    plan_letters,
)
from serving.corridor.actions import ActionRequest, ActionState
from serving.store.bursts import BurstRow
from serving.store.letters import Letter
from serving.store.store import StoreSession
from serving.workflows.actions import Turn

_ALIVE = frozenset({ActionState.WAITING, ActionState.CLAIMED})
_ABOUT_CAUSE = frozenset({Stage.CHECKING, Stage.CAUSE})


def plan_for_more(
    session: StoreSession, *, context: IncidentContext, burst: BurstRow, turn: Turn
) -> tuple[ActionRequest, ...]:
    """Advertising rests for whoever has joined, who is told, too; and everybody a new cause."""
    pause = plan_pause(session, context=context, burst=burst, action_id=turn.name_action(PAUSE))
    asked = [pause] + [
        plan_letters(
            session,
            context=context,
            burst=burst,
            stage=stage,
            action_id=turn.name_action(stage.partition("/")[0]),
            customer_ids=customer_ids,
        )
        for stage, customer_ids in _list_readers(session, context=context)
    ]
    return tuple(one for one in asked if one is not None)


def _list_readers(
    session: StoreSession, *, context: IncidentContext
) -> Iterator[tuple[str, Sequence[str]]]:
    """Who may still have to be told something, by the stage of the letters.

    A cause is told to whoever has read something else last: that it is not known, or another one.
    """
    letters = session.letters.find_of(context.workflow_id)
    # Letters that still wait for a yes will go to whoever has joined by then.
    if not _wait(session, [one for one in letters if one.stage == Stage.CHECKING]):
        yield Stage.CHECKING, list_affected(session, context=context)
    confirmed = session.amends.find_cause(context.workflow_id)
    if confirmed is not None:
        topic = context.read_burst(session).topic
        words = find_cause(context.pilot.updates, topic, cause=confirmed.cause)
        read = _find_last_words(letters)
        others = [one for one, said in read.items() if said not in words.values()]
        yield name_cause(confirmed), others


def _wait(session: StoreSession, letters: Iterable[Letter]) -> bool:
    """Whether letters are still to be written."""
    held = [session.holds.find(action_id) for action_id in {one.action_id for one in letters}]
    return any(one is not None and one.state in _ALIVE for one in held)


def _find_last_words(letters: Iterable[Letter]) -> dict[str, Scalar]:
    """What each customer who was written to has read last about the cause."""
    told = [
        one
        for one in letters
        if one.stage != PAUSE and one.reason == SENT and find_stage(one) in _ABOUT_CAUSE
    ]
    told.sort(key=lambda one: (find_stage(one) is Stage.CAUSE, one.stage))
    return {one.customer_id: one.request.evidence["update"] for one in told if one.request}
