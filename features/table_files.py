"""Tables that stay on disk: engines read the files, everyone else gets frames on request."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq

from features.checks import Checked, conform_tables
from features.errors import SourceUnreadableError


@dataclass(frozen=True)
class TableFiles(Mapping[str, pd.DataFrame]):
    """Conformed tables as parquet files; `tables["activity"]` reads that one whole.

    Attributes:
        files: By table, a parquet file or a folder of such files.
    """

    files: Mapping[str, Path]

    def __getitem__(self, name: str) -> pd.DataFrame:
        frame = pq.read_table(self.files[name]).to_pandas()
        conformed = conform_tables({name: frame})
        return Checked(conformed.tables, conformed.violations, ()).require_valid()[name]

    def __contains__(self, name: object) -> bool:
        # Not the mixin's, which would read the whole table to find out.
        return name in self.files

    def __iter__(self) -> Iterator[str]:
        return iter(self.files)

    def __len__(self) -> int:
        return len(self.files)


def list_files(place: Path) -> tuple[Path, ...]:
    """The parquet files of one table: the file itself, or those of the folder, sorted.

    Raises:
        SourceUnreadableError: There is none.
    """
    found = tuple(sorted(place.glob("*.parquet"))) if place.is_dir() else (place,)
    if not found or not all(file.is_file() for file in found):
        raise SourceUnreadableError(f"{place}: no parquet file is there")
    return found
