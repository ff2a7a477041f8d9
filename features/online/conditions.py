"""Conditions asked of one row when it comes in, and of kept rows when a moment is known."""

import math
from collections.abc import Mapping

import numpy as np

from features.conditions import WEEK_HOUR, Condition, Is
from features.errors import BadInputError
from features.online.facts import Cell
from features.online.lenses import Flags, Floats
from features.online.measures import Where

_MOST_MILLIONTHS = 9e18


def fulfils(condition: Condition, *, row: Mapping[str, Cell | None], week_hour: int | None) -> bool:
    """Whether a row fulfils a condition that no moment changes; null fulfils none."""
    if condition.column == WEEK_HOUR:
        return week_hour in condition.week_hours
    cell = row.get(condition.column)
    match condition.test:
        case Is.TRUE:
            return cell is True
        case Is.FALSE:
            return cell is False
        case _:
            return cell in condition.operands


def fulfils_all(where: Where, *, row: Mapping[str, Cell | None], week_hour: int | None) -> bool:
    """Whether a row fulfils all of them."""
    return all(fulfils(condition, row=row, week_hour=week_hour) for condition in where)


def has_passed(times: Floats, *, as_of_us: int) -> Flags:
    """Which times lie strictly before the moment; null (NaN) has not come."""
    passed: Flags = times < as_of_us
    return passed


def ask_at(test: Is, times: Floats, other: Floats, *, as_of_us: int) -> Flags:
    """A condition of the moment, of every row at once.

    Args:
        test: PASSED, NOT_YET or AFTER_OR_NOT_YET.
        times: The column; NaN is null.
        other: What AFTER_OR_NOT_YET compares with.
        as_of_us: The moment.
    """
    passed = has_passed(times, as_of_us=as_of_us)
    if test is Is.PASSED:
        return passed
    if test is Is.NOT_YET:
        return ~passed
    return ~passed | (times > other)


def to_millionths(number: float) -> float:
    """Whole millionths, half away from zero, as SQL rounds."""
    size = abs(1e6 * number)
    if not size < _MOST_MILLIONTHS:
        raise BadInputError(f"a number is not finite or beyond 9e12: {number}")
    whole = math.floor(size)
    return math.copysign(whole + (size - whole >= 0.5), number)


def to_millionths_each(numbers: Floats) -> Floats:
    """Whole millionths of many numbers; NaN stays."""
    size = np.abs(1e6 * numbers)
    if (size >= _MOST_MILLIONTHS).any():
        raise BadInputError("a number is beyond 9e12")
    whole = np.floor(size)
    rounded: Floats = np.copysign(whole + (size - whole >= 0.5), numbers)
    return rounded
