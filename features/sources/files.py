"""Tables as files for engines: where they lie if they conform, else fetched in batches."""

from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from features.checks import FilesChecked, PartsOfTable, check_files
from features.contracts import CONTRACTS, Column
from features.sources.arrow import (
    ARROW_TYPES,
    arrow_from_frame,
    arrow_schema,
    read_parquet_batches,
)
from features.sources.folder import FolderSource
from features.sources.location import Location
from features.sources.protocol import Source
from features.sources.source import open_source
from features.table_files import TableFiles, list_files

_SAME: dict[pa.DataType, pa.DataType] = {pa.large_string(): pa.string()}


def open_table_files(
    place: str | Path | Location,
    *,
    folder: Path,
    mapping: Path | None = None,
    as_of: datetime | None = None,
    until: datetime | None = None,
) -> TableFiles:
    """The tables of a place as checked files, in bounded memory.

    Args:
        place: See `open_source`. A folder of parquet files in the types of the contracts is read
            where it lies.
        folder: Where anything else is fetched to.
        mapping: A mapping file; see `open_source`.
        as_of: Aware moment; rows known later are violations. None accepts any time.
        until: See `open_source`; `as_of` when not given.

    Raises:
        SourceUnreadableError: It could not be read as tables.
        TablesRefusedError: The tables break their contracts; every violation is named.
    """
    source = open_source(place, mapping=mapping, until=until or as_of)
    files = find_table_files(source)
    if files is None:
        return fetch_to_files(source, folder, as_of=as_of)
    check_table_files(files, as_of=as_of, unread=_unknown_names(source)).require_valid()
    return files


def find_table_files(source: Source) -> TableFiles | None:
    """The files of a source where engines can read them as they are, else None."""
    found = source.parquet_files() if isinstance(source, FolderSource) else None
    if found is None:
        return None
    for name, place in found.items():
        if not all(_conforms(pq.read_schema(path), name) for path in list_files(place)):
            return None
    return TableFiles(found)


def check_table_files(
    files: TableFiles, *, as_of: datetime | None = None, unread: tuple[str, ...] = ()
) -> FilesChecked:
    """What is wrong with conformed files, found in bounded memory.

    Args:
        files: From `find_table_files`.
        as_of: Aware moment; rows known later are violations. None accepts any time.
        unread: Names of tables that no contract knows.
    """
    listed = {name: list_files(place) for name, place in files.files.items()}
    parts: list[PartsOfTable] = []
    for name, paths in listed.items():
        part = PartsOfTable(name)
        for batch in read_parquet_batches(paths):
            part.conform(batch)
        parts.append(part)
    return check_files(listed, parts, as_of=as_of, unread=unread)


def fetch_to_files(source: Source, folder: Path, *, as_of: datetime | None = None) -> TableFiles:
    """Stream the known tables of any source into conformed parquet files, and check them.

    The columns of the contracts are kept, others are left out. Files appear under their names only
    when all tables are valid.

    Args:
        source: From `open_source`, or any other.
        folder: Where to; made where it is missing.
        as_of: Aware moment; rows known later are violations. None accepts any time.

    Raises:
        SourceUnreadableError: It could not be read.
        TablesRefusedError: The tables break their contracts; every violation is named.
    """
    folder.mkdir(parents=True, exist_ok=True)
    # Rows before those they refer to: what arrives in between is referred to by nothing read.
    names = [name for name in reversed(list(CONTRACTS)) if name in source.table_names()]
    partial = {name: folder / f".{name}.parquet.partial" for name in names}
    try:
        parts = [_fetch(source, name, partial[name]) for name in names]
        listed = {name: [partial[name]] for name in CONTRACTS if name in partial}
        unread = _unknown_names(source)
        check_files(listed, parts, as_of=as_of, unread=unread).require_valid()
        files = {name: folder / f"{name}.parquet" for name in listed}
        for name, path in files.items():
            partial[name].replace(path)
    finally:
        for path in partial.values():
            path.unlink(missing_ok=True)
    return TableFiles(files)


def _fetch(source: Source, name: str, path: Path) -> PartsOfTable:
    part = PartsOfTable(name)
    with pq.ParquetWriter(path, arrow_schema(name), compression="zstd") as writer:
        for batch in source.read_batches(name):
            writer.write_table(arrow_from_frame(part.conform(batch), table=name))
    return part


def _unknown_names(source: Source) -> tuple[str, ...]:
    return tuple(name for name in source.table_names() if name not in CONTRACTS)


def _conforms(schema: pa.Schema, table: str) -> bool:
    return all(_has_column(schema, column) for column in CONTRACTS[table].columns)


def _has_column(schema: pa.Schema, column: Column) -> bool:
    n_such = len(schema.get_all_field_indices(column.name))
    if n_such != 1:
        return n_such == 0 and column.optional
    found = schema.field(column.name).type
    return bool(_SAME.get(found, found) == ARROW_TYPES[column.kind])
