"""Commands that stop the autopilot and let it go on: everything, or a branch."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from features.errors import BadInputError
from serving.audit.entries import EntryKind
from serving.cli.output import say, show
from serving.cli.own_store import open_own_store
from serving.corridor.stop_files import put_stop_file, remove_stop_files
from serving.faults import EXIT_REFUSED
from serving.settings import Settings, read_settings

ByOption = Annotated[str, typer.Option("--by", help="Who says so; the log keeps it.")]
BranchOption = Annotated[
    str | None, typer.Option("--branch", help="Only this branch; everything when not given.")
]

_MOST_BYTES = 200  # so that it fits into the name of a file


def stop(by: ByOption, branch: BranchOption = None) -> None:
    """Stop at once: nothing new is done from now on. 1 where only the file could be written."""
    _require_names(by, branch)
    settings = read_settings()
    now = datetime.now(UTC)
    path = put_stop_file(settings.home, branch=branch, note=f"{by} at {now:%Y-%m-%d %H:%M} UTC")
    show(f"{_name(branch)} is stopped: {path}")
    if not _has_store(settings):
        say("this home has no store yet; the file is enough")
        return
    try:
        _throw(settings, is_stopped=True, by=by, branch=branch, now=now)
    except Exception as fault:
        # The file stops this home whatever is wrong with the store.
        say(f"the store could not be told ({type(fault).__name__}): other homes on it go on")
        raise typer.Exit(EXIT_REFUSED) from fault


def resume(by: ByOption, branch: BranchOption = None) -> None:
    """Go on: takes back both switches, and sets the corridor's clock to this moment."""
    _require_names(by, branch)
    settings = read_settings()
    if _has_store(settings):
        _throw(settings, is_stopped=False, by=by, branch=branch, now=datetime.now(UTC))
    gone = remove_stop_files(settings.home, branch=branch) if settings.home.exists() else []
    show(f"{_name(branch)} goes on" + "".join(f"; {path} is gone" for path in gone))


def _throw(
    settings: Settings, *, is_stopped: bool, by: str, branch: str | None, now: datetime
) -> None:
    """Throw the store's switch, and write it to the log in the same transaction."""
    store = open_own_store(settings)
    words = f"{by} {'stops' if is_stopped else 'resumes'} {_name(branch)}"
    with store.transaction() as session:
        session.switches.throw(branch=branch, is_stopped=is_stopped, by=by, at=now)
        if not is_stopped:
            session.holds.set_clock(now)
        body = {"branch": branch, "is_stopped": is_stopped}
        session.audit.append(EntryKind.HUMAN, "switch", body, by=by, at=now, words=words)
    store.close()


def _has_store(settings: Settings) -> bool:
    place = settings.store_place
    return not isinstance(place, Path) or place.exists()


def _require_names(by: str, branch: str | None) -> None:
    for option, name in (("--by", by), ("--branch", branch)):
        if name is None:
            continue
        if not (name.strip() and name.isprintable() and len(name.encode()) <= _MOST_BYTES):
            raise BadInputError(
                f"{option} {name!r}: expected a printable name of at most {_MOST_BYTES} bytes"
            )


def _name(branch: str | None) -> str:
    return "everything" if branch is None else f"branch {branch}"
