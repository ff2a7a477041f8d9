"""Adds the rows of tables without a key to a customer's tiles."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from features.codes import hash_short
from features.contracts import EVENT_ID
from features.online.conditions import fulfils_all, to_millionths
from features.online.facts import Cell, Fact, hash_text
from features.online.lenses import find_day
from features.online.measures import Measure, Take
from features.online.rows import read_cells
from features.online.tile_plan import TileBlock, TilePlan
from features.online.tiles import Block, Tiles, read_number

Row = Mapping[str, Cell | None]

_N_MEMORISED: Final = 4096


@dataclass(frozen=True)
class _Sum:
    column: int
    where: int
    measure: Measure


@dataclass(frozen=True)
class _End:
    column: int
    where: int
    holds: int
    measure: Measure


@dataclass(frozen=True)
class _Distinct:
    column: int
    where: int
    value: str


@dataclass(frozen=True)
class _Columns:
    """What the rows of one table add to in one block."""

    sums: tuple[_Sum, ...]
    ends: tuple[_End, ...]
    distinct: tuple[_Distinct, ...]


class TileWriter:
    """Adds rows to tiles by the plan."""

    def __init__(self, plan: TilePlan) -> None:
        self._plan = plan
        self._days = {name: _columns_of(plan, plan.days, name) for name in plan.tables}
        self._ever = {name: _columns_of(plan, plan.ever, name) for name in plan.tables}
        self._asked = {
            name: tuple(sorted({c.column for where in plan.wheres[name] for c in where}))
            for name in plan.tables
        }
        self._known: dict[tuple[object, ...], tuple[bool, ...]] = {}

    def add(self, tiles: Tiles, fact: Fact, *, week_hour: int | None, known_us: int) -> None:
        """Add a row that counts (see `is_new`) to the tile of its day.

        Args:
            tiles: Are changed.
            fact: The row.
            week_hour: Hour of the customer's week; None where no zone was known.
            known_us: No moment before it will be asked for.
        """
        t, row = fact.t_us, read_cells(fact)
        tiles.move_on(self._plan, known_us=known_us)
        fulfilled = self._ask(fact.table, row, week_hour=week_hour)
        day = find_day(t)
        line = tiles.find_tile(day)
        columns = self._days[fact.table]
        _write(columns, tiles.by_day, line, row=row, t=t, fulfilled=fulfilled)
        _write(self._ever[fact.table], tiles.ever, 0, row=row, t=t, fulfilled=fulfilled)
        bit = 1 << max(day - tiles.anchor + 1, 0)
        for one in columns.distinct:
            if fulfilled[one.where] and (cell := row.get(one.value)) is not None:
                days, value = tiles.distinct[one.column], hash_short(str(cell))
                days[value] = days.get(value, 0) | bit
        for one in self._ever[fact.table].distinct:
            if fulfilled[one.where] and (cell := row.get(one.value)) is not None:
                tiles.distinct_ever[one.column].add(hash_short(str(cell)))

    def _ask(self, table: str, row: Row, *, week_hour: int | None) -> tuple[bool, ...]:
        asked = (table, week_hour, *(row.get(name) for name in self._asked[table]))
        known = self._known.get(asked)
        if known is None:
            known = tuple(
                fulfils_all(where, row=row, week_hour=week_hour)
                for where in self._plan.wheres[table]
            )
            if len(self._known) < _N_MEMORISED:
                self._known[asked] = known
        return known


def is_new(tiles: Tiles, fact: Fact) -> bool:
    """Whether no row of the same event came before; it is remembered from now on."""
    event_id = fact.row.get(EVENT_ID)
    if event_id is None:
        return True
    key = hash_event(fact.table, str(event_id))
    if key in tiles.seen:
        return False
    tiles.seen[key] = find_day(fact.k_us)
    return True


def hash_event(table: str, event_id: str) -> int:
    """64 bits that stand for an event of a table."""
    return hash_text(f"{table}\0{event_id}")


def _write(
    columns: _Columns,
    block: Block,
    line: int,
    *,
    row: Row,
    t: int,
    fulfilled: tuple[bool, ...],
) -> None:
    for one in columns.sums:
        if fulfilled[one.where]:
            block.sums[line, one.column] += count_or_read(one.measure, row)
    for end in columns.ends:
        if fulfilled[end.where]:
            measure = end.measure
            value = np.nan
            if measure.take is Take.HOLDS:
                value = float(fulfilled[end.holds])
            elif measure.value is not None:
                value = read_number(row, measure.value)
            if measure.take is not Take.LEAST:
                time = -t if measure.take is Take.FIRST else t
                block.add_end(line, end.column, time=float(time), value=value)
            elif not np.isnan(value):
                block.add_end(line, end.column, time=-value, value=np.nan)


def count_or_read(measure: Measure, row: Row) -> float:
    """What a row adds to a sum; null adds nothing."""
    if measure.value is None:
        return 1.0
    number = read_number(row, measure.value)
    if np.isnan(number):
        return 0.0
    if measure.take is Take.PRESENT:
        return 1.0
    return to_millionths(number) if measure.in_millionths else number


def _columns_of(plan: TilePlan, block: TileBlock, table: str) -> _Columns:
    wheres = plan.wheres[table]
    return _Columns(
        sums=tuple(
            _Sum(n, wheres.index(m.where), m) for n, m in enumerate(block.sums) if m.table == table
        ),
        ends=tuple(
            _End(n, wheres.index(m.where), wheres.index(m.holds or m.where), m)
            for n, m in enumerate(block.ends)
            if m.table == table
        ),
        distinct=tuple(
            _Distinct(n, wheres.index(m.where), m.value or "")
            for n, m in enumerate(block.distinct)
            if m.table == table
        ),
    )
