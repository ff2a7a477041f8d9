"""Databases that the store runs on: SQLite by default, PostgreSQL where one is named."""

import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from sqlalchemy import Connection, Engine, Insert, Table, create_engine, event, make_url, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, OperationalError
from sqlalchemy.pool import ConnectionPoolEntry

from features.errors import BusyError, ConfigurationError

WRITES = "opportune_writes"
"""Execution option: take the write lock when the transaction begins."""

_PATIENCE_MS = ContextVar("patience_ms", default=30_000)
_CACHE_KIB = 65_536
_WAL_TRIES = 200
_WAL_PAUSE_SECONDS = 0.02
_WRITE_LOCK = text("SELECT pg_advisory_xact_lock(7310921564)")  # any number, ours alone
_POSTGRES = "postgresql+psycopg"
_BUSY = "store: another process is writing, and goes on: nothing was done, try it again"
_POSTGRES_WAITED = "55P03"  # lock_not_available


def open_engine(where: Path | str) -> Engine:
    """The database at a path (SQLite, made where there is none) or at a URL.

    Raises:
        ConfigurationError: The URL is not one of SQLite or PostgreSQL (`postgresql+psycopg://`).
    """
    if isinstance(where, Path):
        where.parent.mkdir(parents=True, exist_ok=True)
        return _open_sqlite(f"sqlite:///{where}")
    try:
        name = make_url(where).drivername
    except ArgumentError:
        name = "no URL at all"
    if name == "sqlite":
        return _open_sqlite(where)
    if name == _POSTGRES:
        return _open_postgres(where)
    raise ConfigurationError(
        f"store: expected a path, or a URL of sqlite:/// or {_POSTGRES}://, not {name}"
    )


@contextmanager
def patience(seconds: float) -> Iterator[None]:
    """How long transactions begun in this context wait while somebody else writes; else 30 s.

    They raise BusyError after that, before anything was read or written.
    """
    token = _PATIENCE_MS.set(round(seconds * 1000))
    try:
        yield
    finally:
        _PATIENCE_MS.reset(token)


def insert_into(dialect: str, table: Table) -> "sqlite.Insert | postgresql.Insert":
    """An insert that can say what to do on a conflict, in the words of the database."""
    return postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)


def count_added(connection: Connection, add: Insert, row: Mapping[str, object]) -> int:
    """Run an insert that leaves alone what is there; how many rows are new."""
    counted = {"preserve_rowcount": True}  # else PostgreSQL's is not kept of an insert
    return connection.execute(add, row, execution_options=counted).rowcount


def _open_sqlite(url: str) -> Engine:
    engine = create_engine(url, connect_args={"timeout": _PATIENCE_MS.get() / 1000})

    @event.listens_for(engine, "connect")
    def _configure(connection: object, _: ConnectionPoolEntry) -> None:
        # The driver must not open transactions of its own: "begin" below does.
        connection.isolation_level = None  # type: ignore[attr-defined]  # sqlite3's own attribute
        cursor = connection.cursor()  # type: ignore[attr-defined]
        _switch_to_wal(cursor)
        cursor.execute("PRAGMA synchronous=NORMAL")
        cursor.execute(f"PRAGMA cache_size={-_CACHE_KIB}")  # indexes of a large batch
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        if not connection.get_execution_options().get(WRITES, False):
            connection.exec_driver_sql("BEGIN")
            return
        connection.exec_driver_sql(f"PRAGMA busy_timeout={_PATIENCE_MS.get()}")
        try:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        except OperationalError as fault:
            # The last byte is the code, what stands before it says why.
            if getattr(fault.orig, "sqlite_errorcode", 0) & 0xFF != sqlite3.SQLITE_BUSY:
                raise
            raise BusyError(_BUSY) from fault

    return engine


def _switch_to_wal(cursor: sqlite3.Cursor) -> None:
    """Switch the journal; of several that switch a new file at once, SQLite lets none wait."""
    for left in reversed(range(_WAL_TRIES)):
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError:
            if not left:
                raise
            time.sleep(_WAL_PAUSE_SECONDS)
        else:
            return


def _open_postgres(url: str) -> Engine:
    """Writers wait for each other, as in SQLite: what one reads holds until it has written."""
    engine = create_engine(url, pool_pre_ping=True)
    try:
        engine.connect().close()
    except OperationalError as fault:
        place = make_url(url).render_as_string(hide_password=True)
        reason = str(fault.orig).strip().splitlines()[0]
        raise ConfigurationError(f"store: {place} cannot be reached: {reason}") from fault

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        if not connection.get_execution_options().get(WRITES, False):
            return
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = {_PATIENCE_MS.get()}")
        try:
            connection.execute(_WRITE_LOCK)
        except OperationalError as fault:
            if getattr(fault.orig, "sqlstate", None) != _POSTGRES_WAITED:
                raise
            raise BusyError(_BUSY) from fault

    return engine
