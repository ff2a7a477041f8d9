"""What an engine is: tables as relations in which every time is an integer, and SQL over them.

Only how a table becomes a *base relation* differs between engines. A base relation is called
`base_<table>`; it has every column of the contract, those that a table lacks as nulls of their
type; times and dates are BIGINT microseconds since 1970 in UTC, ids, texts and zones are STRING,
cents, counts and hours BIGINT, numbers DOUBLE, flags and consents BOOLEAN. Everything beyond it is
SQL that runs unchanged on every engine.
"""

from collections.abc import Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

import pandas as pd

from features.tables import Tables


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

    def write(self, text: str, out: Path, /) -> int:
        """Write the rows of a query as parquet, whole or not at all; how many there are.

        They never pass through the calling process as a whole.
        """
        ...


class Engine(Protocol):
    """A place where SQL runs.

    Attributes:
        name: How the command line calls it.
    """

    name: str

    def open(self, tables: Tables, /, *, names: Iterable[str]) -> AbstractContextManager[Relations]:
        """The base relations of these tables; tables that are absent have no rows.

        Args:
            tables: Conformed frames by name, or `TableFiles`, which are read where they lie.
            names: Tables wanted.
        """
        ...
