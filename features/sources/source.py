"""Where tables come from."""

from datetime import datetime
from pathlib import Path
from typing import Protocol

import pandas as pd

from features.checks import Checked, Note, check_tables
from features.contracts import CONTRACTS
from features.errors import SourceUnreadableError
from features.sources.duckdb_file import DuckDBSource
from features.sources.folder import FolderSource
from features.tables import Tables

_DUCKDB_SUFFIXES = (".duckdb", ".db")


class Source(Protocol):
    """A place that holds tables; any class with these members will do.

    Attributes:
        name: How the place is called in messages.
    """

    name: str

    def table_names(self) -> tuple[str, ...]:
        """What it holds, tables of ours or not."""
        ...

    def read(self, table: str) -> pd.DataFrame:
        """One of those tables, as it is: unchecked columns and dtypes."""
        ...


def open_source(path: Path) -> Source:
    """The source at a path: a folder of parquet and CSV files, or a DuckDB file.

    Raises:
        SourceUnreadableError: There is nothing, something else, or no table of ours in it.
    """
    source: Source
    if path.suffix in _DUCKDB_SUFFIXES and not path.is_dir():
        source = DuckDBSource(path)
    elif path.is_file():
        raise SourceUnreadableError(
            f"{path}: expected a folder of <table>.parquet or .csv files, or a "
            f"{' or '.join(_DUCKDB_SUFFIXES)} file"
        )
    else:
        source = FolderSource(path)
    if not set(source.table_names()) & set(CONTRACTS):
        found = ", ".join(source.table_names()) or "nothing"
        raise SourceUnreadableError(
            f"{source.name}: holds no table of ours, but {found}; expected customers and any of "
            f"{', '.join(name for name in CONTRACTS if name != 'customers')}"
        )
    return source


def check_source(source: Source, *, as_of: datetime | None = None) -> Checked:
    """Read every known table of a source and check them all; unknown ones are noted, not read.

    Args:
        source: From `open_source`, or any other.
        as_of: Aware moment; rows known later are violations. None accepts any time.
    """
    names = source.table_names()
    checked = check_tables(
        {name: source.read(name) for name in CONTRACTS if name in names}, as_of=as_of
    )
    unknown = tuple(Note(name) for name in names if name not in CONTRACTS)
    return Checked(checked.tables, checked.violations, unknown + checked.notes)


def read_tables(path: Path, *, as_of: datetime | None = None) -> Tables:
    """The conformed tables at a path.

    Args:
        path: See `open_source`.
        as_of: Aware moment; rows known later are violations. None accepts any time.

    Raises:
        SourceUnreadableError: It could not be read as tables.
        TablesRefusedError: The tables break their contracts; every violation is named.
    """
    return check_source(open_source(path), as_of=as_of).require_valid()
