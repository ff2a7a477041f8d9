"""Where tables come from."""

from datetime import datetime
from pathlib import Path

from features.checks import Checked, check_tables
from features.checks.conform import unknown_table
from features.contracts import CONTRACTS
from features.errors import SourceUnreadableError
from features.sources.duckdb_file import DuckDBSource
from features.sources.folder import FolderSource
from features.sources.location import Location, locate
from features.sources.mapping import MappedSource, read_mapping
from features.sources.protocol import Source
from features.tables import Tables

MAPPING_NAME = "opportune.yaml"
"""A mapping of this name in a folder is read with the folder."""

_DUCKDB_SUFFIXES = (".duckdb", ".db")


def open_source(
    place: str | Path | Location, *, mapping: Path | None = None, until: datetime | None = None
) -> Source:
    """The source at a place: a folder of parquet and CSV files, a DuckDB file, or PostgreSQL.

    Args:
        place: A path, or an address such as `postgresql://user@host/shop?schema=sales`.
        mapping: A mapping file; in a folder, its `opportune.yaml` when not given.
        until: Aware moment up to which ends of subscriptions have happened; see `cancel_ended`.

    Raises:
        SourceUnreadableError: There is nothing, something else, or no table of ours in it.
        ConfigurationError: The mapping is wrong.
    """
    location = locate(place)
    source = _open(location)
    beside = location.path / MAPPING_NAME if not location.is_database else None
    if mapping is None and beside is not None and beside.is_file():
        mapping = beside
    if mapping is not None:
        source = MappedSource(source, read_mapping(mapping), until=until)
    if not set(source.table_names()) & set(CONTRACTS):
        found = ", ".join(source.table_names()) or "nothing"
        raise SourceUnreadableError(
            f"{source.name}: holds no table of ours, but {found}; expected customers and any of "
            f"{', '.join(name for name in CONTRACTS if name != 'customers')}, "
            f"or a mapping, {MAPPING_NAME}, that says which is which"
        )
    return source


def _open(location: Location) -> Source:
    if location.is_database:
        # Only who has a database needs its driver.
        from features.sources.postgres import PostgresSource

        return PostgresSource(location)
    path = location.path
    if path.suffix in _DUCKDB_SUFFIXES and not path.is_dir():
        return DuckDBSource(path)
    if path.is_file():
        raise SourceUnreadableError(
            f"{path}: expected a folder of <table>.parquet or .csv files, or a "
            f"{' or '.join(_DUCKDB_SUFFIXES)} file"
        )
    return FolderSource(path)


def check_source(source: Source, *, as_of: datetime | None = None) -> Checked:
    """Read every known table of a source and check them all; unknown ones are noted, not read.

    Args:
        source: From `open_source`, or any other.
        as_of: Aware moment; rows known later are violations. None accepts any time.
    """
    names = source.table_names()
    unknown = tuple(name for name in names if name not in CONTRACTS)
    # Rows before those they refer to: what arrives in between is referred to by nothing read.
    raw = {name: source.read(name) for name in reversed(list(CONTRACTS)) if name in names}
    checked = check_tables(raw, as_of=as_of, unread=unknown)
    notes = (*(unknown_table(name) for name in unknown), *checked.notes)
    return Checked(checked.tables, checked.violations, notes)


def read_tables(
    place: str | Path | Location,
    *,
    as_of: datetime | None = None,
    until: datetime | None = None,
) -> Tables:
    """The conformed tables at a place.

    Args:
        place: See `open_source`.
        as_of: Aware moment; rows known later are violations. None accepts any time.
        until: See `open_source`.

    Raises:
        SourceUnreadableError: It could not be read as tables.
        TablesRefusedError: The tables break their contracts; every violation is named.
    """
    return check_source(open_source(place, until=until or as_of), as_of=as_of).require_valid()
