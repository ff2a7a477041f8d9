"""The features that decisions were made with: many at once in columns, and a few in rows."""

import zlib
from collections.abc import Iterator
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from sqlalchemy import Connection, bindparam, func, insert, select

from serving.lots.arrow import (
    Columns,
    pack_columns,
    pack_matrix,
    read_flags,
    read_floats,
    read_ints,
    unpack_columns,
)
from serving.policy.cases import Ints
from serving.store.kept import ServedFeatures, ServedLot
from serving.store.schema import served, served_lots

_FEATURES: Final = b"features"
_FEW: Final = 8
"""Features of so many decisions are kept in rows."""

_NUMBERS: Final = "<f8"
_PARTS: Final = 16.0
"""Presence counts halves, counts and so on by age; most else that is counted is whole."""

_ROWS = (
    select(served)
    .where(served.c.as_of_us >= bindparam("since_us"), served.c.as_of_us < bindparam("until_us"))
    .order_by(served.c.as_of_us, served.c.decision_id)
)
_LOTS = (
    select(served_lots.c.packed)
    .where(served_lots.c.last_us >= bindparam("since_us"))
    .where(served_lots.c.first_us < bindparam("until_us"))
    .order_by(served_lots.c.first_us, served_lots.c.served_lot_id)
)
_N_ROWS = select(func.count()).select_from(served).where(served.c.as_of_us >= bindparam("since_us"))
_N_IN_LOTS = select(func.coalesce(func.sum(served_lots.c.n), 0)).where(
    served_lots.c.first_us >= bindparam("since_us")
)
_STRADDLING = select(served_lots.c.packed).where(
    served_lots.c.first_us < bindparam("since_us"), served_lots.c.last_us >= bindparam("since_us")
)
_ADD = insert(served_lots)
_ADD_ROWS = insert(served)


class ServedLog:
    """The part of a transaction that is about served features."""

    def __init__(self, connection: Connection) -> None:
        """Work on an open transaction."""
        self._connection = connection

    def add(self, lot: ServedLot) -> None:
        """Keep the features of decisions; those of a few in rows, which is quicker for them."""
        if len(lot) <= _FEW:
            self._connection.execute(_ADD_ROWS, [_write_row(one) for one in lot.rows()])
            return
        row = {
            "first_us": int(lot.as_of_us.min()),
            "last_us": int(lot.as_of_us.max()),
            "n": len(lot),
            "packed": pack_served(lot),
        }
        self._connection.execute(_ADD, row)

    def read(self, *, since_us: int, until_us: int) -> Iterator[ServedFeatures]:
        """What was served as of moments in `since <= as_of < until`."""
        period = {"since_us": since_us, "until_us": until_us}
        for row in self._connection.execute(_ROWS, period):
            numbers = np.frombuffer(zlib.decompress(row.numbers), dtype=_NUMBERS)
            yield ServedFeatures(
                row.decision_id, row.customer_id, row.as_of_us, row.online, row.features, numbers
            )
        for packed in self._connection.execute(_LOTS, period).scalars():
            for one in unpack_served(packed).rows():
                if since_us <= one.as_of_us < until_us:
                    yield one

    def count(self, *, since_us: int) -> int:
        """How many decisions were served features of this moment or a later one."""
        since = {"since_us": since_us}
        whole = (self._connection.execute(n, since).scalar_one() for n in (_N_ROWS, _N_IN_LOTS))
        parts = self._connection.execute(_STRADDLING, since).scalars()
        late = (int((unpack_served(packed).as_of_us >= since_us).sum()) for packed in parts)
        return sum(map(int, whole)) + sum(late)


def _write_row(one: ServedFeatures) -> dict[str, object]:
    return {
        "decision_id": one.decision_id,
        "customer_id": one.customer_id,
        "as_of_us": one.as_of_us,
        "online": one.online,
        "features": one.features,
        "numbers": zlib.compress(one.numbers.astype(_NUMBERS).tobytes(), level=1),
    }


def pack_served(lot: ServedLot) -> bytes:
    """The lot as bytes, exactly; number by number, since those of one kind are alike.

    Counts take two bytes: those that are small, and whole in sixteenths, in all of the lot.
    """
    columns = {
        "decision_id": pa.array(lot.decision_ids, pa.string()),
        "customer_id": pa.array(lot.customer_ids, pa.string()),
        "as_of_us": pa.array(lot.as_of_us),
        "online": pa.array(lot.online),
    }
    head = {_FEATURES: lot.features.encode()}
    scaled = lot.numbers * _PARTS
    with np.errstate(invalid="ignore"):  # unknown numbers, which are no counts
        counts = scaled.astype(np.int16)
    is_small = ((counts == scaled) & ~np.signbit(scaled)).all(axis=0)
    return pack_columns(
        Columns(columns, head),
        _pack_numbers(counts[:, is_small], at=np.flatnonzero(is_small)),
        _pack_numbers(lot.numbers[:, ~is_small], at=np.flatnonzero(~is_small)),
    )


def unpack_served(packed: bytes) -> ServedLot:
    """What `pack_served` packed."""
    told, small, others = unpack_columns(packed)
    numbers = np.empty((told.num_rows, small.num_rows + others.num_rows))
    numbers[:, read_ints(small, "at")] = read_floats(small, "numbers").T / _PARTS
    numbers[:, read_ints(others, "at")] = read_floats(others, "numbers").T
    return ServedLot(
        decision_ids=told["decision_id"].to_pylist(),
        customer_ids=told["customer_id"].to_pylist(),
        as_of_us=read_ints(told, "as_of_us"),
        online=read_flags(told, "online"),
        features=told.schema.metadata[_FEATURES].decode(),
        numbers=numbers,
    )


def _pack_numbers(numbers: npt.NDArray[np.generic], *, at: Ints) -> Columns:
    """Some of the numbers, (n, k), a row for each, and which they are."""
    return Columns({"at": pa.array(at), "numbers": pack_matrix(numbers.T)})
