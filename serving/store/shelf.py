"""Where records are kept and found: lots in columns, and records that were made elsewhere."""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache

from sqlalchemy import Connection, Table, insert

from features.errors import ConflictError
from serving.lots.decided import Kept
from serving.lots.lot import DecisionLot
from serving.lots.packing import pack_lot, unpack_lot
from serving.lots.reading import read_record, read_records
from serving.records import Decision, DecisionRequest
from serving.store.lot_rows import (
    DECISION_COLUMNS,
    MESSAGE_COLUMNS,
    Row,
    list_decisions,
    list_messages,
)
from serving.store.lots import in_json_lots
from serving.store.queries import LOT, RECORD, RECORDS, RECORDS_BY_KEY
from serving.store.rows import DecisionRows, digest_of
from serving.store.schema import decision_lots, decisions, messages

FEW = 8
"""A lot of so many decisions is kept as records."""

_LOT = 5_000  # records read at once, to bound memory
_N_OPEN = 8  # lots that are kept unpacked

Place = tuple[str, int | None, int | None]
"""A record as text, or the lot and the row in it."""


class DecisionShelf:
    """The part of a transaction that keeps and finds records."""

    def __init__(self, connection: Connection) -> None:
        """Work on an open transaction."""
        self._connection = connection
        self._open: OrderedDict[int, DecisionLot] = OrderedDict()

    def add_lot(self, lot: DecisionLot) -> Kept:
        """Keep decisions: a lot as one blob, and a narrow row for each of them and its messages.

        The records of a few are kept as text: for them that is quicker than columns.
        """
        lot_id, texts, packed, records = None, None, None, None
        if len(lot) > FEW:
            packed = pack_lot(lot)
            add = insert(decision_lots).returning(decision_lots.c.lot_id)
            lot_id = int(self._connection.execute(add, {"packed": packed}).scalar_one())
        else:
            records = list(read_records(lot))
            texts = [record.model_dump_json() for record in records]
        rows = list_decisions(lot, lot_id=lot_id, texts=texts)
        self._insert(decisions, DECISION_COLUMNS, rows)
        self._insert(messages, MESSAGE_COLUMNS, list(list_messages(lot)))
        return Kept(packed, records)

    def add_rows(self, rows: Sequence[DecisionRows]) -> None:
        """Keep records that were made elsewhere."""
        self._connection.execute(insert(decisions), [row.decision for row in rows])
        sent = [message for row in rows for message in row.messages]
        if sent:
            self._connection.execute(insert(messages), sent)

    def find(self, decision_id: str) -> Decision | None:
        """The record of that identity, or None."""
        found = self._connection.execute(RECORD, {"decision_id": decision_id}).first()
        return None if found is None else self._read([(found[0], found[1], found[2])])[0]

    def find_by_keys(self, requests: Sequence[DecisionRequest]) -> dict[str, Decision]:
        """Records under the requests' idempotency keys, by key.

        Raises:
            ConflictError: A key was used for a different request.
        """
        about = {r.idempotency_key: (r.customer_id, r.trigger) for r in requests}
        places = self.find_keys(
            (key for key in about if key is not None), digest=lambda key: digest_of(*about[key])
        )
        return dict(zip(places, self._read(list(places.values())), strict=True))

    def find_keys(self, keys: Iterable[str], *, digest: Callable[[str], str]) -> dict[str, Place]:
        """Where records under these keys are, by key.

        Args:
            keys: Of requests.
            digest: What must be kept of the request of a key.

        Raises:
            ConflictError: A key was used for a different request.
        """
        found: dict[str, Place] = {}
        for lot in in_json_lots(keys):
            rows = self._connection.execute(RECORDS_BY_KEY, {"keys": lot})
            for key, kept, record, lot_id, lot_row in rows:
                if kept != digest(key):
                    raise ConflictError(
                        f"idempotency_key {key!r} was used for a different request before"
                    )
                found[key] = (record, lot_id, lot_row)
        return found

    def read_all(self) -> Iterator[list[Decision]]:
        """Every record in the order of time, in lots."""
        found = self._connection.execute(RECORDS, execution_options={"yield_per": _LOT})
        for rows in found.partitions():
            yield self._read([(record, lot_id, lot_row) for record, lot_id, lot_row in rows])

    def _read(self, places: Sequence[Place]) -> list[Decision]:
        """The records at these places; each lot is unpacked once."""
        records: dict[int, Decision] = {}
        by_lot: dict[int, list[int]] = {}
        for at, (text, lot_id, _) in enumerate(places):
            if lot_id is None:
                records[at] = Decision.model_validate_json(text)
            else:
                by_lot.setdefault(lot_id, []).append(at)
        for lot_id, wanted in by_lot.items():
            lot = self._unpack(lot_id)
            for at in wanted:
                records[at] = read_record(lot, int(places[at][2] or 0))
        return [records[at] for at in range(len(places))]

    def _unpack(self, lot_id: int) -> DecisionLot:
        """A lot; the last ones that were asked for are kept."""
        if lot_id not in self._open:
            packed = self._connection.execute(LOT, {"lot_id": lot_id}).scalar_one()
            self._open[lot_id] = unpack_lot(packed)
        self._open.move_to_end(lot_id)
        while len(self._open) > _N_OPEN:
            self._open.popitem(last=False)
        return self._open[lot_id]

    def _insert(self, table: Table, columns: Sequence[str], rows: Sequence[Row]) -> None:
        """Insert plain rows in the driver's own words: SQLAlchemy's would cost more than it."""
        if rows:
            text = _write_insert(table.name, tuple(columns), self._connection.dialect.paramstyle)
            self._connection.exec_driver_sql(text, list(rows))


@cache
def _write_insert(table: str, columns: tuple[str, ...], paramstyle: str) -> str:
    mark = "?" if paramstyle == "qmark" else "%s"
    names = ", ".join(f'"{name}"' for name in columns)
    marks = ", ".join(mark for _ in columns)
    return f"INSERT INTO {table} ({names}) VALUES ({marks})"
