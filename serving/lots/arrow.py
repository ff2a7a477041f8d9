"""Arrays in Arrow streams: batches of columns one after the other, compressed."""

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from serving.policy.cases import Flags, Floats, Ints

_CODEC: Final = pa.Codec("zstd", compression_level=1)
_SIZE: Final = struct.Struct("<Q")


@dataclass(frozen=True)
class Columns:
    """Columns of one length by name, and what is said of all of them."""

    arrays: Mapping[str, pa.Array]
    metadata: Mapping[bytes, bytes] = field(default_factory=dict)


def pack_columns(*parts: Columns) -> bytes:
    """Parts as Arrow streams one after the other, compressed as a whole.

    Compressing column by column, as Arrow can, costs milliseconds where there are few rows.
    """
    sink = pa.BufferOutputStream()
    for part in parts:
        fields = [pa.field(name, array.type) for name, array in part.arrays.items()]
        schema = pa.schema(fields, metadata=part.metadata)
        with pa.ipc.new_stream(sink, schema) as writer:
            writer.write_batch(
                pa.RecordBatch.from_arrays(list(part.arrays.values()), schema=schema)
            )
    plain = sink.getvalue()
    return _SIZE.pack(plain.size) + bytes(_CODEC.compress(plain, asbytes=True))


def unpack_columns(packed: bytes) -> list[pa.RecordBatch]:
    """The parts that were packed."""
    (size,) = _SIZE.unpack_from(packed)
    source = pa.BufferReader(_CODEC.decompress(packed[_SIZE.size :], size))
    parts = []
    while source.tell() < size:
        parts += list(pa.ipc.open_stream(source))  # to its end, where the next one begins
    return parts


def pack_matrix(matrix: npt.NDArray[np.generic]) -> pa.Array:
    """A matrix (n, m) as a column of n lists of m."""
    flat = pa.array(np.ascontiguousarray(matrix).ravel())
    return pa.FixedSizeListArray.from_arrays(flat, matrix.shape[1])


def read_matrix(batch: pa.RecordBatch, name: str) -> npt.NDArray[np.generic]:
    """What `pack_matrix` made of a matrix."""
    column = batch[name]
    flat = np.asarray(column.flatten().to_numpy(zero_copy_only=False))
    return flat.reshape(batch.num_rows, column.type.list_size)


def read_floats(batch: pa.RecordBatch, name: str) -> Floats:
    """A column, or a matrix, of numbers."""
    if pa.types.is_fixed_size_list(batch[name].type):
        return np.asarray(read_matrix(batch, name), dtype=np.float64)
    return np.asarray(batch[name].to_numpy(zero_copy_only=False), dtype=np.float64)


def read_ints(batch: pa.RecordBatch, name: str) -> Ints:
    """A column, or a matrix, of whole numbers."""
    if pa.types.is_fixed_size_list(batch[name].type):
        return np.asarray(read_matrix(batch, name), dtype=np.int64)
    return np.asarray(batch[name].to_numpy(zero_copy_only=False), dtype=np.int64)


def read_flags(batch: pa.RecordBatch, name: str) -> Flags:
    """A column of flags."""
    return np.asarray(batch[name].to_numpy(zero_copy_only=False), dtype=bool)
