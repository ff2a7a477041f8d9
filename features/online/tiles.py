"""Daily tiles of one customer: what the rows of each day add up to."""

from collections.abc import Mapping
from typing import Final

import numpy as np

from features.online.facts import Cell
from features.online.lenses import Floats, Whole, find_day
from features.online.tile_plan import TileBlock, TilePlan

BEFORE: Final = -(2**31)
"""The day of tile 0, which holds everything before the days that are told apart."""


class Block:
    """Columns of numbers that rows are added to; one line per day, or one line for ever.

    Attributes:
        sums: Shape (lines, sums).
        times: Last times, and first ones and smallest values with a minus; shape (lines, ends);
            -inf without rows.
        values: Largest value of the row of that time; NaN is null.
    """

    __slots__ = ("sums", "times", "values")

    def __init__(self, sums: Floats, times: Floats, values: Floats) -> None:
        self.sums, self.times, self.values = sums, times, values

    @classmethod
    def empty(cls, plan: TileBlock, *, n_lines: int) -> "Block":
        """Lines without rows."""
        shape = (n_lines, len(plan.ends))
        sums = np.zeros((n_lines, len(plan.sums)))
        return cls(sums, np.full(shape, -np.inf), np.full(shape, np.nan))

    def copy(self) -> "Block":
        """The same numbers, apart."""
        return Block(self.sums.copy(), self.times.copy(), self.values.copy())

    def take(self, lines: Whole) -> "Block":
        """Some of the lines."""
        return Block(self.sums[lines], self.times[lines], self.values[lines])

    def add_end(self, line: int, column: int, *, time: float, value: float) -> None:
        """A row at that time: the latest counts, and the largest value where several are."""
        last = self.times[line, column]
        if time > last:
            self.times[line, column], self.values[line, column] = time, value
        elif time == last:
            self.values[line, column] = pick_at_tie(self.values[line, column], value)

    def merge_into(self, line: int, others: Whole) -> None:
        """Add other lines to one line."""
        self.sums[line] += self.sums[others].sum(axis=0)
        for other in others.tolist():
            for column in range(self.times.shape[1]):
                if self.times[other, column] > -np.inf:
                    time, value = self.times[other, column], self.values[other, column]
                    self.add_end(line, column, time=float(time), value=float(value))


def pick_at_tie(old: float, new: float) -> float:
    """The value of two rows of one time: the larger, and null only if both are."""
    return float(np.fmax(old, new))


class Tiles:
    """Tiles of all tables without a key, of one customer.

    Attributes:
        n: Tiles that are there; the arrays may be longer.
        days: Day of each tile, in any order; the first is BEFORE.
        by_day: Their numbers.
        ever: Numbers that are kept once.
        distinct: By column, the days of each value: bit 0 is any day before `anchor`, bit 1 the
            anchor, and so on.
        distinct_ever: By column, the values ever seen.
        anchor: First day that is told apart.
        seen: Hashes of event ids, and the day on which they were told.
    """

    __slots__ = (
        "anchor", "by_day", "days", "distinct", "distinct_ever", "ever", "n", "places", "seen",
    )  # fmt: skip

    def __init__(
        self,
        *,
        days: Whole,
        by_day: Block,
        ever: Block,
        distinct: list[dict[float, int]],
        distinct_ever: list[set[float]],
        anchor: int,
        seen: dict[int, int],
        places: dict[int, int] | None = None,
    ) -> None:
        found = enumerate(days.tolist()) if places is None else ()
        self.places = {day: place for place, day in found} if places is None else places
        self.n = len(self.places)
        self.days, self.by_day, self.ever = days, by_day, ever
        self.distinct, self.distinct_ever = distinct, distinct_ever
        self.anchor, self.seen = anchor, seen

    @classmethod
    def empty(cls, plan: TilePlan) -> "Tiles":
        """No rows."""
        return cls(
            days=np.array([BEFORE], dtype=np.int64),
            by_day=Block.empty(plan.days, n_lines=1),
            ever=Block.empty(plan.ever, n_lines=1),
            distinct=[{} for _ in plan.days.distinct],
            distinct_ever=[set() for _ in plan.ever.distinct],
            anchor=BEFORE,
            seen={},
        )

    def copy(self) -> "Tiles":
        """The same tiles, apart."""
        return Tiles(
            days=self.days.copy(),
            by_day=self.by_day.copy(),
            ever=self.ever.copy(),
            distinct=[days.copy() for days in self.distinct],
            distinct_ever=[values.copy() for values in self.distinct_ever],
            anchor=self.anchor,
            seen=self.seen.copy(),
            places=self.places.copy(),
        )

    def find_tile(self, day: int) -> int:
        """The place of a day's tile; made if it is not there, and the first for days long past."""
        if day < self.anchor:
            return 0
        place = self.places.get(day)
        if place is None:
            if self.n == len(self.days):
                self._grow()
            place = self.places[day] = self.n
            self.days[place] = day
            self.n += 1
        return place

    def move_on(self, plan: TilePlan, *, known_us: int) -> None:
        """Let days go that no moment from `known_us` on tells apart."""
        anchor = find_anchor(plan, known_us=known_us)
        if anchor <= self.anchor:
            return
        keep = self.days[: self.n] >= anchor
        keep[0] = True
        self.by_day.merge_into(0, np.flatnonzero(~keep))
        stays = np.flatnonzero(keep)
        self.days, self.by_day = self.days[stays], self.by_day.take(stays)
        self.places = {day: place for place, day in enumerate(self.days.tolist())}
        self.n = len(stays)
        for column, days in enumerate(self.distinct):
            self.distinct[column] = _shift(days, by=anchor - self.anchor)
        self.seen = {key: day for key, day in self.seen.items() if day >= anchor - 1}
        self.anchor = anchor

    def _grow(self) -> None:
        more = Block(*(np.zeros((8, c.shape[1])) for c in _columns(self.by_day)))
        more.times[:], more.values[:] = -np.inf, np.nan
        pairs = zip(_columns(self.by_day), _columns(more), strict=True)
        self.by_day = Block(*(np.concatenate(pair) for pair in pairs))
        self.days = np.concatenate([self.days, np.full(8, BEFORE, dtype=np.int64)])


def find_anchor(plan: TilePlan, *, known_us: int) -> int:
    """The first day that windows of moments from `known_us` on tell apart."""
    return find_day(known_us) - plan.reach_days


def _columns(block: Block) -> tuple[Floats, Floats, Floats]:
    return block.sums, block.times, block.values


def _shift(days: dict[float, int], *, by: int) -> dict[float, int]:
    """The days of each value, told from a later anchor on; older ones become bit 0."""
    older = (1 << by + 1) - 1 if by < 2**20 else -1
    shifted = {}
    for value, bits in days.items():
        later = bits >> by & ~1 if by < 2**20 else 0
        shifted[value] = later | bool(bits & older)
    return shifted


def read_number(row: Mapping[str, Cell | None], column: str) -> float:
    """A cell as a number; NaN is null."""
    cell = row.get(column)
    return np.nan if cell is None else float(cell)
