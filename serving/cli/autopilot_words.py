"""Commands by which people say what they want of an incident."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated

import typer

from features.errors import BadInputError
from serving.autopilot.acting.answers import (
    MOST_CENTS,
    VendorAnswer,
    answer_vendor,
    ask_to_close,
    confirm_cause,
)
from serving.autopilot.acting.settings import load_acting_settings
from serving.autopilot.acting.updates import load_updates
from serving.cli.autopilot_show import IncidentArgument, name_workflow, require_burst
from serving.cli.output import show
from serving.cli.own_store import open_own_store
from serving.cli.people import ByOption
from serving.corridor.actions import ActionState, Denied, Done
from serving.corridor.desk import CorridorDesk
from serving.corridor.settings import find_corridor
from serving.faults import EXIT_REFUSED
from serving.settings import Settings, read_settings
from serving.store.bursts import BurstRow, BurstState
from serving.store.store import Store, StoreSession
from serving.workflows.words import approve_action, veto_action

_ALL = "/*"

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


@group.command("approve")
def approve(action: ActionsArgument, by: ByOption, role: RoleOption) -> None:
    """Say yes to actions that wait. 1 where one was refused."""
    settings = read_settings()
    desk = _make_desk(settings)
    with _speaking(settings) as (session, now):
        answers = {
            name: approve_action(session, name, desk=desk, by=by, role=role, now=now)
            for name in _find_actions(session, action)
        }
    _tell(answers, words="approved")


@group.command("veto")
def veto(
    action: ActionsArgument,
    by: ByOption,
    role: RoleOption = "role not said",
    note: Annotated[str, typer.Option(help="Why, for the log.")] = "",
) -> None:
    """Say no to actions; it holds for good unless they were begun. 1 where one was too late."""
    settings = read_settings()
    desk = _make_desk(settings)
    with _speaking(settings) as (session, now):
        answers = {
            name: veto_action(session, name, desk=desk, by=by, role=role, now=now, note=note)
            for name in _find_actions(session, action)
        }
    _tell(answers, words="vetoed")


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
        state = answer_vendor(session, name_workflow(incident), vendor, answer=told, by=by, now=now)
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
            name_workflow(incident),
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
        ask_to_close(session, name_workflow(incident), by=by, now=now)
    show(f"{burst.incident_id}: is being closed")


@contextmanager
def _speaking(settings: Settings) -> Iterator[tuple[StoreSession, datetime]]:
    """A transaction in which somebody says something now."""
    store: Store = open_own_store(settings)
    with closing(store), store.transaction() as session:
        yield session, datetime.now(UTC)


def _make_desk(settings: Settings) -> CorridorDesk:
    return CorridorDesk(find_corridor(settings.corridor), home=settings.home)


def _require_open_burst(session: StoreSession, incident: str) -> BurstRow:
    burst = require_burst(session, incident)
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


def _tell(answers: Mapping[str, Done | Denied], *, words: str) -> None:
    """Say what became of each word, once it is kept; exit status 1 where one was refused."""
    for name, answer in answers.items():
        if isinstance(answer, Denied):
            show(f"{name}: refused by rule {answer.rule}: {answer.why}")
        else:
            show(f"{name}: {words}" + (" already" if answer.is_again else ""))
    if any(isinstance(answer, Denied) for answer in answers.values()):
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
