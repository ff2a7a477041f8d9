"""Cells of a posted row, read by the kind of their column; what is wrong is said in words."""

import math
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import available_timezones

from features.checks.rules import EXPECTED
from features.contracts import Column, Kind

Cell = str | int | float | bool
"""A value in a row of the log; times and dates are UTC microseconds, null cells are left out."""

Row = dict[str, Cell]
"""A row of the log by the columns of its contract."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_FIRST_YEAR, _LAST_YEAR = 2, 9998  # in every zone of the world
_MOST: Final = 2**53  # whole numbers above are not all floats


def read_cell(column: Column, value: object) -> Cell | None:
    """The value in its kind; None where it does not fit."""
    cell = _READERS[column.kind](value)
    if cell is None or (column.choices and cell not in column.choices):
        return None
    if isinstance(cell, int | float):
        too_low = column.low is not None and cell < column.low
        too_high = column.high is not None and cell > column.high
        return None if too_low or too_high else cell
    return cell


def describe_column(column: Column) -> str:
    """What a column holds, in words."""
    if column.choices:
        return f"one of {', '.join(str(choice) for choice in column.choices)}"
    words = EXPECTED[column.kind]
    if column.low is not None and column.high is not None:
        return f"{words}, {column.low:g} to {column.high:g}"
    return words if column.low is None else f"{words}, {column.low:g} or more"


def show_value(value: object) -> str:
    """A value as a fault names it, never long."""
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


def find_null_faults(columns: Mapping[str, Column], row: Mapping[str, object]) -> Iterator[str]:
    """Columns that must not be null and are, or are not there."""
    for name, column in columns.items():
        may_be_null = column.optional or column.kind is Kind.CONSENT
        if not may_be_null and row.get(name) is None:
            yield f"{name} is null or missing, expected {describe_column(column)}"


def to_micros(moment: datetime) -> int:
    """UTC microseconds of an aware moment."""
    return (moment - _EPOCH) // _MICROSECOND


def _read_text(value: object) -> Cell | None:
    return value if isinstance(value, str) and "\0" not in value else None


def _read_id(value: object) -> Cell | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return _read_text(value) if value else None


def _read_zone(value: object) -> Cell | None:
    return value if isinstance(value, str) and value in available_timezones() else None


def _read_time(value: object) -> Cell | None:
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    is_readable = moment.tzinfo is not None and _FIRST_YEAR <= moment.year <= _LAST_YEAR
    return to_micros(moment) if is_readable else None


def _read_date(value: object) -> Cell | None:
    if not isinstance(value, str):
        return None
    try:
        day = date.fromisoformat(value)
    except ValueError:
        return None
    return to_micros(datetime(day.year, day.month, day.day, tzinfo=UTC))


def _read_whole(value: object) -> Cell | None:
    number = _read_number(value)
    if not isinstance(number, int | float) or abs(number) >= _MOST or number != math.floor(number):
        return None
    return int(number)


def _read_number(value: object) -> Cell | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return value if math.isfinite(value) else None
    except OverflowError:
        return None


def _read_float(value: object) -> Cell | None:
    number = _read_number(value)
    return None if number is None else float(number)


def _read_flag(value: object) -> Cell | None:
    return value if isinstance(value, bool) else None


_READERS: Final[Mapping[Kind, Callable[[object], Cell | None]]] = {
    Kind.ID: _read_id,
    Kind.TEXT: _read_text,
    Kind.ZONE: _read_zone,
    Kind.TIME: _read_time,
    Kind.DATE: _read_date,
    Kind.CENTS: _read_whole,
    Kind.COUNT: _read_whole,
    Kind.NUMBER: _read_float,
    Kind.FLAG: _read_flag,
    Kind.CONSENT: _read_flag,
    Kind.HOUR: _read_whole,
}
