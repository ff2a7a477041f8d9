"""The cells of one column of theirs, read as one of ours.

What cannot be read stays as it was, for the checks to report with its row.
"""

import datetime as dt
import re
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from pandas.api import types

from features.contracts import Kind
from features.sources.csv_cells import parse_text, with_text_left
from features.sources.mapping.model import ColumnMapping

_Column: TypeAlias = "pd.Series[Any]"

_UNITS = {
    "seconds": 1_000_000,
    "milliseconds": 1_000,
    "microseconds": 1,
    "nanoseconds": 0.001,
}
_FLAGS = {
    **dict.fromkeys(("1", "1.0", "yes", "y", "t", "true"), True),
    **dict.fromkeys(("0", "0.0", "no", "n", "f", "false"), False),
}
_BETWEEN = re.compile(r"[\s,;|{}\[\]\"']+")


def read_cells(theirs: _Column, kind: Kind, how: ColumnMapping, *, zone: str | None) -> _Column:
    """A column of theirs as one of a kind of ours.

    Args:
        theirs: As their source gives it.
        kind: What ours holds; cents are read as whole numbers here.
        how: The words of the mapping.
        zone: Of times that have none, where the column names none itself.
    """
    cells = _translate(theirs, how)
    match kind:
        case Kind.ID:
            return _read_ids(cells)
        case Kind.TIME | Kind.DATE:
            return _read_times(cells, kind, how, zone=how.zone or zone)
        case Kind.CENTS | Kind.COUNT | Kind.NUMBER | Kind.HOUR:
            return parse_text(plain_numbers(cells, how), Kind.NUMBER) if _is_text(cells) else cells
        case Kind.FLAG | Kind.CONSENT:
            return _read_flags(cells, has=how.has)
        case Kind.TEXT | Kind.ZONE:
            return cells


def plain_numbers(cells: _Column, how: ColumnMapping) -> _Column:
    """Numbers in text without marks between thousands, and with a decimal point."""
    if not _is_text(cells):
        return cells
    text = cells.str.strip()
    if how.thousands == " ":
        text = text.str.replace(r"[ \u00a0\u202f]", "", regex=True)
    elif how.thousands:
        text = text.str.replace(how.thousands, "", regex=False)
    return text.str.replace(",", ".", regex=False) if how.decimal == "," else text


def _is_text(cells: _Column) -> bool:
    return isinstance(cells.dtype, pd.StringDtype)


def _as_text(cells: _Column) -> _Column:
    if _is_text(cells):
        return cells
    return cells.astype("object").map(str, na_action="ignore").astype("str")


def _translate(cells: _Column, how: ColumnMapping) -> _Column:
    if how.values:
        ours_by_word = {_as_word(key): ours for key, ours in how.values.items()}
        words = _as_words(cells)
        listed = words.isin(list(ours_by_word))
        if listed.any():
            ours = words[listed].map(ours_by_word.get).astype("object")
            cells = _retyped(cells.astype("object").where(~listed, ours.reindex(cells.index)))
    if how.missing is not None and cells.isna().any():
        cells = _retyped(cells.astype("object").mask(cells.isna(), how.missing))
    return cells


def _as_words(cells: _Column) -> _Column:
    """Cells as a mapping would write them: 1.0 of whole numbers as 1, True as true."""
    if types.is_float_dtype(cells.dtype):
        numbers = cells.astype("Float64")
        if (numbers.isna() | (numbers == numbers.round())).all():
            cells = numbers.astype("Int64")
    return _as_text(cells).map(_as_word, na_action="ignore").astype("str")


def _as_word(text: str) -> str:
    return text.lower() if text.lower() in ("true", "false") else text


def _retyped(cells: _Column) -> _Column:
    """Objects as text where all are."""
    return cells.astype("str") if types.infer_dtype(cells, skipna=True) == "string" else cells


def _read_ids(cells: _Column) -> _Column:
    if types.is_float_dtype(cells.dtype):
        numbers = cells.astype("Float64")
        whole = numbers.isna() | (numbers == numbers.round())
        if whole.all():
            return numbers.astype("Int64").astype("object").map(str, na_action="ignore")
        return cells
    if not _is_text(cells):
        return cells
    ids = cells.str.strip()
    is_whole = ids.str.fullmatch(r"\d+\.0") | ids.isna()
    return ids.str.removesuffix(".0") if is_whole.all() else ids


def _read_flags(cells: _Column, *, has: str | None) -> _Column:
    if has is not None:
        return cells.astype("object").map(lambda cell: _names(cell, has), na_action="ignore")
    if types.is_bool_dtype(cells.dtype):
        return cells
    flags = _as_text(cells).str.strip().str.lower().map(_FLAGS).astype("boolean")
    return with_text_left(flags, cells)


def _names(cell: object, word: str) -> bool:
    listed = (
        cell if isinstance(cell, list | tuple | set | np.ndarray) else _BETWEEN.split(str(cell))
    )
    return word.casefold() in {str(name).casefold() for name in listed}


def _read_times(cells: _Column, kind: Kind, how: ColumnMapping, *, zone: str | None) -> _Column:
    if how.unit is not None:
        times = _since_1970(cells, how.unit)
    elif how.format is not None:
        text = _as_text(cells)
        has_zone = "%z" in how.format
        times = with_text_left(
            pd.to_datetime(text, format=how.format, errors="coerce", utc=has_zone), cells
        )
    else:
        times = parse_text(cells, kind) if _is_text(cells) else cells
    if kind is Kind.DATE:
        return times
    return _place_in_zone(times, zone=zone, end_of_day=how.end_of_day)


def _since_1970(cells: _Column, unit: str) -> _Column:
    numbers = pd.to_numeric(cells, errors="coerce", dtype_backend="numpy_nullable")
    factor = _UNITS[unit]
    if types.is_integer_dtype(numbers.dtype):
        micros = numbers // 1_000 if factor < 1 else numbers * int(factor)
    else:
        micros = (numbers.astype("Float64") * factor).round().astype("Int64")
    times = pd.to_datetime(micros, unit="us", utc=True, errors="coerce")
    return with_text_left(times, cells)


def _place_in_zone(times: _Column, *, zone: str | None, end_of_day: bool) -> _Column:
    """Naive times in their zone.

    An hour that a clock shows twice is the later one: what is known late cannot leak. One that it
    leaves out begins when the clock goes on.
    """
    if types.is_datetime64_any_dtype(times.dtype):
        if times.dt.tz is not None:
            return times
        naive = np.ones(len(times), dtype=bool)
    else:
        naive = np.array([_is_naive(cell) for cell in times], dtype=bool)
    if zone is None or not naive.any():
        return times
    clocks = pd.DatetimeIndex(times[naive]).as_unit("us")
    if end_of_day:
        is_day = np.asarray(clocks == clocks.normalize())
        last = pd.Timedelta(days=1) - pd.Timedelta(microseconds=1)
        clocks = clocks.where(~is_day, clocks + last)
    placed = clocks.tz_localize(
        zone, ambiguous=np.zeros(len(clocks), dtype=bool), nonexistent="shift_forward"
    ).tz_convert("UTC")
    if naive.all():
        return pd.Series(placed, index=times.index)
    mixed = times.astype("object")
    mixed[naive] = placed.astype("object")
    return mixed


def _is_naive(cell: object) -> bool:
    if isinstance(cell, dt.datetime):
        return cell.tzinfo is None and not pd.isna(cell)
    return isinstance(cell, dt.date)
