"""One process acts on a store at a time; a second one is told so, and ends."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, make_url, text
from sqlalchemy.exc import SQLAlchemyError

from features.errors import ConflictError
from serving.store.engine import open_engine

_TAKE = text("SELECT pg_try_advisory_lock(7310921565)")  # any number, ours alone
_BUSY = "another process acts on this store already: one is enough, and two are too many"


class ActingLock:
    """The right to act, as long as this process lives.

    In SQLite it is a lock on a file beside the store's, in PostgreSQL one of a connection: either
    is free again the moment its process ends, however that happens.
    """

    def __init__(self, connection: Connection | None = None) -> None:
        """Hold it by that connection, if it is one of PostgreSQL."""
        self._connection = connection

    def require(self) -> None:
        """Raise ConflictError where it may be lost: PostgreSQL cannot be reached any more."""
        if self._connection is None:
            return
        try:
            self._connection.execute(text("SELECT 1"))
        except SQLAlchemyError as fault:
            raise ConflictError("the connection that holds the right to act is lost") from fault


@contextmanager
def hold_acting_lock(where: Path | str) -> Iterator[ActingLock]:
    """Hold the right to act on the store at a path or URL.

    Raises:
        ConflictError: Another process holds it.
    """
    path = where if isinstance(where, Path) else _find_path(where)
    if path is not None:
        with _hold_file(path.with_name(f"{path.name}.acting")):
            yield ActingLock()
        return
    engine = open_engine(where)
    try:
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            if not connection.execute(_TAKE).scalar():
                raise ConflictError(_BUSY)
            yield ActingLock(connection)
    finally:
        engine.dispose()


def _find_path(url: str) -> Path | None:
    """The file of a SQLite URL; None for PostgreSQL."""
    parts = make_url(url)
    return Path(parts.database or "") if parts.drivername == "sqlite" else None


@contextmanager
def _hold_file(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as fault:
            raise ConflictError(_BUSY) from fault
        yield
