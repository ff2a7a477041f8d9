"""One column brought to the dtype of its kind, where nothing is lost by it.

Whole numbers of any width become `Int64`, times of any zone become UTC, dates become their UTC
midnight, ids that are whole numbers become their digits; numbers have the precision of float64,
times that of a microsecond. Nothing is guessed: a time without a
zone, a fraction of a cent or a number written as text is reported cell by cell.
"""

import datetime as dt
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from pandas.api import types

from features.checks.rules import Rule
from features.checks.violations import Mask
from features.contracts import DTYPES, Kind

AnySeries: TypeAlias = "pd.Series[Any]"
"""A column of any dtype."""

# Whole numbers above this are not all representable as float64.
_EXACT_FLOAT = 2.0**53


@dataclass(frozen=True)
class Coerced:
    """A column in the dtype of its kind.

    Attributes:
        values: The column; broken cells are null. Flags with nulls are `boolean`, not `bool`.
        wrong_type: Cells that hold something else than the kind.
        naive_time: Cells that hold a time without a zone.
        stray_blanks: Ids with blanks around them, which would be found nowhere.
    """

    values: AnySeries
    wrong_type: Mask
    naive_time: Mask
    stray_blanks: Mask


def coerce(series: AnySeries, kind: Kind) -> Coerced:
    """Bring a column to the dtype of its kind.

    Args:
        series: Any dtype, index 0..n-1.
        kind: What it should hold.

    Returns:
        The column and the cells that could not be brought there; nulls stay null, and an empty
        id is one.
    """
    if isinstance(series.dtype, pd.CategoricalDtype):
        series = series.astype(series.dtype.categories.dtype)
    coerced = _coerce_column(series, kind)
    if coerced is None:
        coerced = _coerce_cells(series, kind)
    if kind is Kind.FLAG and not coerced.values.isna().any():
        return replace(coerced, values=coerced.values.astype("bool"))
    if kind is Kind.ID:
        return _clear_ids(coerced)
    return coerced


def _clear_ids(coerced: Coerced) -> Coerced:
    ids = coerced.values
    stripped = ids.str.strip()
    # A null is not equal to itself.
    blank = np.asarray(ids.notna() & (stripped != ids) & (stripped != ""), dtype=bool)
    values = ids.mask(np.asarray(ids.notna() & (stripped == ""), dtype=bool) | blank)
    return replace(coerced, values=values, stray_blanks=blank)


def empty_column(kind: Kind, *, n_rows: int) -> AnySeries:
    """A column of nulls."""
    return pd.Series([None] * n_rows, dtype=_nullable_dtype(kind))


def _nullable_dtype(kind: Kind) -> str:
    return "boolean" if kind is Kind.FLAG else DTYPES[kind]


def _coerce_column(series: AnySeries, kind: Kind) -> Coerced | None:
    """The quick way, on whole columns of a known dtype; None where it must go by cells."""
    match kind:
        case Kind.ID | Kind.TEXT | Kind.ZONE:
            return _coerce_text(series, kind)
        case Kind.TIME | Kind.DATE:
            return _coerce_time(series, kind)
        case Kind.CENTS | Kind.COUNT | Kind.HOUR:
            return _coerce_whole(series)
        case Kind.NUMBER:
            return _coerce_number(series)
        case Kind.FLAG | Kind.CONSENT:
            return _whole_column(series, "boolean") if types.is_bool_dtype(series) else None


def _whole_column(series: AnySeries, dtype: str) -> Coerced:
    return _with_broken(series.astype(types.pandas_dtype(dtype)), np.zeros(len(series), dtype=bool))


def _with_broken(values: AnySeries, wrong_type: Mask) -> Coerced:
    return Coerced(values, wrong_type, *_nowhere(2, n_rows=len(values)))


def _nowhere(n_masks: int, *, n_rows: int) -> list[Mask]:
    return [np.zeros(n_rows, dtype=bool) for _ in range(n_masks)]


def _is_numeric(series: AnySeries) -> bool:
    return types.is_numeric_dtype(series) and not (
        types.is_bool_dtype(series) or types.is_complex_dtype(series)
    )


def _coerce_text(series: AnySeries, kind: Kind) -> Coerced | None:
    if isinstance(series.dtype, pd.StringDtype) or (
        types.is_object_dtype(series) and types.infer_dtype(series, skipna=True) == "string"
    ):
        return _whole_column(series, "str")
    if kind is Kind.ID and types.is_integer_dtype(series):
        return _whole_column(series.astype("object"), "str")
    return None


