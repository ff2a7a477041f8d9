"""Functions over rows: from record batches to record batches, here or on many machines.

What a function may rely on: it is called once for each part of the rows and sees that part as a
stream. Nothing of a part is kept longer than the function keeps it.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from features.table_files import list_files

BatchFunction = Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]
"""From the rows of one part to other rows."""

_BATCH_ROWS = 20_000


class RowMapper(Protocol):
    """A place where functions over rows run."""

    def find_columns(self, source: Path, /) -> frozenset[str]:
        """The names of the columns of parquet files."""
        ...

    def has_values(self, source: Path, /, *, columns: Sequence[str]) -> bool:
        """Whether any row has a value in any of these columns; those that lack are null."""
        ...

    def map_rows(
        self,
        source: Path,
        function: BatchFunction,
        /,
        *,
        columns: Sequence[str],
        schema: pa.Schema,
        out: Path,
    ) -> int:
        """Send the rows of parquet files through a function, and write what it gives as parquet.

        Args:
            source: A parquet file, or a folder of such files.
            function: From rows of these columns to rows of the schema.
            columns: What is read.
            schema: Of what is written.
            out: Where to; whole or not at all.

        Returns:
            How many rows were written.
        """
        ...


class InProcess:
    """In this process, one batch after the other."""

    def find_columns(self, source: Path, /) -> frozenset[str]:
        """See `RowMapper`."""
        return frozenset(pq.read_schema(list_files(source)[0]).names)

    def has_values(self, source: Path, /, *, columns: Sequence[str]) -> bool:
        """See `RowMapper`; the files' own statistics tell."""
        return any(_has_values(file, columns=frozenset(columns)) for file in list_files(source))

    def map_rows(
        self,
        source: Path,
        function: BatchFunction,
        /,
        *,
        columns: Sequence[str],
        schema: pa.Schema,
        out: Path,
    ) -> int:
        """See `RowMapper`; `out` becomes one file."""
        out.parent.mkdir(parents=True, exist_ok=True)
        unfinished = out.with_name(out.name + ".unfinished")
        n_rows = 0
        try:
            with pq.ParquetWriter(unfinished, schema, compression="zstd") as writer:
                for batch in function(read_batches(source, columns=columns)):
                    writer.write_batch(batch)
                    n_rows += batch.num_rows
            unfinished.replace(out)
        finally:
            unfinished.unlink(missing_ok=True)
        return n_rows


def read_batches(
    source: Path, *, columns: Sequence[str], n_rows: int = _BATCH_ROWS
) -> Iterator[pa.RecordBatch]:
    """The rows of a parquet file, or of a folder of such files, in batches of at most `n_rows`."""
    for file in list_files(source):
        with pq.ParquetFile(file) as rows:
            yield from rows.iter_batches(batch_size=n_rows, columns=list(columns))


def _has_values(file: Path, *, columns: frozenset[str]) -> bool:
    metadata = pq.read_metadata(file)
    places = [n for n in range(metadata.num_columns) if metadata.schema.column(n).path in columns]
    for group in range(metadata.num_row_groups):
        rows = metadata.row_group(group)
        for place in places:
            statistics = rows.column(place).statistics
            if statistics is None or statistics.null_count < rows.num_rows:
                return True
    return False
