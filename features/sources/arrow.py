"""Between Arrow and pandas, with the types that conformed tables keep."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from features.contracts import CONTRACTS, Kind

BATCH_ROWS = 500_000
"""Rows of a table that are in memory at once when it is read in batches."""

_TIMES = pa.timestamp("us", "UTC")

ARROW_TYPES: Mapping[Kind, pa.DataType] = MappingProxyType(
    {
        Kind.ID: pa.string(),
        Kind.TEXT: pa.string(),
        Kind.ZONE: pa.string(),
        Kind.TIME: _TIMES,
        Kind.DATE: _TIMES,
        Kind.CENTS: pa.int64(),
        Kind.COUNT: pa.int64(),
        Kind.NUMBER: pa.float64(),
        Kind.FLAG: pa.bool_(),
        Kind.CONSENT: pa.bool_(),
        Kind.HOUR: pa.int64(),
    }
)
"""The Arrow type of each kind in a conformed file."""

_NULLABLE: dict[pa.DataType, pd.api.extensions.ExtensionDtype] = {
    pa.int8(): pd.Int8Dtype(),
    pa.int16(): pd.Int16Dtype(),
    pa.int32(): pd.Int32Dtype(),
    pa.int64(): pd.Int64Dtype(),
    pa.uint8(): pd.UInt8Dtype(),
    pa.uint16(): pd.UInt16Dtype(),
    pa.uint32(): pd.UInt32Dtype(),
    pa.uint64(): pd.UInt64Dtype(),
    pa.bool_(): pd.BooleanDtype(),
}


def frame_from_arrow(table: pa.Table) -> pd.DataFrame:
    """A frame with the columns of an Arrow table.

    Integers and flags become nullable dtypes: pandas' default, floats and objects, would lose
    large integers beside a null. Dates become naive times at midnight. What pandas wrote about
    itself into the file (an index, say) is not followed: columns are columns.
    """
    frame: pd.DataFrame = table.to_pandas(
        types_mapper=_NULLABLE.get, ignore_metadata=True, date_as_object=False
    )
    return frame


def arrow_schema(table: str) -> pa.Schema:
    """The schema of a conformed file of a table."""
    return pa.schema([(c.name, ARROW_TYPES[c.kind]) for c in CONTRACTS[table].columns])


def arrow_from_frame(frame: pd.DataFrame, *, table: str) -> pa.Table:
    """The columns of the contract of a conformed frame, as Arrow."""
    schema = arrow_schema(table)
    arrays = []
    for field in schema:
        column = frame[field.name]
        if pa.types.is_timestamp(field.type):
            plain = column.dt.tz_convert(None).to_numpy()
            arrays.append(pa.array(plain, from_pandas=True, type=pa.timestamp("us")).cast(_TIMES))
        else:
            arrays.append(pa.array(column.array, from_pandas=True).cast(field.type))
    return pa.Table.from_arrays(arrays, schema=schema)


def read_parquet_batches(files: Iterable[Path]) -> Iterator[pd.DataFrame]:
    """The rows of parquet files, one file after the other, at least one batch for each."""
    for file in files:
        parquet = pq.ParquetFile(file)
        if not parquet.metadata.num_rows:
            yield frame_from_arrow(parquet.schema_arrow.empty_table())
        for batch in parquet.iter_batches(batch_size=BATCH_ROWS):
            yield frame_from_arrow(pa.Table.from_batches([batch]))
