"""Commands of whoever is on duty: incidents pause marketing, and planned messages are cancelled."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from serving.cli.output import Json, JsonOption, parse_moment, show, show_json, show_table
from serving.cli.own_store import open_own_store
from serving.cli.zones import read_zone
from serving.moments import show_moment
from serving.policy.cases import from_us, to_us
from serving.settings import read_settings
from serving.store.cancel import CancelState
from serving.store.incidents import Incident

incident = typer.Typer(
    help="Something is wrong for a region or some customers: their marketing rests.",
    no_args_is_help=True,
)

_N_SHOWN = 5

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
    settings = read_settings()
    zone = read_zone(settings.zone, given="OPPORTUNE_ZONE").key
    store = open_own_store(settings)
    opened = Incident(
        incident_id=name,
        region=region,
        starts_at_us=to_us(starts_at),
        ends_at_us=None if ends_at is None else to_us(ends_at),
        customer_ids=frozenset(customer or ()),
    )
    with store.transaction() as session:
        session.incidents.open(
            name,
            starts_at_us=opened.starts_at_us,
            region=region,
            customer_ids=opened.customer_ids,
            ends_at_us=opened.ends_at_us,
        )
    store.close()
    if as_json:
        show_json(_describe(opened))
    else:
        show(f"{name}: marketing rests since {show_moment(starts_at, zone=zone)}")


@incident.command("close")
def close_incident(name: NameArgument, at: AtOption = None, as_json: JsonOption = False) -> None:
    """End an incident; marketing goes on."""
    ends_at = _read_moment(at)
    settings = read_settings()
    zone = read_zone(settings.zone, given="OPPORTUNE_ZONE").key
    store = open_own_store(settings)
    with store.transaction() as session:
        session.incidents.close(name, at_us=to_us(ends_at))
    store.close()
    if as_json:
        show_json({"incident": name, "ends_at": ends_at.isoformat()})
    else:
        show(f"{name}: ended at {show_moment(ends_at, zone=zone)}")


@incident.command("list")
def list_incidents(as_json: JsonOption = False) -> None:
    """Every incident, the earliest first."""
    settings = read_settings()
    zone = read_zone(settings.zone, given="OPPORTUNE_ZONE").key
    store = open_own_store(settings)
    with store.reading() as session:
        found = session.incidents.find_all()
    store.close()
    if as_json:
        show_json({"incidents": [_describe(one) for one in found]})
        return
    rows = [_cells(one, zone=zone) for one in found]
    show_table(("incident", "region", "customers", "starts", "ends"), rows)


def cancel(
    message: Annotated[list[str], typer.Argument(help="Messages that are not to be sent.")],
    at: AtOption = None,
    as_json: JsonOption = False,
) -> None:
    """Cancel planned messages; budgets get theirs back. 1 where one was too late or unknown."""
    store = open_own_store(read_settings())
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


def _cells(one: Incident, *, zone: str) -> tuple[str, ...]:
    """A line of the list; of many customers the first ones."""
    first, n_more = sorted(one.customer_ids)[:_N_SHOWN], len(one.customer_ids) - _N_SHOWN
    return (
        one.incident_id,
        one.region or "",
        ", ".join(first) + (f" and {n_more:,} more" if n_more > 0 else ""),
        show_moment(from_us(one.starts_at_us), zone=zone),
        "" if one.ends_at_us is None else show_moment(from_us(one.ends_at_us), zone=zone),
    )


def _describe(one: Incident) -> dict[str, Json]:
    return {
        "incident": one.incident_id,
        "region": one.region,
        "customers": sorted(one.customer_ids),
        "starts_at": from_us(one.starts_at_us).isoformat(),
        "ends_at": None if one.ends_at_us is None else from_us(one.ends_at_us).isoformat(),
    }
