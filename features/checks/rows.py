"""Tables as relations of DuckDB in which every row has its number, wherever the tables lie."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType

import duckdb
import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from features.contracts import CONTRACTS, Kind
from features.tables import Tables

ROW = "row_in_table"
"""Column with the number of the row, from 0."""

_N_SHOWN = 20
_SPILL_AFTER = "400MB"
_MANY_ROWS = 100_000
_NULLS: Mapping[Kind, str] = MappingProxyType(
    {
        Kind.ID: "NULL::VARCHAR",
        Kind.TEXT: "NULL::VARCHAR",
        Kind.TIME: "NULL::TIMESTAMPTZ",
        Kind.DATE: "NULL::TIMESTAMPTZ",
        Kind.CENTS: "NULL::BIGINT",
        Kind.COUNT: "NULL::BIGINT",
        Kind.HOUR: "NULL::BIGINT",
        Kind.NUMBER: "NULL::DOUBLE",
        Kind.CONSENT: "NULL::BOOLEAN",
    }
)
"""Absent optional columns, by their kind."""


@dataclass(frozen=True)
class FoundRows:
    """Rows that break a rule.

    Attributes:
        n_rows: How many there are.
        numbers: The numbers of the first of them.
        shown: Those rows, all columns of the contract.
    """

    n_rows: int
    numbers: tuple[int, ...]
    shown: pd.DataFrame


@dataclass(frozen=True)
class Rows:
    """The tables of one check.

    Attributes:
        sizes: Number of rows by table.
    """

    sizes: Mapping[str, int]
    _connection: duckdb.DuckDBPyConnection = field(repr=False)

    def find(self, table: str, text: str, **parameters: object) -> FoundRows | None:
        """The rows of a table whose numbers a query gives; None where it gives none."""
        ((n_rows, numbers),) = self._connection.execute(
            f"SELECT count(*), min({ROW}, {_N_SHOWN}) FROM ({text})", parameters or None
        ).fetchall()
        if not n_rows:
            return None
        # The numbers are integers that DuckDB gave.
        listed = ", ".join(str(number) for number in numbers)
        shown: pd.DataFrame = (
            self._connection.sql(
                f'SELECT * FROM "{table}" WHERE {ROW} IN ({listed}) ORDER BY {ROW}'
            )
            .to_arrow_table()
            .to_pandas(ignore_metadata=True)
        )
        return FoundRows(n_rows, tuple(numbers), shown)

    def count(self, text: str, *parameters: object) -> int:
        """The one whole number that a query gives."""
        ((number,),) = self._connection.execute(text, list(parameters) or None).fetchall()
        return int(number)


@contextmanager
def rows_of_frames(tables: Tables) -> Iterator[Rows]:
    """The rows of conformed frames."""
    n_rows = sum(len(frame) for frame in tables.values())
    # Threads cost more than small tables do.
    config: dict[str, str | bool | int | float | list[str]] = (
        {"threads": 1} if n_rows < _MANY_ROWS else {}
    )
    with duckdb.connect(config=config) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for name, frame in tables.items():
            columns = [column.name for column in CONTRACTS[name].columns]
            connection.register(name, frame[columns].assign(**{ROW: np.arange(len(frame))}))
        yield Rows({name: len(frame) for name, frame in tables.items()}, connection)


@contextmanager
def rows_of_files(files: Mapping[str, Sequence[Path]]) -> Iterator[Rows]:
    """The rows of parquet files that have the columns and types of their contracts.

    What does not fit into a few hundred megabytes is sorted and grouped on disk.

    Args:
        files: By table, its files in the order of its rows.
    """
    with TemporaryDirectory(prefix="opportune-check-") as spill, duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(f"SET memory_limit = '{_SPILL_AFTER}'")
        connection.execute(f"SET temp_directory = '{spill}'")
        connection.execute("SET preserve_insertion_order = false")
        connection.execute("SET enable_progress_bar = false")
        sizes = {name: _create_view(connection, name, paths) for name, paths in files.items()}
        yield Rows(sizes, connection)


def _create_view(connection: duckdb.DuckDBPyConnection, name: str, paths: Sequence[Path]) -> int:
    """Make the files of a table one view; how many rows it has."""
    selected, n_rows = [], 0
    for path in paths:
        metadata = pq.read_metadata(path)
        present = set(metadata.schema.to_arrow_schema().names)
        columns = [
            f'"{c.name}"' if c.name in present else f'{_NULLS[c.kind]} AS "{c.name}"'
            for c in CONTRACTS[name].columns
        ]
        file = str(path).replace("'", "''")
        selected.append(
            f"SELECT {', '.join(columns)}, file_row_number + {n_rows} AS {ROW} "
            f"FROM read_parquet('{file}', file_row_number = true)"
        )
        n_rows += metadata.num_rows
    connection.execute(f'CREATE VIEW "{name}" AS {" UNION ALL ".join(selected)}')
    return n_rows