def _coerce_time(series: AnySeries, kind: Kind) -> Coerced | None:
    if not types.is_datetime64_any_dtype(series) or isinstance(series.dtype, pd.ArrowDtype):
        return None
    times = pd.DatetimeIndex(series)
    present = np.asarray(times.notna())
    if times.tz is None and kind is Kind.TIME:
        nothing = empty_column(kind, n_rows=len(series))
        no_cells, no_blanks = _nowhere(2, n_rows=len(series))
        return Coerced(nothing, no_cells, present, no_blanks)
    aware = times.tz_localize("UTC") if times.tz is None else times.tz_convert("UTC")
    values = pd.Series(aware.as_unit("us"))
    if kind is Kind.TIME:
        return _whole_column(values, DTYPES[kind])
    broken = present & np.asarray(values != values.dt.normalize())
    return _with_broken(values.mask(broken), broken)


def _coerce_whole(series: AnySeries) -> Coerced | None:
    if not _is_numeric(series) or types.is_unsigned_integer_dtype(series):
        return None
    if types.is_integer_dtype(series):
        return _whole_column(series, "Int64")
    numbers = series.astype("float64").to_numpy(dtype=np.float64)
    exact = np.isfinite(numbers) & (np.abs(numbers) < _EXACT_FLOAT) & (np.floor(numbers) == numbers)
    broken = ~exact & ~np.isnan(numbers)
    return _with_broken(pd.Series(np.where(exact, numbers, np.nan)).astype("Int64"), broken)


def _coerce_number(series: AnySeries) -> Coerced | None:
    if not _is_numeric(series):
        return None
    numbers = series.astype("float64")
    broken = np.isinf(numbers.to_numpy(dtype=np.float64))
    return _with_broken(numbers.mask(broken), broken)


def _coerce_cells(series: AnySeries, kind: Kind) -> Coerced:
    """The slow way, for columns of mixed or foreign objects."""
    read = _READERS[kind]
    cells = [
        None if null else read(cell)
        for cell, null in zip(series, series.isna().to_numpy(), strict=True)
    ]
    values = [None if isinstance(cell, Rule) else cell for cell in cells]
    return Coerced(
        pd.Series(values, dtype=_nullable_dtype(kind)),
        np.array([cell is Rule.WRONG_TYPE for cell in cells], dtype=bool),
        np.array([cell is Rule.NAIVE_TIME for cell in cells], dtype=bool),
        np.zeros(len(cells), dtype=bool),
    )


def _read_id(cell: object) -> object:
    if isinstance(cell, int | np.integer) and not isinstance(cell, bool):
        return str(cell)
    return _read_text(cell)


def _read_text(cell: object) -> object:
    return str(cell) if isinstance(cell, str) else Rule.WRONG_TYPE


def _read_time(cell: object) -> object:
    if isinstance(cell, dt.datetime) and cell.tzinfo is not None:
        return pd.Timestamp(cell).tz_convert("UTC")
    return Rule.NAIVE_TIME if isinstance(cell, dt.date | np.datetime64) else Rule.WRONG_TYPE


def _read_date(cell: object) -> object:
    if not isinstance(cell, dt.date | np.datetime64):
        return Rule.WRONG_TYPE
    moment = pd.Timestamp(cell)
    moment = moment.tz_localize("UTC") if moment.tz is None else moment.tz_convert("UTC")
    return moment if moment == moment.normalize() else Rule.WRONG_TYPE


def _read_whole(cell: object) -> object:
    if isinstance(cell, bool | np.bool_):
        return Rule.WRONG_TYPE
    if isinstance(cell, int | np.integer):
        return int(cell) if -(2**63) <= cell < 2**63 else Rule.WRONG_TYPE
    if isinstance(cell, float | np.floating | Decimal):
        number = float(cell)
        if number.is_integer() and number == cell and abs(number) < _EXACT_FLOAT:
            return int(number)
    return Rule.WRONG_TYPE


def _read_number(cell: object) -> object:
    if isinstance(cell, bool | np.bool_):
        return Rule.WRONG_TYPE
    if isinstance(cell, int | float | np.integer | np.floating | Decimal):
        try:
            number = float(cell)
        except OverflowError:
            return Rule.WRONG_TYPE
        return number if math.isfinite(number) else Rule.WRONG_TYPE
    return Rule.WRONG_TYPE


def _read_flag(cell: object) -> object:
    return bool(cell) if isinstance(cell, bool | np.bool_) else Rule.WRONG_TYPE


_READERS: dict[Kind, Callable[[object], object]] = {
    Kind.ID: _read_id,
    Kind.TEXT: _read_text,
    Kind.ZONE: _read_text,
    Kind.TIME: _read_time,
    Kind.DATE: _read_date,
    Kind.CENTS: _read_whole,
    Kind.COUNT: _read_whole,
    Kind.NUMBER: _read_number,
    Kind.FLAG: _read_flag,
    Kind.CONSENT: _read_flag,
    Kind.HOUR: _read_whole,
}
"""A cell (never null) in its kind, or the rule that it breaks."""
