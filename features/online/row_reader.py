"""Answers the demands on kept rows at a moment: all of them in a handful of array operations."""

from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from features.conditions import Is
from features.contracts import CONTRACTS
from features.online.conditions import ask_at, has_passed, to_millionths_each
from features.online.lenses import Flags, Floats, LensTable
from features.online.measures import Demand, Take, Where, is_of_the_moment, static_of
from features.online.row_plan import RowPlan
from features.online.rows import RowList

Places: TypeAlias = npt.NDArray[np.intp]

_NONE: Final = -1


@dataclass(frozen=True)
class _Test:
    """A condition of the moment: which slot is asked what."""

    test: Is
    slot: int
    other: int


@dataclass(frozen=True)
class _Column:
    """A column of numbers that is taken of rows: a slot, or whether a row has a mark.

    Attributes:
        slot: The slot; -1 where it is a mark.
        mark: The mark.
        later: The slot holds the time of a later event, null before it.
    """

    slot: int
    mark: int = _NONE
    later: bool = False


class RowReader:
    """The demands on the rows of a plan, laid out for arrays."""

    def __init__(self, plan: RowPlan) -> None:
        self._plan = plan
        self._lenses = LensTable(tuple(dict.fromkeys(d.lens for d in plan.demands)))
        self._moving: dict[tuple[str, Where], int] = {}
        self._tests: list[tuple[int, tuple[_Test, ...]]] = []
        self._counts = self._place([d for d in plan.demands if _counts(d)])
        self._totals = [d for d in plan.demands if _totals(d)]
        self._at_totals = self._place(self._totals)
        self._latest = self._place([d for d in plan.demands if d.measure.take in _LATEST])
        self._first = self._place([d for d in plan.demands if d.measure.take is Take.FIRST])
        self._least = [d for d in plan.demands if d.measure.take is Take.LEAST]
        self._at_least = self._place(self._least)
        self._is_last = np.array(
            [d.measure.take is Take.LAST for d in plan.demands if d.measure.take in _LATEST],
            dtype=bool,
        )
        self._columns = [
            self._column(d) for d in plan.demands if d.measure.take in (Take.VALUE, Take.HOLDS)
        ]
        self._distinct = [d for d in plan.demands if d.measure.take is Take.DISTINCT]
        self._at_distinct = self._place(self._distinct)

    def read(self, rows: RowList, *, as_of_us: int) -> Floats:
        """One number per demand of the plan; NaN where no row tells anything.

        Args:
            rows: What is known before the moment.
            as_of_us: The moment.
        """
        plan, t, slots = self._plan, rows.t[: rows.n], rows.slots[: rows.n]
        marks = self._find_marks(rows, as_of_us=as_of_us)
        seen = self._lenses.see(t, as_of_us=as_of_us)
        weights = self._lenses.weigh(t, seen, as_of_us=as_of_us)
        found = np.full(len(plan.demands), np.nan)
        if len(self._counts.at):
            sums = weights @ marks.T.astype(np.float64)
            found[self._counts.at] = sums[self._counts.lens, self._counts.mark]
        if self._totals:
            found[self._at_totals.at] = self._sum_up(marks, weights, slots)
        if len(self._first.at):
            shown = marks[self._first.mark] & seen[self._first.lens]
            first = np.where(shown, t, np.inf).min(axis=1, initial=np.inf)
            found[self._first.at] = np.where(np.isfinite(first), first, np.nan)
        if len(self._latest.at):
            shown = marks[self._latest.mark] & seen[self._latest.lens]
            found[self._latest.at] = self._read_latest(
                rows, marks=marks, shown=shown, as_of_us=as_of_us
            )
        for n, demand in enumerate(self._least):
            shown = marks[self._at_least.mark[n]] & seen[self._at_least.lens[n]]
            column = slots[shown, self._slot(demand)]
            if not np.isnan(column).all():
                found[self._at_least.at[n]] = np.nanmin(column)
        for n, demand in enumerate(self._distinct):
            shown = marks[self._at_distinct.mark[n]] & seen[self._at_distinct.lens[n]]
            column = slots[shown, self._slot(demand)]
            found[self._at_distinct.at[n]] = len(np.unique(column[~np.isnan(column)]))
        return found

    def _find_marks(self, rows: RowList, *, as_of_us: int) -> Flags:
        """Marks of every row, shape (marks, rows); those that the moment decides come last."""
        n_static = self._plan.n_marks
        bits = np.unpackbits(rows.marks[: rows.n].T, axis=0, bitorder="little")
        marks = np.empty((n_static + len(self._tests), rows.n), dtype=bool)
        marks[:n_static] = bits[:n_static]
        slots = rows.slots[: rows.n].T
        for n, (static, tests) in enumerate(self._tests, start=n_static):
            fulfilled = marks[static]
            for test in tests:
                fulfilled = fulfilled & ask_at(
                    test.test, slots[test.slot], slots[test.other], as_of_us=as_of_us
                )
            marks[n] = fulfilled
        return marks

    def _sum_up(self, marks: Flags, weights: Floats, slots: Floats) -> Floats:
        """Sums of columns and counts of their values."""
        sums = np.empty(len(self._totals))
        for n, demand in enumerate(self._totals):
            column = slots[:, self._slot(demand)]
            present = marks[self._at_totals.mark[n]] & ~np.isnan(column)
            if demand.measure.take is Take.PRESENT:
                numbers = present.astype(np.float64)
            else:
                numbers = np.where(present, column, 0.0)
                if demand.measure.in_millionths:
                    numbers = to_millionths_each(numbers)
            sums[n] = weights[self._at_totals.lens[n]] @ numbers
        return sums

    def _read_latest(self, rows: RowList, *, marks: Flags, shown: Flags, as_of_us: int) -> Floats:
        """The largest time, or the largest value among the rows of that time."""
        t, slots = rows.t[: rows.n], rows.slots[: rows.n].T
        times = np.where(shown, t, -np.inf)
        last = times.max(axis=1, initial=-np.inf)
        found = np.where(np.isfinite(last), last, np.nan)
        reads = ~self._is_last
        if not reads.any():
            return found
        tied = shown[reads] & (times[reads] == last[reads][:, None])
        values = np.empty((len(self._columns), rows.n))
        for n, column in enumerate(self._columns):
            values[n] = marks[column.mark] if column.slot == _NONE else slots[column.slot]
            if column.later:
                values[n][~has_passed(values[n], as_of_us=as_of_us)] = np.nan
        found[reads] = pick_largest(values, tied)
        return found

    def _place(self, demands: list[Demand]) -> "_Placed":
        """Where the numbers of these demands stand, and which mark and lens they read."""
        every, lenses = self._plan.demands, self._lenses.lenses
        return _Placed(
            at=np.array([every.index(d) for d in demands], dtype=np.intp),
            lens=np.array([lenses.index(d.lens) for d in demands], dtype=np.intp),
            mark=np.array([self._mark_of(d) for d in demands], dtype=np.intp),
        )

    def _mark_of(self, demand: Demand) -> int:
        return self._find_mark(demand.measure.table, demand.measure.where)

    def _find_mark(self, name: str, where: Where) -> int:
        """The row of marks that says whether rows of a table fulfil a condition."""
        table = self._plan.tables[name]
        static, moving = static_of(where), tuple(filter(is_of_the_moment, where))
        if not moving:
            return table.marks[static]
        if (name, where) not in self._moving:
            tests = tuple(
                _Test(c.test, table.slot_of(c.column), table.slot_of((*c.operands, c.column)[0]))
                for c in moving
            )
            self._moving[name, where] = self._plan.n_marks + len(self._tests)
            self._tests.append((table.marks[static], tests))
        return self._moving[name, where]

    def _column(self, demand: Demand) -> _Column:
        measure = demand.measure
        if measure.take is Take.HOLDS:
            return _Column(_NONE, mark=self._find_mark(measure.table, measure.holds))
        later = measure.value in CONTRACTS[measure.table].revised
        return _Column(self._slot(demand), later=later)

    def _slot(self, demand: Demand) -> int:
        return self._plan.tables[demand.measure.table].slot_of(demand.measure.value or "")


@dataclass(frozen=True)
class _Placed:
    """Demands of one kind: where they stand, and what they read."""

    at: Places
    lens: Places
    mark: Places


def pick_largest(values: Floats, among: Flags) -> Floats:
    """The largest value of each row of an array among those that are marked; NaN where none is."""
    marked = np.where(among & ~np.isnan(values), values, -np.inf)
    largest: Floats = marked.max(axis=1, initial=-np.inf)
    largest[largest == -np.inf] = np.nan
    return largest


_LATEST: Final = (Take.LAST, Take.VALUE, Take.HOLDS)


def _counts(demand: Demand) -> bool:
    return demand.measure.take is Take.SUM and demand.measure.value is None


def _totals(demand: Demand) -> bool:
    takes = (Take.SUM, Take.PRESENT)
    return demand.measure.take in takes and demand.measure.value is not None
