"""Commands of whoever is on duty: incidents pause marketing, and planned messages are cancelled."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from serving.cli.output import JsonOption, parse_moment, show, show_json, show_table
from serving.policy.cases import from_us, to_us
from serving.settings import read_settings
from serving.store.cancel import CancelState
from serving.store.incidents import Incident
from serving.store.store import Store

incident = typer.Typer(
    help="Something is wrong for a region or some customers: their marketing rests.",
    no_args_is_help=True,
)

NameArgument = Annotated[str, typer.Argument(help="Identity of the incident.")]
AtOption = Annotated[
    str | None, typer.Option("--at", help="Moment with a time zone; now when not given.")
]


@incident.command("open")
def open_incident(
    name: NameArgument,
    region: Annotated[
        str | None, typer.Option(help="Whom it touches, by the region in `customers`.")
    ] = None,
    customer: Annotated[
        list[str] | None, typer.Option(help="Whom it touches, one by one; may be repeated.")
    ] = None,
    at: AtOption = None,
    until: Annotated[
        str | None, typer.Option(help="When it ends, where that is known already.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Pause marketing for a region or for customers; service messages go on."""
    starts_at = _read_moment(at)
    ends_at = None if until is None else parse_moment(until, option="--until")
    store = Store(read_settings().store_place)
    with store.transaction() as session:
        session.incidents.open(
            name,
            starts_at_us=to_us(starts_at),
            region=region,
            customer_ids=customer or (),
            ends_at_us=None if ends_at is None else to_us(ends_at),
        )
    store.close()
    if as_json:
        show_json({"incident": name, "starts_at": starts_at.isoformat()})
    else:
        show(f"{name}: marketing rests since {starts_at:%Y-%m-%d %H:%M} UTC")


@incident.command("close")
def close_incident(name: NameArgument, at: AtOption = None, as_json: JsonOption = False) -> None:
    """End an incident; marketing goes on."""
    ends_at = _read_moment(at)
    store = Store(read_settings().store_place)
    with store.transaction() as session:
        session.incidents.close(name, at_us=to_us(ends_at))
    store.close()
    if as_json:
        show_json({"incident": name, "ends_at": ends_at.isoformat()})
    else:
        show(f"{name}: ended at {ends_at:%Y-%m-%d %H:%M} UTC")


@incident.command("list")
def list_incidents(as_json: JsonOption = False) -> None:
    """Every incident, the earliest first."""
    store = Store(read_settings().store_place)
    with store.reading() as session:
        found = session.incidents.find_all()
    store.close()
    if as_json:
        show_json({"incidents": [_describe(one) for one in found]})
        return
    rows = [tuple(value or "" for value in _describe(one).values()) for one in found]
    show_table(("incident", "region", "starts", "ends"), rows)


def cancel(
    message: Annotated[list[str], typer.Argument(help="Messages that are not to be sent.")],
    at: AtOption = None,
    as_json: JsonOption = False,
) -> None:
    """Cancel planned messages; budgets get theirs back. 1 where one was too late or unknown."""
    store = Store(read_settings().store_place)
    with store.transaction() as session:
        states = session.cancel(message, at=_read_moment(at))
    store.close()
    if as_json:
        show_json({"states": dict(zip(message, (state.value for state in states), strict=True))})
    else:
        for message_id, state in zip(message, states, strict=True):
            show(f"{message_id}: {state}")
    if {CancelState.TOO_LATE, CancelState.UNKNOWN_MESSAGE} & set(states):
        raise typer.Exit(1)


def _read_moment(text: str | None) -> datetime:
    return datetime.now(UTC) if text is None else parse_moment(text, option="--at")


def _describe(one: Incident) -> dict[str, str | None]:
    return {
        "incident": one.incident_id,
        "region": one.region,
        "starts_at": from_us(one.starts_at_us).isoformat(),
        "ends_at": None if one.ends_at_us is None else from_us(one.ends_at_us).isoformat(),
    }
