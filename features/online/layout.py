"""From declarations to what is kept of one customer.

Everything follows from the feature sets and the histogram: one more entry there, and the layout
keeps what it needs. States made by another layout are refused by its digest.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from features.conditions import WEEK_HOUR
from features.contracts import CONTRACTS
from features.declarations import FeatureSet
from features.errors import BadInputError
from features.histograms import HourHistogram, HourSource
from features.online.measures import Demand, demands_of, wheres_of
from features.online.numbers import NumberPlan
from features.online.row_plan import MESSAGES, OUTCOMES, RowPlan, plan_rows
from features.online.row_reader import RowReader
from features.online.rows import Marker
from features.online.tile_plan import TilePlan, plan_tiles
from features.online.tile_reader import TileReader
from features.online.tile_writer import TileWriter

_FORM: Final = 2
"""Raised when what is kept, or how it is written, comes to mean something else."""


@dataclass(frozen=True)
class Layout:
    """What is kept of a customer, and how features are read from it; made by `compile_layout`.

    Attributes:
        sets: Feature sets that it serves.
        histogram: Hours of the week that it keeps; None for none.
        rows: Tables kept row by row.
        tiles: Tables kept as daily tiles.
        digest: 16 hexadecimal digits over the definitions; stands in every stored state.
    """

    sets: tuple[FeatureSet, ...]
    histogram: HourHistogram | None
    rows: RowPlan
    tiles: TilePlan
    digest: str

    @cached_property
    def tables(self) -> frozenset[str]:
        """Tables whose facts change anything."""
        zones = {"customers"} if self.reads_hours else set()
        return frozenset({*self.rows.tables, *self.tiles.tables, *zones})

    @cached_property
    def hour_tables(self) -> frozenset[str]:
        """Tables of whose rows the hour of the week is read."""
        asking = {
            demand.measure.table
            for demand in self.demands
            for where in wheres_of(demand.measure)
            if any(condition.column == WEEK_HOUR for condition in where)
        }
        return frozenset(asking | set(self.hour_sources))

    @cached_property
    def hour_sources(self) -> dict[str, HourSource]:
        """What counts in the histogram, by table."""
        sources = () if self.histogram is None else self.histogram.sources
        return {source.table: source for source in sources}

    @property
    def reads_hours(self) -> bool:
        """Whether the customer's time zone matters."""
        return bool(self.hour_tables)

    @property
    def demands(self) -> tuple[Demand, ...]:
        """Everything that is read of a state, in the order of the vector that is found."""
        return (*self.rows.demands, *self.tiles.demands)

    @cached_property
    def row_reader(self) -> RowReader:
        """Reads kept rows."""
        return RowReader(self.rows)

    @cached_property
    def tile_reader(self) -> TileReader:
        """Reads tiles."""
        return TileReader(self.tiles)

    @cached_property
    def marker(self) -> Marker:
        """Finds the marks of rows."""
        return Marker(self.rows)

    @cached_property
    def tile_writer(self) -> TileWriter:
        """Adds rows to tiles."""
        return TileWriter(self.tiles)

    @cached_property
    def _numbers(self) -> dict[tuple[str, frozenset[str]], NumberPlan]:
        return {}

    def plan_numbers(self, features: FeatureSet, *, present: frozenset[str]) -> NumberPlan:
        """How the numbers of a set come from what is found.

        Raises:
            BadInputError: The layout was not made for the set.
        """
        plan = self._numbers.get((features.digest, present))
        if plan is None:
            if features.digest not in {one.digest for one in self.sets}:
                names = ", ".join(one.name for one in self.sets)
                raise BadInputError(
                    f"feature set {features.name} is not one that online states keep: {names}"
                )
            plan = NumberPlan(features, demands=self.demands, present=present)
            self._numbers[features.digest, present] = plan
        return plan


def compile_layout(sets: Sequence[FeatureSet], *, histogram: HourHistogram | None) -> Layout:
    """What is kept of a customer so that these features can be read at any moment.

    Args:
        sets: Feature sets.
        histogram: Hours of the week to keep; None for none.

    Raises:
        BadInputError: A feature or a source cannot be kept exactly.
    """
    demands = tuple(
        dict.fromkeys(d for one in sets for feature in one.plain for d in demands_of(feature))
    )
    sources = () if histogram is None else histogram.sources
    tables = dict.fromkeys(
        [*(d.measure.table for d in demands), *(source.table for source in sources)]
    )
    _check_sources(sources)
    if OUTCOMES in tables:
        tables[MESSAGES] = None
    ordered = [name for name in CONTRACTS if name in tables]
    by_row = [name for name in ordered if CONTRACTS[name].key or name == OUTCOMES]
    by_day = [name for name in ordered if name not in by_row]
    return Layout(
        sets=tuple(sets),
        histogram=histogram,
        rows=plan_rows(_of(demands, by_row), sources=sources, names=by_row),
        tiles=plan_tiles(_of(demands, by_day), tables=by_day),
        digest=_digest(sets, histogram),
    )


def _of(demands: Iterable[Demand], tables: Iterable[str]) -> list[Demand]:
    wanted = frozenset(tables)
    return [demand for demand in demands if demand.measure.table in wanted]


def _check_sources(sources: Iterable[HourSource]) -> None:
    seen: set[str] = set()
    for source in sources:
        if source.table in seen:
            raise BadInputError(
                f"online features: {source.table} is a source of the histogram twice; expected "
                "each table once"
            )
        seen.add(source.table)


def _digest(sets: Iterable[FeatureSet], histogram: HourHistogram | None) -> str:
    hours: list[object] = []
    if histogram is not None:
        sources = [
            (s.table, [(c.column, c.test.name, c.operands) for c in s.where])
            for s in histogram.sources
        ]
        hours = [sources, histogram.half_life_days]
    text = json.dumps([_FORM, [one.digest for one in sets], hours], separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
