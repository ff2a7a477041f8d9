"""Which tables are kept as daily tiles, and what of each day.

Tables without a key are: rows never change, so that a day's sums and its first and last times say
all that windows with edges at midnight can ask. What only windows that reach up to the moment and
back to the first row ask is kept once, not by day.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from features.errors import BadInputError
from features.online.measures import (
    ENDS,
    SUMS,
    Demand,
    Measure,
    Take,
    Where,
    is_of_the_moment,
    wheres_of,
)


@dataclass(frozen=True)
class TileBlock:
    """Columns of numbers that rows are added to.

    Attributes:
        sums: Sums and counts; a column each.
        ends: First and last times with the value of the latest row, and smallest values; a column
            each.
        distinct: Different values; a column each.
    """

    sums: tuple[Measure, ...]
    ends: tuple[Measure, ...]
    distinct: tuple[Measure, ...]


@dataclass(frozen=True)
class TilePlan:
    """Tables kept as tiles, and their demands.

    Attributes:
        tables: Their names.
        demands: What is read of them.
        days: Kept by day.
        ever: Kept once.
        wheres: By table, sets of conditions that are asked of a row, each once.
        reach_days: How many days before the moment's own are told apart.
    """

    tables: tuple[str, ...]
    demands: tuple[Demand, ...]
    days: TileBlock
    ever: TileBlock
    wheres: Mapping[str, tuple[Where, ...]]
    reach_days: int


def plan_tiles(demands: Iterable[Demand], *, tables: Iterable[str]) -> TilePlan:
    """Plan the tables of these names.

    Raises:
        BadInputError: A condition depends on the moment, which sums of a day cannot answer.
    """
    demands, tables = tuple(demands), tuple(tables)
    faults = [
        f"{demand.measure.table} is kept by day, where '{condition}' cannot be asked"
        for demand in demands
        for where in wheres_of(demand.measure)
        for condition in where
        if is_of_the_moment(condition)
    ]
    if faults:
        raise BadInputError("online features: " + "; ".join(dict.fromkeys(faults)))
    by_day = [demand.measure for demand in demands if not demand.lens.is_open]
    once = [demand.measure for demand in demands if demand.lens.is_open]
    wheres = {
        name: tuple(
            dict.fromkeys(
                where
                for demand in demands
                if demand.measure.table == name
                for where in wheres_of(demand.measure)
            )
        )
        for name in tables
    }
    return TilePlan(
        tables=tables,
        demands=demands,
        days=_block(by_day),
        ever=_block(once),
        wheres=wheres,
        reach_days=max((demand.lens.reach_days for demand in demands), default=0),
    )


def _block(measures: list[Measure]) -> TileBlock:
    def take(*takes: Take) -> tuple[Measure, ...]:
        return tuple(dict.fromkeys(m for m in measures if m.take in takes))

    return TileBlock(
        sums=take(*SUMS),
        ends=take(*ENDS),
        distinct=take(Take.DISTINCT),
    )
