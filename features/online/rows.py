"""Rows of one customer, kept one by one."""

from collections.abc import Mapping
from typing import Final

import numpy as np
import numpy.typing as npt

from features.codes import hash_short
from features.contracts import KNOWN_AT
from features.online.conditions import fulfils_all
from features.online.facts import Cell, Fact, hash_text
from features.online.lenses import Floats, find_midnight
from features.online.row_plan import OUTCOMES, Encoding, Forgetting, RowPlan, RowTable, Slot
from features.point_in_time.spine import MICROS_PER_DAY

Bytes = npt.NDArray[np.uint8]
Keys = npt.NDArray[np.uint64]

_N_MEMORISED: Final = 4096


def key_of(table: RowTable, row: Mapping[str, Cell | None]) -> int:
    """64 bits that stand for the key of a row."""
    return hash_text("\0".join((table.name, *(str(row[name]) for name in table.key))))


def encode(slot: Slot, cell: Cell | None) -> float:
    """The cell as a float; NaN is null."""
    if cell is None:
        return np.nan
    match slot.encoding:
        case Encoding.CODE:
            return float(slot.choices.index(str(cell)))
        case Encoding.HASH:
            return hash_short(str(cell))
        case _:
            return float(cell)


def read_cells(fact: Fact) -> Mapping[str, Cell | None]:
    """The row with the time at which it was told."""
    return {**fact.row, KNOWN_AT: fact.known_us}


class Marker:
    """Finds the marks of rows: bits of the sets of conditions that a row fulfils."""

    def __init__(self, plan: RowPlan) -> None:
        self._width = n_bytes(plan)
        self._known: dict[tuple[object, ...], Bytes] = {}

    def mark(
        self, table: RowTable, row: Mapping[str, Cell | None], *, week_hour: int | None
    ) -> Bytes:
        """The marks of a row; the same array for rows that answer alike."""
        asked = (table.number, week_hour, *(row.get(name) for name in table.asked))
        known = self._known.get(asked)
        if known is None:
            known = self._mark(table, row, week_hour=week_hour)
            if len(self._known) < _N_MEMORISED:
                self._known[asked] = known
        return known

    def _mark(
        self, table: RowTable, row: Mapping[str, Cell | None], *, week_hour: int | None
    ) -> Bytes:
        marks = np.zeros(self._width, dtype=np.uint8)
        for where, bit in table.marks.items():
            if fulfils_all(where, row=row, week_hour=week_hour):
                marks[bit // 8] |= 1 << bit % 8
        return marks


def n_bytes(plan: RowPlan) -> int:
    """Bytes that the marks of a row take."""
    return -(-plan.n_marks // 8)


class RowList:
    """Rows of all tables in arrays that grow; a row's place is found by the hash of its key.

    Attributes:
        n: Rows that are there; the arrays may be longer.
        tables: Number of each row's table.
        keys: Hash of its key.
        t: Its own moment.
        marks: Its bits, shape (rows, bytes).
        slots: Its columns, shape (rows, slots); NaN is null.
        places: Place by hash.
    """

    __slots__ = ("keys", "marks", "n", "places", "slots", "t", "tables")

    def __init__(
        self,
        *,
        tables: Bytes,
        keys: Keys,
        t: Floats,
        marks: Bytes,
        slots: Floats,
        places: dict[int, int] | None = None,
    ) -> None:
        self.n = len(t) if places is None else len(places)
        self.tables, self.keys, self.t, self.marks, self.slots = tables, keys, t, marks, slots
        found = enumerate(keys.tolist()) if places is None else ()
        self.places = {key: place for place, key in found} if places is None else places

    @classmethod
    def empty(cls, plan: RowPlan) -> "RowList":
        """No rows."""
        return cls(
            tables=np.zeros(0, dtype=np.uint8),
            keys=np.zeros(0, dtype=np.uint64),
            t=np.zeros(0),
            marks=np.zeros((0, n_bytes(plan)), dtype=np.uint8),
            slots=np.zeros((0, plan.n_slots)),
        )

    def copy(self) -> "RowList":
        """The same rows, apart."""
        return RowList(
            tables=self.tables.copy(),
            keys=self.keys.copy(),
            t=self.t.copy(),
            marks=self.marks.copy(),
            slots=self.slots.copy(),
            places=self.places.copy(),
        )

    def put(self, table: RowTable, key: int, *, t: float, marks: Bytes, slots: list[float]) -> None:
        """Write a row, in the place of the one of its key if there is one."""
        place = self.places.get(key)
        if place is None:
            place = self._append(table, key)
        self.t[place] = t
        self.marks[place] = marks
        if slots:
            self.slots[place, : len(slots)] = slots

    def drop(self, key: int) -> None:
        """Remove a row; the last one takes its place."""
        place, last = self.places.pop(key), self.n - 1
        if place != last:
            for column in (self.tables, self.keys, self.t, self.marks, self.slots):
                column[place] = column[last]
            self.places[int(self.keys[place])] = place
        self.n = last

    def _append(self, table: RowTable, key: int) -> int:
        if self.n == len(self.t):
            self._grow()
        place = self.n
        self.tables[place], self.keys[place] = table.number, key
        self.slots[place] = np.nan
        self.places[key] = place
        self.n += 1
        return place

    def _grow(self) -> None:
        more = max(8, self.n // 2)
        self.tables, self.keys, self.t, self.marks, self.slots = (
            np.concatenate([column, np.zeros((more, *column.shape[1:]), dtype=column.dtype)])
            for column in (self.tables, self.keys, self.t, self.marks, self.slots)
        )


def forget_rows(rows: RowList, table: RowTable, forgetting: Forgetting, *, known_us: int) -> None:
    """Drop the rows of a table that no moment from `known_us` on can see."""
    own = np.flatnonzero(rows.tables[: rows.n] == table.number)
    t = rows.t[own]
    midnight = find_midnight(known_us)
    stays = t >= midnight - forgetting.reach_days * MICROS_PER_DAY
    for ends in forgetting.open_ends:
        end = midnight - ends * MICROS_PER_DAY if ends else np.inf
        before = t[t < end]
        if len(before):
            stays |= t == before.max()
    for key in rows.keys[own[~stays]].tolist():
        rows.drop(key)


def takes_place(table: RowTable, *, t: float, old_t: float) -> bool:
    """Whether a row that comes now replaces the one of the same key that is there.

    A version does; an outcome only if it happened earlier, for the first one counts; a message
    never.
    """
    if table.name == OUTCOMES:
        return t < old_t
    return table.corrected
