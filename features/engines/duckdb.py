"""DuckDB as an engine: the default, inside this process, as large as one machine.

Frames are read where they lie in memory and parquet files where they lie on disk; what does not fit
into the memory limit goes to a folder for temporary files, which is removed at the end.
"""

import atexit
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir
from typing import ClassVar, Final
from uuid import uuid4

import duckdb
import pandas as pd
import pyarrow.parquet as pq

from features.contracts import CONTRACTS, EVENT_ID, KNOWN_AT, Column, Kind, TableContract
from features.engines.engine import BASE_TYPES, base_column
from features.errors import BadInputError
from features.table_files import TableFiles, list_files
from features.tables import Tables, empty_table

_TIMES: Final = (Kind.TIME, Kind.DATE)
_SIGNS_OF_LATENESS: Final = (KNOWN_AT, EVENT_ID)


@dataclass(frozen=True)
class DuckDBEngine:
    """DuckDB in memory, one database a process for engines that are equal.

    Making one takes 20 ms of CPU, a connection to it none. What a connection names nobody else
    sees, and it goes with it.

    Attributes:
        memory_limit: Such as "1GB"; None leaves DuckDB its default, 80 % of the machine's.
        threads: None takes every core.
        temp_folder: Where it may write what does not fit; with one, each `open` has a database of
            its own, and leaves nothing there. None makes one when it is needed.
    """

    memory_limit: str | None = None
    threads: int | None = None
    temp_folder: Path | None = None
    name: ClassVar[str] = "duckdb"

    @contextmanager
    def open(self, tables: Tables, /, *, names: Iterable[str]) -> Iterator["DuckDBRelations"]:
        """The base relations of these tables; tables that are absent have no rows."""
        with self._connect() as connection:
            connection.execute("SET TimeZone = 'UTC'")
            # Longer queries would draw a bar of DuckDB's own, into files and pipes too. A
            # notebook that cannot draw one refuses to be told so.
            with suppress(duckdb.InvalidInputException):
                connection.execute("SET enable_progress_bar = false")
            yield _open_relations(connection, tables=tables, names=names)

    @contextmanager
    def _connect(self) -> Iterator[duckdb.DuckDBPyConnection]:
        if self.temp_folder is None:
            with _find_database(self, os.getpid()).cursor() as connection:
                yield connection
            return
        with (
            TemporaryDirectory(prefix="opportune-", dir=self.temp_folder) as folder,
            self.make_database(folder) as connection,
        ):
            yield connection

    def make_database(self, temp_folder: str) -> duckdb.DuckDBPyConnection:
        """A new database; it makes the folder when it needs it, and removes what it made."""
        # Whoever needs an order asks for it; keeping that of the rows would cost memory. A file
        # that is written anew must be read anew.
        config: dict[str, str | bool | int | float | list[str]] = {
            "temp_directory": temp_folder,
            "preserve_insertion_order": False,
            "enable_external_file_cache": False,
        }
        if self.memory_limit is not None:
            config["memory_limit"] = self.memory_limit
        if self.threads is not None:
            config["threads"] = self.threads
        return duckdb.connect(":memory:", config=config)


@cache
def _find_database(engine: DuckDBEngine, process: int) -> duckdb.DuckDBPyConnection:
    """The database of a process; one that was forked off has none of its parent's threads."""
    database = engine.make_database(str(Path(gettempdir()) / f"opportune-{process}-{uuid4()}"))
    atexit.register(database.close)  # else its binding says at the end that it leaked
    return database


DUCKDB: Final = DuckDBEngine()
"""As it comes: every core, most of the memory."""


