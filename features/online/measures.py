"""What features are made of: sums, extremes, latest values and distinct values of rows.

A `Demand` is one of these seen through a lens. The demands of all features of a layout are what a
state keeps enough to answer; two features that need the same thing share it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from features.conditions import Condition, Is
from features.declarations import Aggregate, Feature
from features.online.lenses import Lens, lens_of

Where = tuple[Condition, ...]

_OF_THE_MOMENT: Final = frozenset({Is.NOT_YET, Is.PASSED, Is.AFTER_OR_NOT_YET})


class Take(StrEnum):
    """What is taken of the rows that a lens shows."""

    SUM = "sum"  # of ones, or of a column; 0 without rows
    PRESENT = "present"  # rows whose column is not null
    FIRST = "first"  # smallest time; null without rows
    LAST = "last"  # largest time; null without rows
    LEAST = "least"  # smallest value of a column
    VALUE = "value"  # largest value of a column among the latest rows
    HOLDS = "holds"  # whether one of the latest rows fulfils a condition
    DISTINCT = "distinct"  # different values of a column


SUMS: Final = (Take.SUM, Take.PRESENT)
"""Kinds that are added up in tiles."""

ENDS: Final = (Take.FIRST, Take.LAST, Take.LEAST, Take.VALUE, Take.HOLDS)
"""Kinds of which tiles keep the outermost row."""


@dataclass(frozen=True)
class Measure:
    """Something to take of the rows of a table.

    Attributes:
        table: The table.
        take: What is taken.
        where: Conditions on a row.
        value: Column that is read, where one is.
        in_millionths: The column is rounded to whole millionths.
        holds: What HOLDS asks of the latest rows.
    """

    table: str
    take: Take
    where: Where = ()
    value: str | None = None
    in_millionths: bool = False
    holds: Where = ()


@dataclass(frozen=True)
class Demand:
    """A measure through a lens: one number at every moment."""

    measure: Measure
    lens: Lens


def is_of_the_moment(condition: Condition) -> bool:
    """Whether it can change for a row that stays the same."""
    return condition.test in _OF_THE_MOMENT


def static_of(where: Where) -> Where:
    """The conditions that no moment changes."""
    return tuple(condition for condition in where if not is_of_the_moment(condition))


def wheres_of(measure: Measure) -> tuple[Where, ...]:
    """All sets of conditions that a measure asks of rows."""
    if measure.take is Take.HOLDS:
        return (measure.where, measure.holds)
    return (measure.where,)


def demands_of(feature: Feature) -> tuple[Demand, ...]:
    """What a feature is made of, in the order in which `features.online.numbers` reads it."""
    lens = lens_of(feature)
    return tuple(Demand(measure, lens) for measure in _measures_of(feature))


def _measures_of(feature: Feature) -> Iterator[Measure]:
    if feature.aggregate is Aggregate.HOLDS:
        yield Measure(feature.table, Take.HOLDS, holds=feature.where)
        return
    for take in _TAKES[feature.aggregate]:
        in_millionths = feature.in_millionths and take is Take.SUM
        yield Measure(feature.table, take, feature.where, feature.value, in_millionths)


_TAKES: Final = {
    Aggregate.COUNT: (Take.SUM,),
    Aggregate.SUM: (Take.SUM,),
    Aggregate.SLOPE: (Take.SUM,),
    Aggregate.MEAN: (Take.SUM, Take.PRESENT),
    Aggregate.MIN: (Take.LEAST,),
    Aggregate.DISTINCT: (Take.DISTINCT,),
    Aggregate.LAST: (Take.VALUE,),
    Aggregate.CODE: (Take.VALUE,),
    Aggregate.DAYS_UNTIL: (Take.VALUE,),
    Aggregate.DAYS_SINCE_LAST: (Take.LAST,),
    Aggregate.DAYS_SINCE_FIRST: (Take.FIRST,),
    Aggregate.MEAN_GAP_DAYS: (Take.SUM, Take.FIRST, Take.LAST),
}
"""What each aggregate is made of; HOLDS asks its conditions of the latest rows instead."""
