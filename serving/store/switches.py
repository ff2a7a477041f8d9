"""Kill switches that are rows of the store."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache

from sqlalchemy import Connection, bindparam, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError

from serving.corridor.stop_files import fold_name
from serving.policy.cases import from_us, to_us
from serving.store.engine import insert_into
from serving.store.trust_schema import corridor_switches

_ALL = "all"
_STOPPED = (
    select(corridor_switches)
    .where(corridor_switches.c.is_stopped)
    .where(corridor_switches.c.scope.in_(bindparam("scopes", expanding=True)))
    .order_by(corridor_switches.c.scope)
)
_EVERY = select(corridor_switches).order_by(corridor_switches.c.scope)


@dataclass(frozen=True, slots=True)
class Switch:
    """Where a kill switch stands, and who put it there.

    Attributes:
        branch: Whose, in small letters; None: everything's.
    """

    branch: str | None
    is_stopped: bool
    by: str
    at: datetime


class SwitchBoard:
    """The part of a transaction that reads and throws kill switches."""

    def __init__(self, connection: Connection) -> None:
        """Work on an open transaction."""
        self._connection = connection

    def find_stop(self, *, branch: str | None) -> str | None:
        """Why a switch says stop, for a branch or for what belongs to none; None: none does.

        Switches that cannot be read say stop.
        """
        scopes = [_ALL] if branch is None else [_ALL, _scope_of(branch)]
        try:
            with self._connection.begin_nested():
                row = self._connection.execute(_STOPPED, {"scopes": scopes}).first()
        except SQLAlchemyError as fault:
            return f"the store's switches cannot be read ({type(fault).__name__})"
        if row is None:
            return None
        what = "everything" if row.scope == _ALL else f"branch {branch}"
        return f"{row.by} stopped {what} at {from_us(row.at_us):%Y-%m-%d %H:%M} UTC"

    def throw(self, *, branch: str | None, is_stopped: bool, by: str, at: datetime) -> None:
        """Stop, or go on; of a branch, or of everything."""
        scope = _ALL if branch is None else _scope_of(branch)
        row = {"scope": scope, "is_stopped": is_stopped, "by": by, "at_us": to_us(at)}
        self._connection.execute(_put(self._connection.dialect.name), row)

    def find_all(self) -> Sequence[Switch]:
        """Every switch that was ever thrown."""
        return [
            Switch(
                None if row.scope == _ALL else row.scope.removeprefix("branch/"),
                row.is_stopped,
                row.by,
                from_us(row.at_us),
            )
            for row in self._connection.execute(_EVERY)
        ]


def _scope_of(branch: str) -> str:
    """As with the files, letters' case does not matter, nor how their accents are written."""
    return f"branch/{fold_name(branch)}"


@cache
def _put(dialect: str) -> "sqlite.Insert | postgresql.Insert":
    put = insert_into(dialect, corridor_switches)
    names = ("is_stopped", "by", "at_us")
    return put.on_conflict_do_update(
        index_elements=["scope"], set_={name: put.excluded[name] for name in names}
    )
