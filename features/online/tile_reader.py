"""Answers the demands on daily tiles at a moment."""

import numpy as np
import numpy.typing as npt

from features.online.lenses import Flags, Floats, LensTable, find_day
from features.online.measures import ENDS, SUMS, Demand, Take
from features.online.row_reader import pick_largest
from features.online.tile_plan import TilePlan
from features.online.tiles import Block, Tiles
from features.point_in_time.spine import MICROS_PER_DAY

_NEGATED = (Take.FIRST, Take.LEAST)  # kept with a minus, see `Block`


class _Placed:
    """Demands of one kind: where they stand, which lens and which column they read."""

    def __init__(self, plan: TilePlan, takes: tuple[Take, ...], *, is_open: bool) -> None:
        block = plan.ever if is_open else plan.days
        columns = [*block.sums] if takes == SUMS else [*block.ends]
        self.demands = [
            d for d in plan.demands if d.measure.take in takes and d.lens.is_open is is_open
        ]
        self.at = _whole([plan.demands.index(d) for d in self.demands])
        self.column = _whole([columns.index(d.measure) for d in self.demands])
        self.is_negated = np.array([d.measure.take in _NEGATED for d in self.demands], dtype=bool)
        self.is_time = self.is_negated | np.array(
            [d.measure.take is Take.LAST for d in self.demands], dtype=bool
        )


class TileReader:
    """The demands on the tiles of a plan, laid out for arrays."""

    def __init__(self, plan: TilePlan) -> None:
        self._plan = plan
        self._lenses = LensTable(
            tuple(dict.fromkeys(d.lens for d in plan.demands if not d.lens.is_open))
        )
        self._day_sums = _Placed(plan, SUMS, is_open=False)
        self._day_ends = _Placed(plan, ENDS, is_open=False)
        self._sums = _Placed(plan, SUMS, is_open=True)
        self._ends = _Placed(plan, ENDS, is_open=True)
        self._sum_lens = self._lens_of(self._day_sums.demands)
        self._end_lens = self._lens_of(self._day_ends.demands)
        self._distinct = [
            (n, d) for n, d in enumerate(plan.demands) if d.measure.take is Take.DISTINCT
        ]

    def read(self, tiles: Tiles, *, as_of_us: int) -> Floats:
        """One number per demand of the plan; NaN where no row tells anything."""
        found = np.full(len(self._plan.demands), np.nan)
        begins = tiles.days[: tiles.n].astype(np.float64) * MICROS_PER_DAY
        seen = self._lenses.see(begins, as_of_us=as_of_us)
        if len(self._day_sums.at):
            weights = self._lenses.weigh(begins, seen, as_of_us=as_of_us)
            sums = weights @ tiles.by_day.sums[: tiles.n]
            found[self._day_sums.at] = sums[self._sum_lens, self._day_sums.column]
        if len(self._day_ends.at):
            shown = seen[self._end_lens]
            found[self._day_ends.at] = _read_ends(self._day_ends, tiles.by_day, shown, n=tiles.n)
        if len(self._sums.at):
            found[self._sums.at] = tiles.ever.sums[0, self._sums.column]
        if len(self._ends.at):
            found[self._ends.at] = _read_only_line(self._ends, tiles.ever)
        for at, demand in self._distinct:
            found[at] = self._count_distinct(tiles, demand, as_of_us=as_of_us)
        return found

    def _lens_of(self, demands: list[Demand]) -> npt.NDArray[np.intp]:
        return _whole([self._lenses.lenses.index(d.lens) for d in demands])

    def _count_distinct(self, tiles: Tiles, demand: Demand, *, as_of_us: int) -> int:
        lens = demand.lens
        if lens.is_open:
            return len(tiles.distinct_ever[self._plan.ever.distinct.index(demand.measure)])
        days = tiles.distinct[self._plan.days.distinct.index(demand.measure)]
        if not days:
            return 0
        today = find_day(as_of_us) - tiles.anchor + 1
        bits = -1
        if lens.window_days is not None:
            bits <<= max(today - lens.reach_days, 1)
        if lens.ends_at_midnight:
            bits &= (1 << max(today - lens.ends_days_ago, 0)) - 1
        return sum(1 for seen in days.values() if seen & bits)


def _read_ends(placed: _Placed, block: Block, shown: Flags, *, n: int) -> Floats:
    """First and last times over the days that each lens shows, or the value of the last."""
    times = np.where(shown, block.times[:n, placed.column].T, -np.inf)
    last = times.max(axis=1, initial=-np.inf)
    tied = shown & (times == last[:, None])
    values = pick_largest(block.values[:n, placed.column].T, tied)
    return _choose(placed, last, values)


def _read_only_line(placed: _Placed, block: Block) -> Floats:
    return _choose(placed, block.times[0, placed.column], block.values[0, placed.column])


def _choose(placed: _Placed, last: Floats, values: Floats) -> Floats:
    times = np.where(placed.is_negated, -last, last)
    times[~np.isfinite(times)] = np.nan
    chosen: Floats = np.where(placed.is_time, times, values)
    return chosen


def _whole(places: list[int]) -> npt.NDArray[np.intp]:
    return np.array(places, dtype=np.intp)
