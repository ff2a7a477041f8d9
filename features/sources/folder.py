"""A folder of files as a source: `<table>.parquet` or `<table>.csv`."""

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from features.contracts import CONTRACTS
from features.errors import SourceUnreadableError
from features.sources.arrow import frame_from_arrow
from features.sources.csv_cells import read_csv
from features.tables import Tables

_SUFFIXES = (".parquet", ".csv")


class FolderSource:
    """Tables as parquet or CSV files of their names.

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
            if path.suffix not in _SUFFIXES or path.name.startswith("."):
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

    def read(self, table: str) -> pd.DataFrame:
        """Read one known table as it is; raises SourceUnreadableError naming the file."""
        path = self._files[table]
        try:
            if path.suffix == ".csv":
                return read_csv(path, contract=CONTRACTS[table])
            # Read as a file, so that folder names such as year=2024 never become columns.
            return frame_from_arrow(pq.ParquetFile(path).read())
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
