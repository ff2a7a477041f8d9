"""The features that decisions were made with: many at once in columns, and older ones in rows."""

import zlib
from collections.abc import Iterator
from typing import Final

import numpy as np
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
from serving.store.kept import ServedFeatures, ServedLot
from serving.store.schema import served, served_lots

_FEATURES: Final = b"features"

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


class ServedLog:
    """The part of a transaction that is about served features."""

    def __init__(self, connection: Connection) -> None:
        """Work on an open transaction."""
        self._connection = connection

    def add(self, lot: ServedLot) -> None:
        """Keep the features of decisions."""
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
            numbers = np.frombuffer(zlib.decompress(row.numbers), dtype="<f8")
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


def pack_served(lot: ServedLot) -> bytes:
    """The lot as bytes, exactly; number by number, since those of one kind are alike."""
    columns = {
        "decision_id": pa.array(lot.decision_ids, pa.string()),
        "customer_id": pa.array(lot.customer_ids, pa.string()),
        "as_of_us": pa.array(lot.as_of_us),
        "online": pa.array(lot.online),
    }
    numbers = {"numbers": pack_matrix(lot.numbers.T)}
    head = {_FEATURES: lot.features.encode()}
    return pack_columns(Columns(columns, head), Columns(numbers))


def unpack_served(packed: bytes) -> ServedLot:
    """What `pack_served` packed."""
    told, numbers = unpack_columns(packed)
    return ServedLot(
        decision_ids=told["decision_id"].to_pylist(),
        customer_ids=told["customer_id"].to_pylist(),
        as_of_us=read_ints(told, "as_of_us"),
        online=read_flags(told, "online"),
        features=told.schema.metadata[_FEATURES].decode(),
        numbers=read_floats(numbers, "numbers").T,
    )
