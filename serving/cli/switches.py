"""Commands that stop the autopilot and let it go on: everything, or a branch.

This module imports little, so that the file that stops this home is written at once.
"""

from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from features.errors import BadInputError
from serving.cli.output import say, show
from serving.cli.people import ByOption
from serving.corridor.stop_files import fold_name, put_stop_file, remove_stop_files
from serving.corridor.switch_names import MOST_BYTES, is_switch_name, name_scope
from serving.faults import EXIT_REFUSED
from serving.settings import Settings, read_settings

BranchOption = Annotated[
    str | None, typer.Option("--branch", help="Only this branch; everything when not given.")
]

_MOST_NAMED = 20

group = typer.Typer()


@group.command("stop")
def stop(by: ByOption, branch: BranchOption = None) -> None:
    """Stop at once: nothing new is done from now on. 1 where one of both switches failed."""
    _require_branch(branch)
    settings = read_settings()
    now = datetime.now(UTC)
    is_written = _write_file(settings.home, by=by, branch=branch, now=now)
    if not _has_store(settings):
        if not is_written:
            say("this home has no store yet: nothing is stopped")
            raise typer.Exit(EXIT_REFUSED)
        say("this home has no store yet; the file is enough")
        return
    try:
        _throw(settings, is_stopped=True, by=by, branch=branch, now=now)
    except Exception as fault:
        # The file stops this home whatever is wrong with the store.
        left = "other homes on it go on" if is_written else "nothing is stopped"
        say(f"the store could not be told ({type(fault).__name__}): {left}")
        raise typer.Exit(EXIT_REFUSED) from fault
    show(f"{name_scope(branch)} is stopped: in the store")
    _warn_of_unknown(settings, branch)
    if not is_written:
        raise typer.Exit(EXIT_REFUSED)


@group.command("resume")
def resume(by: ByOption, branch: BranchOption = None) -> None:
    """Go on: takes back both switches, and sets the corridor's clock to this moment."""
    _require_branch(branch)
    settings = read_settings()
    if _has_store(settings):
        _throw(settings, is_stopped=False, by=by, branch=branch, now=datetime.now(UTC))
    gone = remove_stop_files(settings.home, branch=branch) if settings.home.exists() else []
    show(f"{name_scope(branch)} goes on" + "".join(f"; {path} is gone" for path in gone))
    if _has_store(settings):
        _warn_of_unknown(settings, branch)


def _write_file(home: Path, *, by: str, branch: str | None, now: datetime) -> bool:
    """Write the switch that is a file; whether it is there. The store is told in any case."""
    try:
        path = put_stop_file(home, branch=branch, note=f"{by} at {now:%Y-%m-%d %H:%M} UTC")
    except OSError as fault:
        say(f"the file could not be written: {fault.filename}: {fault.strerror}")
        return False
    show(f"{name_scope(branch)} is stopped: {path}")
    return True


def _throw(
    settings: Settings, *, is_stopped: bool, by: str, branch: str | None, now: datetime
) -> None:
    # Imported here since it takes a second: by now the file has stopped this home.
    from serving.cli.own_store import open_own_store
    from serving.corridor.switching import throw_switch

    with closing(open_own_store(settings)) as store, store.transaction() as session:
        throw_switch(session, is_stopped=is_stopped, by=by, branch=branch, now=now)


def _warn_of_unknown(settings: Settings, branch: str | None) -> None:
    """Say where no message has named such a branch: it may go by another name."""
    from serving.cli.own_store import open_own_store

    if branch is None:
        return
    with closing(open_own_store(settings)) as store, store.reading() as session:
        known = session.inbound.list_branches()
    if fold_name(branch) not in map(fold_name, known):
        names = ", ".join(known[:_MOST_NAMED]) + (", ..." if len(known) > _MOST_NAMED else "")
        say(f"no message has named a branch {branch!r}; known are: {names or 'none'}")


def _has_store(settings: Settings) -> bool:
    place = settings.store_place
    return not isinstance(place, Path) or place.exists()


def _require_branch(branch: str | None) -> None:
    if branch is not None and not is_switch_name(branch):
        raise BadInputError(
            f"--branch {branch!r}: expected a printable name of at most {MOST_BYTES} bytes"
        )
