"""A DuckDB file as a source."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa

from features.errors import SourceUnreadableError
from features.sources.arrow import BATCH_ROWS, frame_from_arrow

_MAGIC = b"DUCK"
_MAGIC_AT = 8


class DuckDBSource:
    """Tables and views of the names of our tables, in the file's default schema.

    The file is opened read-only for each reading, so that others can go on using it.

    Attributes:
        name: The file, as it was given.
    """

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        if not path.is_file():
            raise SourceUnreadableError(f"{path}: no such DuckDB file")
        # Given a file of another format, DuckDB would look for an extension on the network.
        if _read_magic(path) != _MAGIC:
            raise SourceUnreadableError(f"{path}: is not a DuckDB file")
        found = self._query(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = 'main'"
        )
        self._names = tuple(sorted(found["table_name"]))

    def table_names(self) -> tuple[str, ...]:
        """Names of its tables and views, known to us or not."""
        return self._names

    def column_names(self, table: str) -> tuple[str, ...]:
        """Names of a table's columns; raises SourceUnreadableError naming file and table."""
        return tuple(self._query(f"SELECT * FROM {_quoted(table)} LIMIT 0").columns)

    def read(self, table: str, *, as_text: bool = False) -> pd.DataFrame:
        """Read one table as it is; raises SourceUnreadableError naming file and table."""
        del as_text  # a database knows the types of its columns
        return self._query(f"SELECT * FROM {_quoted(table)}")

    def read_batches(self, table: str, *, as_text: bool = False) -> Iterator[pd.DataFrame]:
        """One table as it is, in batches; raises SourceUnreadableError naming file and table."""
        del as_text
        with self._open() as connection:
            reader = connection.sql(f"SELECT * FROM {_quoted(table)}").to_arrow_reader(BATCH_ROWS)
            n_batches = 0
            for batch in reader:
                yield frame_from_arrow(pa.Table.from_batches([batch]))
                n_batches += 1
            if not n_batches:
                yield frame_from_arrow(reader.schema.empty_table())

    def _query(self, sql: str) -> pd.DataFrame:
        with self._open() as connection:
            return frame_from_arrow(connection.sql(sql).to_arrow_table())

    @contextmanager
    def _open(self) -> Iterator[duckdb.DuckDBPyConnection]:
        try:
            with duckdb.connect(self.name, read_only=True) as connection:
                connection.execute("SET TimeZone = 'UTC'")
                yield connection
        except duckdb.Error as error:
            raise SourceUnreadableError(f"{self.name}: cannot be read: {error}") from error


def _quoted(table: str) -> str:
    name = table.replace('"', '""')
    return f'main."{name}"'


def _read_magic(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(_MAGIC_AT)
            return file.read(len(_MAGIC))
    except OSError as error:
        raise SourceUnreadableError(f"{path}: cannot be read: {error}") from error
