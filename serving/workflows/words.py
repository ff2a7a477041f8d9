"""What humans say about an action of a workflow: the corridor hears it, and the workflow wakes."""

import json
from datetime import datetime

from serving.corridor.actions import Denied, Done
from serving.corridor.desk import CorridorDesk
from serving.store.store import StoreSession

APPROVE = "approve"
VETO = "veto"


def approve_action(
    session: StoreSession,
    action_id: str,
    *,
    desk: CorridorDesk,
    by: str,
    role: str,
    now: datetime,
) -> Done | Denied:
    """A human says yes; the workflow acts as soon as it wakes, which is within a second.

    Args:
        session: A transaction that writes; it must be kept, also where the answer is no.
        action_id: Of the corridor's action.
        desk: The corridor.
        by: Who says it.
        role: As what.
        now: Aware.
    """
    answer = desk.approve(session, action_id, by=by, role=role, now=now)
    if isinstance(answer, Done):
        _wake(session, action_id, topic=APPROVE, by=by, now=now)
    return answer


def veto_action(
    session: StoreSession,
    action_id: str,
    *,
    desk: CorridorDesk,
    by: str,
    role: str,
    now: datetime,
    note: str = "",
) -> Done | Denied:
    """A human says no, which holds for good unless the action was claimed; arguments as above."""
    answer = desk.veto(session, action_id, by=by, role=role, now=now, note=note)
    if isinstance(answer, Done) and not answer.is_again:
        _wake(session, action_id, topic=VETO, by=by, now=now)
    return answer


def _wake(session: StoreSession, action_id: str, *, topic: str, by: str, now: datetime) -> None:
    held = session.holds.find(action_id)
    if held is None:  # nobody's: the desk has said so
        return
    key = f"{topic}/{action_id}/{now.isoformat()}/{by}"
    body = json.dumps({"action_id": action_id}, ensure_ascii=False)
    session.flows.signal(held.request.subject, topic=topic, at=now, key=key, body_json=body)
