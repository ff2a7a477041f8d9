"""Commands about who may come into the console."""

import getpass
import sys
from contextlib import closing
from datetime import UTC, datetime
from typing import Annotated

import typer

from features.errors import BadInputError
from serving.cli.output import Json, JsonOption, say, show, show_json, show_table
from serving.console.access import Role
from serving.console.accounts import Accounts
from serving.settings import Settings, read_settings
from serving.store.store import Store

console = typer.Typer(
    help="People who may come into the console that `opportune serve` has at /console.",
    no_args_is_help=True,
)

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="Who; the log keeps it.")]
RoleOption = Annotated[
    Role,
    typer.Option(
        help="A viewer looks; an operator decides as far as the corridor lets operators; an owner "
        "also approves what is for owners, and lets go on what was stopped."
    ),
]

_BY = "command line"


@console.command("add-user")
def add_user(name: NameArgument, role: RoleOption) -> None:
    """Let somebody in. Their password is asked for, or is the first line of standard input."""
    settings = read_settings()
    password = _read_password()
    with closing(_open(settings)) as store:
        _accounts(store).add(name, role=role, password=password, by=_BY)
    show(f"{name} may come in as {role}: {settings.console_address}/")


@console.command("list")
def list_users(as_json: JsonOption = False) -> None:
    """Who may come in, and as what."""
    with closing(_open(read_settings())) as store:
        found = _accounts(store).list()
    if as_json:
        rows: list[Json] = [
            {"name": one.name, "role": one.role, "made_at": one.made_at.isoformat()}
            for one in found
        ]
        show_json({"accounts": rows})
        return
    rows_of_text = [(one.name, one.role, f"{one.made_at:%Y-%m-%d %H:%M}") for one in found]
    show_table(("name", "role", "since (UTC)"), rows_of_text)
    if not found:
        say("nobody may come in yet: `opportune console add-user NAME --role owner`")


@console.command("remove")
def remove(name: NameArgument) -> None:
    """Let somebody in no more; they are out at once, wherever they are in."""
    with closing(_open(read_settings())) as store:
        _accounts(store).remove(name, by=_BY)
    show(f"{name} may not come in any more, and is out")


@console.command("password")
def password(name: NameArgument) -> None:
    """Give somebody another password; their sessions end."""
    new = _read_password()
    with closing(_open(read_settings())) as store:
        _accounts(store).set_password(name, password=new, by=_BY)
    show(f"{name} has another password, and is out until they use it")


@console.command("sign-out")
def sign_out(name: NameArgument) -> None:
    """End every session of somebody; they may come in again."""
    with closing(_open(read_settings())) as store:
        n = _accounts(store).sign_out_everywhere(name, by=_BY)
    show(f"{n} {'session' if n == 1 else 'sessions'} of {name} ended")


def _read_password() -> str:
    """The password: asked for twice on a terminal, which does not show it; else a line of input."""
    if not _is_terminal():
        return sys.stdin.readline().rstrip("\r\n")
    first = getpass.getpass("password: ")
    if getpass.getpass("once more: ") != first:
        raise BadInputError("password: both were not the same")
    return first


def _is_terminal() -> bool:
    return sys.stdin.isatty()


def _open(settings: Settings) -> Store:
    """The store; made where there is none, since people come before the first decision."""
    return Store(settings.store_place)


def _accounts(store: Store) -> Accounts:
    return Accounts(store, clock=lambda: datetime.now(UTC))
