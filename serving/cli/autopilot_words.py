"""Commands by which people say what they want of an incident, and look at one."""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated

import typer

from features.errors import BadInputError
from serving.audit.story import tell_entries
from serving.autopilot.acting.answers import (
    MOST_CENTS,
    VendorAnswer,
    answer_vendor,
    ask_to_close,
    confirm_cause,
)
from serving.autopilot.acting.settings import load_acting_settings
from serving.autopilot.acting.topics import KIND
from serving.autopilot.acting.updates import load_updates
from serving.cli.output import Json, JsonOption, show, show_json, show_table
from serving.cli.own_store import open_own_store
from serving.cli.switches import ByOption
from serving.cli.zones import read_zone
from serving.corridor.actions import ActionState, Denied, Done
from serving.corridor.desk import CorridorDesk
from serving.corridor.held import Held
from serving.corridor.settings import find_corridor
from serving.faults import EXIT_REFUSED
from serving.settings import Settings, read_settings
from serving.store.amends import IssuedCredit
from serving.store.bursts import BurstRow, BurstState
from serving.store.store import Store, StoreSession
from serving.workflows.words import approve_action, veto_action

_ALL = "/*"

IncidentArgument = Annotated[
    str, typer.Argument(metavar="INCIDENT", help="As `opportune autopilot incidents` names it.")
]
ActionsArgument = Annotated[
    list[str],
    typer.Argument(
        metavar="ACTION...",
        help="As `opportune autopilot show` names them; `NAME/*` is all that wait and begin so.",
    ),
]
RoleOption = Annotated[str, typer.Option(help="As what: `owner`, `operator`.")]


group = typer.Typer()


class YesNo(StrEnum):
    """What a vendor says."""

    YES = "yes"
    NO = "no"


