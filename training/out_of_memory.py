"""Training rows that stay on disk: LightGBM reads parquet row group by row group.

LightGBM keeps one byte per cell (its bins) and needs the numbers only while it makes them. So a
matrix of float64 that is eight times as large never has to exist: what is in memory at once is one
row group, the bins and the labels. Where more rows than `bin_construct_sample_cnt` (200,000) are
given, LightGBM finds its bins from another sample than for a matrix in memory, and trees may
differ a little; below, they are the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import lightgbm
import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq

from features.errors import BadInputError
from features.table_files import list_files
from training.boosting import Params
from training.measures import Floats

_ROWS_AT_ONCE = 100_000


@dataclass(frozen=True)
class RowsOnDisk:
    """Labelled rows in parquet files.

    Attributes:
        place: A file, or a folder of files; best in row groups of some 100,000 rows.
        names: Columns of the matrix, in order; null is NaN.
        label: Column of the labels: flags, or numbers.
    """

    place: Path
    names: tuple[str, ...]
    label: str


def open_dataset(rows: RowsOnDisk, *, params: Params) -> lightgbm.Dataset:
    """The rows as LightGBM's own dataset, ready for `lightgbm.train`.

    Args:
        rows: Where they are.
        params: Those of the training: how bins are made is among them.

    Raises:
        BadInputError: A column is missing; all of them are named.
        SourceUnreadableError: There is no file.
    """
    files = list_files(rows.place)
    for file in files:
        present = set(pq.read_schema(file).names)
        if missing := [name for name in (*rows.names, rows.label) if name not in present]:
            raise BadInputError(f"{file} lacks {', '.join(missing)}")
    reader = _Reader(rows.names)
    groups: list[lightgbm.Sequence] = [
        _RowGroup(reader, file, number)
        for file in files
        for number in range(pq.read_metadata(file).num_row_groups)
    ]
    dataset = lightgbm.Dataset(
        groups,
        label=np.concatenate([_read_labels(file, rows.label) for file in files]),
        feature_name=list(rows.names),
        params=params,
    )
    return dataset.construct()


class _Reader:
    """Reads row groups; remembers the last one, since LightGBM asks row by row."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = list(names)
        self._held: tuple[Path, int] | None = None
        self._rows: Floats = np.empty((0, len(self._names)))

    def read(self, file: Path, group: int) -> Floats:
        """The row group as a matrix (n, features)."""
        if self._held != (file, group):
            with pq.ParquetFile(file) as parquet:
                table = parquet.read_row_group(group, columns=self._names)
            columns = [table[name].to_numpy(zero_copy_only=False) for name in self._names]
            self._rows = np.column_stack(columns).astype(np.float64, copy=False)
            self._held = (file, group)
        return self._rows


class _RowGroup(lightgbm.Sequence):
    """One row group, as LightGBM asks for it."""

    batch_size = _ROWS_AT_ONCE

    def __init__(self, reader: _Reader, file: Path, group: int) -> None:
        self._reader, self._file, self._group = reader, file, group
        self._n_rows = int(pq.read_metadata(file).row_group(group).num_rows)

    def __len__(self) -> int:
        return self._n_rows

    def __getitem__(self, index: int | slice | list[int]) -> npt.NDArray[np.float64]:
        rows: npt.NDArray[np.float64] = self._reader.read(self._file, self._group)[index]
        return rows


def _read_labels(file: Path, label: str) -> npt.NDArray[np.float32]:
    labels = pq.read_table(file, columns=[label])[label]
    if labels.null_count:
        raise BadInputError(f"{file}: {label} is null in {labels.null_count} rows")
    return np.asarray(labels.to_numpy(zero_copy_only=False), dtype=np.float32)
