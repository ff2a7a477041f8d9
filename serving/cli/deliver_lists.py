"""What is in the outbox, and what people say about it: lists, new attempts, what became of it."""

from datetime import datetime

import typer

from features.errors import BadInputError
from serving.audit.entries import EntryKind
from serving.cli.output import Json, show, show_json, show_table
from serving.corridor.switch_names import is_switch_name
from serving.faults import EXIT_REFUSED
from serving.policy.cases import from_us, to_us
from serving.store.claims import OutboxState
from serving.store.notice_outbox import Telling
from serving.store.outbox import Queued
from serving.store.store import Store

_MOST_LISTED = 100
_MOST_CHARACTERS = 200
_ANSWERS = {"sent": True, "not-sent": False}
_NOBODY = "opportune deliver"


def list_outbox(store: Store, state: OutboxState, *, lane: str, as_json: bool) -> None:
    """Show messages and notices in a state."""
    with store.reading() as session:
        found = session.outbox.find(state, lane=lane, most=_MOST_LISTED)
        told = session.notice_outbox.find(state, lane=lane, most=_MOST_LISTED)
        n = session.outbox.count(lane=lane).get(state, 0)
        n_notices = session.notice_outbox.count(lane=lane).get(state, 0)
    if as_json:
        show_json(
            {
                "lane": lane,
                "state": state.value,
                "n": n,
                "messages": [_describe(one) for one in found],
                "n_notices": n_notices,
                "notices": [_describe_notice(one) for one in told],
            }
        )
        return
    rows = [
        (one.message_id, one.channel, one.trigger, str(one.n_attempts), one.reason or "")
        for one in found
    ]
    title = f"{n:,} {state}" + (f", the first {len(found)}" if n > len(found) else "")
    show_table(("message", "channel", "trigger", "attempts", "why"), rows, title=title)
    if told:
        _show_notices(told, n=n_notices, state=state)


def requeue(
    store: Store, keys: list[str], *, by: str | None, lane: str, at: datetime, as_json: bool
) -> None:
    """Give what is dead its attempts again, as the log keeps; exit status 1 where one is not dead.

    Raises:
        BadInputError: Who says so is no printable name; the command itself where nobody is named.
    """
    if by is not None and not is_switch_name(by):
        raise BadInputError("--requeue: expected --by, a printable name of who says so")
    who = by or _NOBODY
    with store.transaction() as session:
        done = {
            key: session.outbox.requeue([key], lane=lane, at_us=to_us(at)) == [True]
            or session.notice_outbox.requeue([key], lane=lane, at_us=to_us(at)) == [True]
            for key in keys
        }
        for key in (key for key, is_done in done.items() if is_done):
            session.audit.append(
                EntryKind.HUMAN,
                "outbox",
                {"id": key[:_MOST_CHARACTERS], "lane": lane},
                by=who,
                at=at,
                words=f"{who} gives what was dead in the outbox new attempts",
            )
    if as_json:
        show_json({"requeued": done})
    else:
        for key, is_done in done.items():
            show(f"{key}: {'requeued' if is_done else 'is not dead'}")
    if not all(done.values()):
        raise typer.Exit(EXIT_REFUSED)


def resolve(
    store: Store,
    key: str,
    answer: str,
    *,
    by: str | None,
    lane: str,
    at: datetime,
    as_json: bool,
) -> None:
    """Say what became of something uncertain; the log keeps who said it.

    Raises:
        BadInputError: The answer is neither `sent` nor `not-sent`, or nobody says it.
    """
    if answer not in _ANSWERS:
        raise BadInputError(f"--resolve {key} {answer!r}: expected sent or not-sent")
    if by is None or not is_switch_name(by):
        raise BadInputError("--resolve: expected --by, a printable name of who says so")
    was_sent = _ANSWERS[answer]
    with store.transaction() as session:
        is_done = any(
            desk.resolve(
                key, lane=lane, at_us=to_us(at), was_sent=was_sent, reason=f"{by} says: {answer}"
            )
            for desk in (session.outbox, session.notice_outbox)
        )
        if is_done:
            session.audit.append(
                EntryKind.HUMAN,
                "outbox",
                {"id": key[:_MOST_CHARACTERS], "was_sent": was_sent},
                by=by,
                at=at,
                words=f"{by} says of what was uncertain in the outbox: {answer}",
            )
    if as_json:
        show_json({"resolved": {key: is_done}})
    else:
        show(f"{key}: {answer if is_done else 'is not uncertain'}")
    if not is_done:
        raise typer.Exit(EXIT_REFUSED)


def _show_notices(told: list[Telling], *, n: int, state: OutboxState) -> None:
    rows = [
        (
            one.handover_id,
            f"{one.notice.to.kind}/{one.notice.to.name}",
            str(one.n_attempts),
            one.reason or "",
        )
        for one in told
    ]
    title = f"notices: {n:,} {state}" + (f", the first {len(told)}" if n > len(told) else "")
    show_table(("notice", "to", "attempts", "why"), rows, title=title)


def _describe(one: Queued) -> dict[str, Json]:
    return {
        "message_id": one.message_id,
        "decision_id": one.decision_id,
        "customer_id": one.customer_id,
        "channel": one.channel.value,
        "trigger": one.trigger.value,
        "planned_at": from_us(one.planned_at_us).isoformat(),
        "due_at": from_us(one.due_at_us).isoformat(),
        "attempts": one.n_attempts,
        "reason": one.reason,
    }


def _describe_notice(one: Telling) -> dict[str, Json]:
    return {
        "handover_id": one.handover_id,
        "notice": one.notice.key,
        "to": f"{one.notice.to.kind}/{one.notice.to.name}",
        "way": one.way,
        "workflow_id": one.notice.workflow_id,
        "due_at": from_us(one.due_at_us).isoformat(),
        "attempts": one.n_attempts,
        "reason": one.reason,
    }