class DuckDBRelations:
    """Relations of one DuckDB connection.

    Attributes:
        late: Tables whose rows may become known later than their moment, or come again.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, *, late: frozenset[str]) -> None:
        self._connection = connection
        self.late = late

    def register(self, name: str, frame: pd.DataFrame, /) -> None:
        """Make a small frame a relation; times in it are integers already."""
        self._connection.register(name, frame)

    def create_view(self, name: str, text: str, /) -> None:
        """Name a query; it is computed wherever it is read."""
        self._connection.execute(f"CREATE TEMP VIEW {name} AS {text}")

    def create_table(self, name: str, text: str, /) -> None:
        """Name a query and compute it once."""
        with _readable_errors():
            self._connection.execute(f"CREATE TEMP TABLE {name} AS {text}")

    def query(self, text: str, /) -> pd.DataFrame:
        """The rows of a query in memory."""
        with _readable_errors():
            return self._connection.execute(text).df()

    def write(self, text: str, out: Path, /, *, times: Iterable[str] = ()) -> int:
        """Write the rows of a query as parquet, whole or not at all; how many there are."""
        moments = ", ".join(f"make_timestamptz({name}) AS {name}" for name in times)
        select = f"SELECT * REPLACE ({moments}) FROM ({text})" if moments else text
        out.parent.mkdir(parents=True, exist_ok=True)
        unfinished = out.with_name(out.name + ".unfinished")
        try:
            with _readable_errors():
                written = self._connection.execute(
                    f"COPY ({select}) TO {_quote(str(unfinished))} (FORMAT parquet, CODEC zstd)"
                ).fetchone()
            unfinished.replace(out)
        finally:
            unfinished.unlink(missing_ok=True)
        return int(written[0]) if written else 0


@contextmanager
def _readable_errors() -> Iterator[None]:
    """What a number cannot become is bad input, not a fault of ours."""
    try:
        yield
    except (duckdb.ConversionException, duckdb.OutOfRangeException) as error:
        raise BadInputError(f"a number is not finite or beyond 9e12: {error}") from error


def _open_relations(
    connection: duckdb.DuckDBPyConnection, *, tables: Tables, names: Iterable[str]
) -> DuckDBRelations:
    late = set()
    for name in names:
        contract = CONTRACTS[name]
        source = _place(connection, tables=tables, contract=contract)
        types = _read_types(connection, source)
        columns = [_select_column(column, types=types) for column in contract.columns]
        connection.execute(
            f"CREATE TEMP VIEW base_{name} AS SELECT {', '.join(columns)} FROM {source}"
        )
        if _is_late(connection, tables=tables, contract=contract, types=types):
            late.add(name)
    return DuckDBRelations(connection, late=frozenset(late))


def _place(
    connection: duckdb.DuckDBPyConnection, *, tables: Tables, contract: TableContract
) -> str:
    """What DuckDB reads: files where they lie, or the frame under a name."""
    if isinstance(tables, TableFiles) and contract.name in tables.files:
        files = ", ".join(_quote(str(file)) for file in list_files(tables.files[contract.name]))
        return f"read_parquet([{files}], hive_partitioning = false)"
    frame = tables[contract.name] if contract.name in tables else empty_table(contract.name)
    columns = [column.name for column in contract.columns if column.name in frame]
    connection.register(f"frame_{contract.name}", frame[columns])
    return f"frame_{contract.name}"


def _read_types(connection: duckdb.DuckDBPyConnection, source: str) -> dict[str, str]:
    """DuckDB's type of every column that the source has."""
    described = connection.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()
    return {name: kind for name, kind, *_ in described}


def _select_column(column: Column, *, types: dict[str, str]) -> str:
    wanted = BASE_TYPES[column.kind]
    found = types.get(column.name)
    name = f'"{column.name}"'
    if found is None:
        name = f"CAST(NULL AS {wanted})"
    elif column.kind in _TIMES:
        name = _to_micros(name, found=found)
    elif found != wanted.replace("STRING", "VARCHAR"):
        name = f"CAST({name} AS {wanted})"
    return f"{name} AS {base_column(column.name)}"


def _to_micros(name: str, *, found: str) -> str:
    """Microseconds of any time; of nanoseconds the whole ones, as pandas takes them."""
    if found == "DATE":
        return f"epoch_us(CAST({name} AS TIMESTAMP))"
    if "NS" not in found:
        return f"epoch_us({name})"
    nanos = f"epoch_ns({name})"
    return f"CAST(({nanos} - (({nanos} % 1000) + 1000) % 1000) // 1000 AS BIGINT)"


def _is_late(
    connection: duckdb.DuckDBPyConnection,
    *,
    tables: Tables,
    contract: TableContract,
    types: dict[str, str],
) -> bool:
    """Whether a row says when it became known, or may be another one again."""
    present = [name for name in _SIGNS_OF_LATENESS if name in types and _has(contract, name)]
    if not present:
        return False
    if isinstance(tables, TableFiles) and contract.name in tables.files:
        files = list_files(tables.files[contract.name])
        if all(_is_all_null(file, columns=present) for file in files):
            return False
    given = " OR ".join(f"{name} IS NOT NULL" for name in present)
    found = connection.execute(f"SELECT 1 FROM base_{contract.name} WHERE {given} LIMIT 1")
    return bool(found.fetchall())


def _has(contract: TableContract, name: str) -> bool:
    return any(column.name == name for column in contract.columns)


def _is_all_null(file: Path, *, columns: Iterable[str]) -> bool:
    """Whether the file's own statistics say that these columns hold nothing."""
    metadata = pq.read_metadata(file)
    places = {metadata.schema.column(n).path: n for n in range(metadata.num_columns)}
    for group in range(metadata.num_row_groups):
        rows = metadata.row_group(group)
        for column in columns:
            if column not in places:
                continue
            statistics = rows.column(places[column]).statistics
            if statistics is None or statistics.null_count != rows.num_rows:
                return False
    return True


def _quote(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