@group.command("incidents")
def list_incidents(
    all_: Annotated[bool, typer.Option("--all", help="Closed ones, too.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Incidents, the newest first."""
    settings = read_settings()
    zone = read_zone(settings.zone)
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
    zone = read_zone(settings.zone)
    with closing(open_own_store(settings)) as store, store.reading() as session:
        burst = _require_burst(session, incident)
        holds = session.holds.find_of(_name_workflow(incident))
        entries = list(session.audit.read(subject=_name_workflow(incident)))
        given = session.amends.find_credits(_name_workflow(incident))
    if as_json:
        show_json(
            {
                "incident": _describe(burst),
                "actions": [_describe_hold(held) for held in holds],
                "credits": [_describe_credit(one) for one in given],
                "report": burst.report,
            }
        )
        return
    show(f"{burst.incident_id}: {burst.branch}, {burst.topic}, {burst.state}")
    rows = [
        (
            held.request.action_id,
            held.state.value,
            f"{held.request.amount_cents / 100:,.2f} {held.request.currency}",
            f"{held.due_at.astimezone(zone):%H:%M}",
            f"{held.expires_at.astimezone(zone):%Y-%m-%d %H:%M}",
        )
        for held in holds
    ]
    show_table(("action", "state", "at most", f"window ends ({zone.key})", "held until"), rows)
    for line in tell_entries(entries, zone=zone):
        show(line)
    if burst.report:
        show(f"\n{burst.report}")


@group.command("approve")
def approve(action: ActionsArgument, by: ByOption, role: RoleOption) -> None:
    """Say yes to actions that wait. 1 where one was refused."""
    settings = read_settings()
    desk = _make_desk(settings)
    answers: list[Done | Denied] = []
    with _speaking(settings) as (session, now):
        for name in _find_actions(session, action):
            answer = approve_action(session, name, desk=desk, by=by, role=role, now=now)
            answers.append(answer)
            _say(name, answer, words="approved")
    _exit(answers)


@group.command("veto")
def veto(
    action: ActionsArgument,
    by: ByOption,
    role: RoleOption = "owner",
    note: Annotated[str, typer.Option(help="Why, for the log.")] = "",
) -> None:
    """Say no to actions; it holds for good unless they were begun. 1 where one was too late."""
    settings = read_settings()
    desk = _make_desk(settings)
    answers: list[Done | Denied] = []
    with _speaking(settings) as (session, now):
        for name in _find_actions(session, action):
            answer = veto_action(session, name, desk=desk, by=by, role=role, now=now, note=note)
            answers.append(answer)
            _say(name, answer, words="vetoed")
    _exit(answers)


@group.command("answer")
def pass_on_answer(
    incident: IncidentArgument,
    vendor: Annotated[str, typer.Argument(help="Identity of the vendor that was asked.")],
    answer: Annotated[YesNo, typer.Argument(help="What it said.")],
    by: ByOption,
    price: Annotated[
        str | None, typer.Option(help="What it wants at most, in the corridor's currency: 14000.")
    ] = None,
    eta: Annotated[int | None, typer.Option(help="Minutes until it is there.")] = None,
) -> None:
    """Pass on what a vendor said: whether it can come, for how much and when, or that it comes."""
    told = VendorAnswer(
        is_yes=answer is YesNo.YES,
        price_cents=None if price is None else _read_cents(price),
        eta_minutes=eta,
    )
    with _speaking(read_settings()) as (session, now):
        _require_open_burst(session, incident)
        state = answer_vendor(
            session, _name_workflow(incident), vendor, answer=told, by=by, now=now
        )
    show(f"{vendor}: {state}")


@group.command("confirm-cause")
def confirm(
    incident: IncidentArgument,
    cause: Annotated[str, typer.Argument(help="Its name in the words of incidents.")],
    by: ByOption,
) -> None:
    """Confirm why it was so: from now on customers are told that, in approved words."""
    settings = read_settings()
    updates = load_updates(load_acting_settings(settings.autopilot).updates)
    with _speaking(settings) as (session, now):
        burst = _require_open_burst(session, incident)
        confirm_cause(
            session,
            _name_workflow(incident),
            topic=burst.topic,
            cause=cause,
            updates=updates,
            by=by,
            now=now,
        )
    show(f"{burst.incident_id}: the cause is {cause}")


@group.command("close")
def close(incident: IncidentArgument, by: ByOption) -> None:
    """Close an incident: what waits is given up, and the report is written."""
    with _speaking(read_settings()) as (session, now):
        burst = _require_open_burst(session, incident)
        ask_to_close(session, _name_workflow(incident), by=by, now=now)
    show(f"{burst.incident_id}: is being closed")


@contextmanager
def _speaking(settings: Settings) -> Iterator[tuple[StoreSession, datetime]]:
    """A transaction in which somebody says something now."""
    store: Store = open_own_store(settings)
    with closing(store), store.transaction() as session:
        yield session, datetime.now(UTC)


def _make_desk(settings: Settings) -> CorridorDesk:
    return CorridorDesk(find_corridor(settings.corridor), home=settings.home)


def _name_workflow(incident: str) -> str:
    return incident if incident.startswith(f"{KIND}/") else f"{KIND}/{incident}"


def _require_burst(session: StoreSession, incident: str) -> BurstRow:
    burst = session.bursts.find(_name_workflow(incident).removeprefix(f"{KIND}/"))
    if burst is None:
        known = ", ".join(one.incident_id for one in session.bursts.list(only_open=True)) or "none"
        raise BadInputError(f"incident {incident!r}: there is none; open ones: {known}")
    return burst


def _require_open_burst(session: StoreSession, incident: str) -> BurstRow:
    burst = _require_burst(session, incident)
    if burst.state is BurstState.CLOSED:
        raise BadInputError(f"incident {incident!r}: it is closed; nobody acts on a word any more")
    return burst


def _find_actions(session: StoreSession, given: Sequence[str]) -> list[str]:
    """Identities of actions; `NAME/*` stands for all that wait and begin so."""
    waiting = [held.request.action_id for held in session.holds.find_in(ActionState.WAITING)]
    found: dict[str, None] = {}
    for name in given:
        if not name.endswith(_ALL):
            found[name] = None
            continue
        matching = [one for one in waiting if one.startswith(name.removesuffix("*"))]
        if not matching:
            raise BadInputError(f"action {name!r}: nothing that waits begins so")
        found |= dict.fromkeys(matching)
    return list(found)


def _say(name: str, answer: Done | Denied, *, words: str) -> None:
    if isinstance(answer, Denied):
        show(f"{name}: refused by rule {answer.rule}: {answer.why}")
    else:
        show(f"{name}: {words}" + (" already" if answer.is_again else ""))


def _exit(answers: Sequence[Done | Denied]) -> None:
    if any(isinstance(answer, Denied) for answer in answers):
        raise typer.Exit(EXIT_REFUSED)


def _read_cents(text: str) -> int:
    """An amount in hundredths.

    >>> _read_cents("14000"), _read_cents("99.50")
    (1400000, 9950)
    """
    try:
        cents = Decimal(text) * 100
        if 0 <= cents <= MOST_CENTS and cents == cents.to_integral_value():
            return int(cents)
    except ArithmeticError:  # of which those of decimals are
        pass
    raise BadInputError(f"--price {text!r}: expected an amount such as 14000 or 99.50")


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
