"""Columns of numbers as bytes: each in the narrowest type that holds it exactly."""

import struct
from typing import Final

import numpy as np
import numpy.typing as npt

from features.errors import BadInputError
from features.online.lenses import Floats

_SECOND: Final = 1e6
_TYPES: Final = ("<u1", "<u2", "<u4", "<f4", "<f8")
_LIMITS: Final = (2.0**8, 2.0**16, 2.0**32)
_PLAIN: Final = 0
_FROM_BASE: Final = 1
_SECONDS_FROM_BASE: Final = 2
_HEAD: Final = struct.Struct("<BBI")  # form, type, how many
_BASE: Final = struct.Struct("<d")


class ColumnWriter:
    """Writes columns one after the other."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write_raw(self, data: bytes) -> None:
        """Bytes, with their length."""
        self._parts += [struct.pack("<I", len(data)), data]

    def write_whole(self, column: Floats) -> None:
        """Whole numbers below 2^53, none null: times, days and counts."""
        n = len(column)
        low, high = (float(column.min()), float(column.max())) if n else (0.0, 0.0)
        if low >= 0.0 and high < _LIMITS[1]:
            self._write(_PLAIN, int(high >= _LIMITS[0]), column)
        elif high - low < _LIMITS[2]:
            self._write_from_base(_FROM_BASE, low, column - low)
        elif high - low < _LIMITS[2] * _SECOND and not (column % _SECOND).any():
            self._write_from_base(_SECONDS_FROM_BASE, low, (column - low) / _SECOND)
        else:
            self._write(_PLAIN, 4, column)

    def write_numbers(self, column: Floats) -> None:
        """Any numbers, null as NaN."""
        if not len(column):
            self._write(_PLAIN, 0, column)
            return
        low, high = float(column.min()), float(column.max())
        if low >= 0.0 and high < _LIMITS[1]:
            kind = int(high >= _LIMITS[0])
            if (column.astype(_TYPES[kind]) == column).all():
                self._write(_PLAIN, kind, column)
                return
        with np.errstate(over="ignore"):
            narrow = column.astype(np.float32)
        exact = ((narrow == column) | (column != column)).all()
        self._write(_PLAIN, 3 if exact else 4, column)

    def to_bytes(self) -> bytes:
        """Everything that was written."""
        return b"".join(self._parts)

    def _write(self, form: int, kind: int, column: Floats) -> None:
        self._parts += [_HEAD.pack(form, kind, len(column)), column.astype(_TYPES[kind]).tobytes()]

    def _write_from_base(self, form: int, base: float, column: Floats) -> None:
        high = float(column.max())
        kind = sum(high >= limit for limit in _LIMITS[:2])
        head = _HEAD.pack(form, kind, len(column))
        self._parts += [head, _BASE.pack(base), column.astype(_TYPES[kind]).tobytes()]


class ColumnReader:
    """Reads what a `ColumnWriter` wrote, in the same order."""

    def __init__(self, data: bytes, *, start: int = 0) -> None:
        self._data, self._at = data, start

    def read_raw(self) -> bytes:
        """Bytes with their length."""
        try:
            (n,) = struct.unpack_from("<I", self._data, self._at)
        except struct.error as error:
            raise _torn() from error
        return self._take(4, n)

    def read(self) -> Floats:
        """A column of either kind."""
        try:
            form, kind, n = _HEAD.unpack_from(self._data, self._at)
            dtype = np.dtype(_TYPES[kind])
            skip = _HEAD.size
            base = 0.0
            if form != _PLAIN:
                (base,) = _BASE.unpack_from(self._data, self._at + skip)
                skip += _BASE.size
        except (struct.error, IndexError) as error:
            raise _torn() from error
        stored: npt.NDArray[np.generic] = np.frombuffer(self._take(skip, n * dtype.itemsize), dtype)
        column: Floats = stored.astype(np.float64)
        if form == _SECONDS_FROM_BASE:
            column *= _SECOND
        return column + base if form != _PLAIN else column

    def _take(self, skip: int, n: int) -> bytes:
        begin = self._at + skip
        self._at = begin + n
        if self._at > len(self._data):
            raise _torn()
        return self._data[begin : self._at]


def _torn() -> BadInputError:
    return BadInputError("a stored state ends too early; expected what to_bytes wrote")
