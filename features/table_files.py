"""Tables that stay on disk: engines read the files, everyone else gets frames on request."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq

from features.checks import require_valid


@dataclass(frozen=True)
class TableFiles(Mapping[str, pd.DataFrame]):
    """Conformed tables as parquet files; `tables["activity"]` reads that one whole.

    Attributes:
        files: By table, a parquet file or a folder of such files.
    """

    files: Mapping[str, Path]

    def __getitem__(self, name: str) -> pd.DataFrame:
        frame = pq.read_table(self.files[name]).to_pandas()
        return require_valid({name: frame})[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.files)

    def __len__(self) -> int:
        return len(self.files)
