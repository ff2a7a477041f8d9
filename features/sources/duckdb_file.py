"""A DuckDB file as a source."""

from pathlib import Path

import duckdb
import pandas as pd

from features.errors import SourceUnreadableError
from features.sources.arrow import frame_from_arrow

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

    def read(self, table: str) -> pd.DataFrame:
        """Read one table as it is; raises SourceUnreadableError naming file and table."""
        return self._query(f'SELECT * FROM main."{table}"')

    def _query(self, sql: str) -> pd.DataFrame:
        try:
            with duckdb.connect(self.name, read_only=True) as connection:
                connection.execute("SET TimeZone = 'UTC'")
                return frame_from_arrow(connection.sql(sql).to_arrow_table())
        except duckdb.Error as error:
            raise SourceUnreadableError(f"{self.name}: cannot be read: {error}") from error


def _read_magic(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(_MAGIC_AT)
            return file.read(len(_MAGIC))
    except OSError as error:
        raise SourceUnreadableError(f"{path}: cannot be read: {error}") from error
