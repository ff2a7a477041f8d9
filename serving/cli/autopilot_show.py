"""Commands that show incidents: all of them, or one with what is done about it."""

from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from typing import Annotated

import typer

from features.errors import BadInputError
from serving.audit.story import tell_entries
from serving.autopilot.acting.topics import KIND
from serving.autopilot.acting.waiting import find_waiting
from serving.cli.output import Json, JsonOption, show, show_json, show_table
from serving.cli.own_store import open_own_store
from serving.cli.zones import read_zone
from serving.corridor.actions import ActionState
from serving.corridor.held import Held
from serving.delivery.queue import LIVE
from serving.moments import show_moment
from serving.settings import read_settings
from serving.store.amends import IssuedCredit
from serving.store.bursts import BurstRow
from serving.store.notices import Handover, Notice
from serving.store.store import StoreSession

IncidentArgument = Annotated[
    str, typer.Argument(metavar="INCIDENT", help="As `opportune autopilot incidents` names it.")
]
group = typer.Typer()


@group.command("incidents")
def list_incidents(
    all_: Annotated[bool, typer.Option("--all", help="Closed ones, too.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Incidents, the newest first."""
    settings = read_settings()
    zone = read_zone(settings.zone, given="OPPORTUNE_ZONE")
    with closing(open_own_store(settings)) as store, store.reading() as session:
        found = list(session.bursts.list(only_open=not all_))
    if as_json:
        show_json({"incidents": [_describe(one) for one in found]})
        return
    rows = [
        (
            one.incident_id,
            one.branch,
            one.topic,
            f"{one.seen_at.astimezone(zone):%Y-%m-%d %H:%M}",
            str(len(one.customer_ids)),
            one.state.value,
        )
        for one in found
    ]
    show_table(("incident", "branch", "topic", f"seen ({zone.key})", "customers", "state"), rows)


@group.command("show")
def show_incident(incident: IncidentArgument, as_json: JsonOption = False) -> None:
    """An incident: its actions, what waits for a word, and its log as a story."""
    settings = read_settings()
    zone = read_zone(settings.zone, given="OPPORTUNE_ZONE")
    with closing(open_own_store(settings)) as store, store.reading() as session:
        burst = require_burst(session, incident)
        holds = session.holds.find_of(name_workflow(incident))
        entries = list(session.audit.read(subject=name_workflow(incident)))
        given = session.amends.find_credits(name_workflow(incident))
        waiting = find_waiting(session, name_workflow(incident), now=datetime.now(UTC))
        told = [
            (notice, session.notices.find_handovers(notice.key, lane=LIVE))
            for notice in session.notices.find_of(name_workflow(incident))
        ]
    if as_json:
        show_json(
            {
                "incident": _describe(burst),
                "actions": [_describe_hold(held) for held in holds],
                "credits": [_describe_credit(one) for one in given],
                "notices": [_describe_notice(one, handovers) for one, handovers in told],
                "messages_waiting": {
                    "n": waiting.n,
                    "first_at": None if waiting.first_at is None else waiting.first_at.isoformat(),
                },
                "report": burst.report,
            }
        )
        return
    show(f"{burst.incident_id}: {burst.branch}, {burst.topic}, {burst.state}")
    rows = [
        (
            held.request.action_id,
            held.state.value,
            _say_money(held),
            f"{held.due_at.astimezone(zone):%Y-%m-%d %H:%M}",
            f"{held.expires_at.astimezone(zone):%Y-%m-%d %H:%M}",
        )
        for held in holds
    ]
    show_table(("action", "state", "money", f"window ends ({zone.key})", "held until"), rows)
    fares = [
        (f"{one.to.kind}/{one.to.name}", one.subject, _say_handovers(handovers))
        for one, handovers in told
    ]
    show_table(("told", "what", "how it fares"), fares)
    for line in tell_entries(entries, zone=zone):
        show(line)
    if waiting.first_at is not None:
        first = show_moment(waiting.first_at, zone=zone.key)
        show(
            f"\n{waiting.n:,} messages to customers wait, the first until {first}: "
            "quiet hours, or the policy's delay"
        )
    if burst.report:
        show(f"\n{burst.report}")


def name_workflow(incident: str) -> str:
    """The workflow of an incident, however people name it."""
    return incident if incident.startswith(f"{KIND}/") else f"{KIND}/{incident}"


def require_burst(session: StoreSession, incident: str) -> BurstRow:
    """The incident of that name; BadInputError tells those that are open."""
    burst = session.bursts.find(name_workflow(incident).removeprefix(f"{KIND}/"))
    if burst is None:
        known = ", ".join(one.incident_id for one in session.bursts.list(only_open=True)) or "none"
        raise BadInputError(f"incident {incident!r}: there is none; open ones: {known}")
    return burst


def _say_money(held: Held) -> str:
    """What it holds or cost; nothing where it came to nothing."""
    cents = held.settled_cents
    if held.state in (ActionState.WAITING, ActionState.CLAIMED):
        return f"at most {held.request.amount_cents / 100:,.2f} {held.request.currency}"
    return "" if cents is None else f"{cents / 100:,.2f} {held.request.currency}"


def _say_handovers(handovers: Sequence[Handover]) -> str:
    """Whether somebody was told; a dry run tells nobody."""
    if not handovers:
        return "not taken in by `opportune deliver --live` or `--live-notices`"
    return "; ".join(
        f"{one.way or 'no way to them in the file of parties'}: {one.state}"
        + (f", {one.reason}" if one.reason else "")
        for one in handovers
    )


def _describe(burst: BurstRow) -> dict[str, Json]:
    return {
        "incident": burst.incident_id,
        "branch": burst.branch,
        "topic": burst.topic,
        "state": burst.state.value,
        "since": burst.since.isoformat(),
        "seen_at": burst.seen_at.isoformat(),
        "ended_at": None if burst.ended_at is None else burst.ended_at.isoformat(),
        "customers": list(burst.customer_ids),
        "languages": dict(burst.languages),
        "severity": burst.severity.value,
    }


def _describe_hold(held: Held) -> dict[str, Json]:
    return {
        "action": held.request.action_id,
        "kind": held.request.kind,
        "state": held.state.value,
        "amount_cents": held.request.amount_cents,
        "currency": held.request.currency,
        "settled_cents": held.settled_cents,
        "due_at": held.due_at.isoformat(),
        "expires_at": held.expires_at.isoformat(),
    }


def _describe_notice(notice: Notice, handovers: Sequence[Handover]) -> dict[str, Json]:
    return {
        "notice": notice.key,
        "to": f"{notice.to.kind}/{notice.to.name}",
        "subject": notice.subject,
        "made_at": notice.made_at.isoformat(),
        "handovers": [
            {
                "way": one.way,
                "state": one.state.value,
                "reason": one.reason,
                "settled_at": None if one.settled_at is None else one.settled_at.isoformat(),
            }
            for one in handovers
        ],
    }


def _describe_credit(credit: IssuedCredit) -> dict[str, Json]:
    return {
        "customer_id": credit.customer_id,
        "code": credit.code,
        "amount_cents": credit.amount_cents,
        "currency": credit.currency,
        "issued_at": credit.issued_at.isoformat(),
        "expires_at": credit.expires_at.isoformat(),
        "revoked_at": None if credit.revoked_at is None else credit.revoked_at.isoformat(),
    }
