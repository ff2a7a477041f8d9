"""A PostgreSQL database as a source, read only, in batches, each table at one moment."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from types import MappingProxyType
from typing import Any, TypeAlias

import pandas as pd
import pyarrow as pa
import sqlalchemy as sa

from features.errors import SourceUnreadableError
from features.sources.arrow import frame_from_arrow
from features.sources.location import Location

_Cells: TypeAlias = Sequence[Any]
_Column: TypeAlias = "pd.Series[Any]"

_BATCH_ROWS = 100_000
_SETTINGS = "-c TimeZone=UTC -c default_transaction_read_only=on"
_ARROW: Mapping[type[sa.types.TypeEngine[Any]], pa.DataType] = MappingProxyType(
    {
        sa.Boolean: pa.bool_(),
        sa.Integer: pa.int64(),
        sa.Float: pa.float64(),
        sa.Date: pa.date32(),
        sa.String: pa.string(),
    }
)
"""Types that Arrow has, too; an enumeration is text."""


class PostgresSource:
    """Tables and views of the names of our tables, in one schema of a database.

    Every reading is a transaction of its own that sees one moment and cannot write.

    Attributes:
        name: The database's address without its password.
    """

    def __init__(self, location: Location) -> None:
        self.name = str(location)
        url = self._parse(location).set(drivername="postgresql+psycopg")
        self._secret = url.password or str(url.query.get("password", ""))
        self._schema = str(url.query.get("schema", "public"))
        options = f"{_SETTINGS} {url.query.get('options', '')}".strip()
        url = url.difference_update_query(["schema", "options"])
        with self._reading():
            self._engine = sa.create_engine(
                url, poolclass=sa.NullPool, connect_args={"options": options}
            )
            found = sa.inspect(self._engine)
            if not found.has_schema(self._schema):
                raise SourceUnreadableError(
                    f"{self.name}: has no schema {self._schema}; "
                    f"there is {', '.join(found.get_schema_names())}"
                )
            self._names = tuple(
                sorted(
                    [
                        *found.get_table_names(self._schema),
                        *found.get_view_names(self._schema),
                        *found.get_materialized_view_names(self._schema),
                    ]
                )
            )

    def table_names(self) -> tuple[str, ...]:
        """Names of its tables and views, known to us or not."""
        return self._names

    def column_names(self, table: str) -> tuple[str, ...]:
        """Names of a table's columns; raises SourceUnreadableError naming the database."""
        return tuple(self._types(table))

    def read(self, table: str, *, as_text: bool = False) -> pd.DataFrame:
        """Read one table as it is; raises SourceUnreadableError naming the database and table."""
        return pd.concat(list(self.read_batches(table, as_text=as_text)), ignore_index=True)

    def read_batches(self, table: str, *, as_text: bool = False) -> Iterator[pd.DataFrame]:
        """One table as it is, in batches; raises SourceUnreadableError naming database and table.

        The rows come through a cursor on the server: no more than a batch is in memory.
        """
        del as_text  # a database knows the types of its columns
        kinds = self._types(table)
        places = sa.table(table, *(sa.column(name) for name in kinds), schema=self._schema)
        with self._reading(table), self._engine.connect() as connection:
            streamed = connection.execution_options(
                isolation_level="REPEATABLE READ", stream_results=True, yield_per=_BATCH_ROWS
            )
            n_batches = 0
            for rows in streamed.execute(sa.select(places)).partitions():
                yield _frame(rows, kinds)
                n_batches += 1
            if not n_batches:
                yield _frame([], kinds)

    def _parse(self, location: Location) -> sa.URL:
        try:
            return sa.make_url(location.text)
        except (ValueError, sa.exc.ArgumentError):
            raise SourceUnreadableError(
                f"{self.name}: is no address; expected postgresql://user@host:port/database"
            ) from None

    def _types(self, table: str) -> dict[str, sa.types.TypeEngine[Any]]:
        with self._reading(table):
            columns = sa.inspect(self._engine).get_columns(table, self._schema)
        return {column["name"]: column["type"] for column in columns}

    def _reading(self, table: str = "") -> AbstractContextManager[None]:
        place = f"{self.name}: table {table}" if table else self.name
        return _readable(place, secret=self._secret)


@contextmanager
def _readable(place: str, *, secret: str) -> Iterator[None]:
    try:
        yield
    except ModuleNotFoundError as error:
        raise SourceUnreadableError(
            f"{place}: PostgreSQL needs a driver: pip install 'opportune[postgres]'"
        ) from error
    except sa.exc.SQLAlchemyError as error:
        cause = str(getattr(error, "orig", None) or error).strip()
        if secret:
            cause = cause.replace(secret, "...")
        # The driver's own error would carry the address, and with it the password.
        raise SourceUnreadableError(f"{place}: cannot be read: {cause}") from None


def _frame(
    rows: Sequence[Sequence[Any]], kinds: Mapping[str, sa.types.TypeEngine[Any]]
) -> pd.DataFrame:
    cells: list[_Cells] = list(zip(*rows, strict=True)) if rows else [()] * len(kinds)
    columns = [
        _column(cells[place], kind).rename(name) for place, (name, kind) in enumerate(kinds.items())
    ]
    return pd.concat(columns, axis="columns")


def _column(cells: _Cells, kind: sa.types.TypeEngine[Any]) -> _Column:
    """Cells as a column in which nothing is lost: numerics stay decimals, lists stay lists."""
    arrow = _arrow_type(kind)
    if arrow is not None:
        return frame_from_arrow(pa.table({"cells": pa.array(cells, type=arrow)}))["cells"]
    if isinstance(kind, sa.Uuid):
        return pd.Series([None if cell is None else str(cell) for cell in cells], dtype="str")
    return pd.Series(list(cells), dtype="object")


def _arrow_type(kind: sa.types.TypeEngine[Any]) -> pa.DataType | None:
    if isinstance(kind, sa.DateTime):
        return pa.timestamp("us", "UTC") if kind.timezone else pa.timestamp("us")
    return next((arrow for known, arrow in _ARROW.items() if isinstance(kind, known)), None)
