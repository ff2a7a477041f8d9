"""What an engine is: tables as relations in which every time is an integer, and SQL over them.

Only how a table becomes a *base relation* differs between engines. A base relation is called
`base_<table>`; it has every column of the contract, those that a table lacks as nulls of their
type; times and dates are BIGINT microseconds since 1970 in UTC, ids, texts and zones are STRING,
cents, counts and hours BIGINT, numbers DOUBLE, flags and consents BOOLEAN. Everything beyond it is
SQL that runs unchanged on every engine.
"""

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from types import MappingProxyType
from typing import Final, Protocol

import pandas as pd

from features.contracts import Kind
from features.tables import Tables

BASE_TYPES: Final[Mapping[Kind, str]] = MappingProxyType(
    {
        Kind.ID: "STRING",
        Kind.TEXT: "STRING",
        Kind.ZONE: "STRING",
        Kind.TIME: "BIGINT",
        Kind.DATE: "BIGINT",
        Kind.CENTS: "BIGINT",
        Kind.COUNT: "BIGINT",
        Kind.NUMBER: "DOUBLE",
        Kind.FLAG: "BOOLEAN",
        Kind.CONSENT: "BOOLEAN",
        Kind.HOUR: "BIGINT",
    }
)
"""The SQL type of each kind in a base relation; times and dates are UTC microseconds."""


def base_column(name: str) -> str:
    """How a base relation calls a column of the contract: `trigger` is a word of SQL.

    >>> base_column("trigger"), base_column("channel")
    ('about', 'channel')
    """
    return "about" if name == "trigger" else name


class Relations(Protocol):
    """The base relations of some tables, and what is made of them.

    Attributes:
        late: Tables whose rows may become known later than their moment, or come again.
    """

    late: frozenset[str]

    def register(self, name: str, frame: pd.DataFrame, /) -> None:
        """Make a small frame a relation; times in it are integers already."""
        ...

    def create_view(self, name: str, text: str, /) -> None:
        """Name a query; it is computed wherever it is read."""
        ...

    def create_table(self, name: str, text: str, /) -> None:
        """Name a query and compute it once, where the engine has room for it."""
        ...

    def query(self, text: str, /) -> pd.DataFrame:
        """The rows of a query in memory."""
        ...

    def write(self, text: str, out: Path, /, *, times: Iterable[str] = ()) -> int:
        """Write the rows of a query as parquet, whole or not at all; how many there are.

        They never pass through the calling process as a whole.

        Args:
            text: The query.
            out: Where to write.
            times: Columns of UTC microseconds that are written as moments.
        """
        ...


class Engine(Protocol):
    """A place where SQL runs."""

    @property
    def name(self) -> str:
        """How the command line calls it."""
        ...

    def open(self, tables: Tables, /, *, names: Iterable[str]) -> AbstractContextManager[Relations]:
        """The base relations of these tables; tables that are absent have no rows.

        Args:
            tables: Conformed frames by name, or `TableFiles`, which are read where they lie.
            names: Tables wanted.
        """
        ...
