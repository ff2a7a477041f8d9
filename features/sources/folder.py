"""A folder of files as a source: `<table>.parquet` or `<table>.csv`."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from features.contracts import CONTRACTS
from features.errors import SourceUnreadableError
from features.sources.arrow import frame_from_arrow, read_parquet_batches
from features.sources.csv_cells import parse_cells, read_csv, read_csv_text, read_header
from features.table_files import list_files
from features.tables import Tables

_SUFFIXES = (".parquet", ".csv")


class FolderSource:
    """Tables as parquet or CSV files of their names, or folders of parquet files.

    Attributes:
        name: The folder, as it was given.
    """

    def __init__(self, folder: Path) -> None:
        self.name = str(folder)
        if not folder.is_dir():
            raise SourceUnreadableError(
                f"{folder}: no such folder; expected <table>.parquet or .csv files"
            )
        self._files: dict[str, Path] = {}
        for path in sorted(folder.iterdir()):
            if not _is_table(path):
                continue
            if path.stem in self._files:
                raise SourceUnreadableError(
                    f"{folder}: holds both {self._files[path.stem].name} and {path.name}; "
                    "expected one file for a table"
                )
            self._files[path.stem] = path

    def table_names(self) -> tuple[str, ...]:
        """Names of the files, known tables or not."""
        return tuple(self._files)

    def column_names(self, table: str) -> tuple[str, ...]:
        """Names of a table's columns; raises SourceUnreadableError naming the file."""
        path = self._files[table]
        with _named(path):
            if path.suffix == ".csv":
                return tuple(read_header(path))
            return tuple(pq.read_schema(list_files(path)[0]).names)

    def parquet_files(self) -> dict[str, Path] | None:
        """The known tables' files where all are parquet, else None."""
        known = {name: path for name, path in self._files.items() if name in CONTRACTS}
        return None if any(path.suffix == ".csv" for path in known.values()) else known

    def read(self, table: str, *, as_text: bool = False) -> pd.DataFrame:
        """Read one table as it is; raises SourceUnreadableError naming the file."""
        path = self._files[table]
        with _named(path):
            if path.suffix == ".csv":
                if as_text or table not in CONTRACTS:
                    return pd.concat(list(read_csv_text(path)), ignore_index=True)
                return read_csv(path, contract=CONTRACTS[table])
            # Read as files, so that folder names such as year=2024 never become columns.
            parts = [pq.ParquetFile(file).read() for file in list_files(path)]
            return frame_from_arrow(pa.concat_tables(parts, promote_options="permissive"))

    def read_batches(self, table: str, *, as_text: bool = False) -> Iterator[pd.DataFrame]:
        """One table as it is, in batches; raises SourceUnreadableError naming the file."""
        path = self._files[table]
        with _named(path):
            if path.suffix == ".csv":
                for text in read_csv_text(path):
                    is_known = table in CONTRACTS and not as_text
                    yield parse_cells(text, contract=CONTRACTS[table]) if is_known else text
                return
            yield from read_parquet_batches(list_files(path))


def _is_table(path: Path) -> bool:
    if path.name.startswith("."):
        return False
    if path.suffix in _SUFFIXES:
        return True
    return path.is_dir() and any(path.glob("*.parquet"))


@contextmanager
def _named(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, pa.ArrowException) as error:
        raise SourceUnreadableError(f"{path}: cannot be read: {error}") from error


def write_tables(tables: Tables, folder: Path) -> None:
    """Write one parquet file (zstd) for each table; the folder is made where it is missing.

    A file appears under its name only when it is whole. Other files of the folder stay.

    Args:
        tables: Frames by name.
        folder: Where to write.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, frame in tables.items():
        partial = folder / f".{name}.parquet.partial"
        try:
            frame.to_parquet(partial, compression="zstd", index=False)
            partial.replace(folder / f"{name}.parquet")
        finally:
            partial.unlink(missing_ok=True)
