"""Cells of a CSV file, read by the contract of their table.

In a CSV file everything is text, and empty is null. Text that is a value of its column's kind
becomes that value; any other text stays as it is, for the checks to report.
"""

import warnings
from pathlib import Path
from typing import Any, TypeAlias

import pandas as pd

from features.contracts import DTYPES, Kind, TableContract

_Column: TypeAlias = "pd.Series[Any]"

# An ISO 8601 time that ends with its zone (a date alone ends with digits, too).
_ZONED = r"[T ]\d{2}.*(?:Z|[+-]\d{2}(?::?\d{2})?)$"
_FLAGS = {"true": True, "false": False}


def read_csv(path: Path, *, contract: TableContract) -> pd.DataFrame:
    """Read one CSV file.

    Args:
        path: UTF-8, comma separated, with a header.
        contract: The table it holds; columns beyond it are read as pandas guesses them.

    Returns:
        Values in the kind of their column; text that is none stays text, times without a zone
        stay naive.

    Raises:
        OSError, ValueError: The file is no such CSV.
    """
    kinds = {column.name: column.kind for column in contract.columns}
    with warnings.catch_warnings():
        # pandas only warns where it drops what stands beyond the header's columns.
        warnings.simplefilter("error", pd.errors.ParserWarning)
        try:
            frame = pd.read_csv(
                path,
                dtype=dict.fromkeys(kinds, "str"),
                keep_default_na=False,
                na_values=[""],
                index_col=False,
            )
        except pd.errors.ParserWarning as warning:
            raise ValueError("a row has more cells than the header") from warning
    parsed = {
        name: _parse(frame[name], kinds[name]) if name in kinds else frame[name]
        for name in frame.columns
    }
    return pd.DataFrame(parsed)


def _parse(text: _Column, kind: Kind) -> _Column:
    dtype = DTYPES[kind]
    if dtype == "str":
        return text
    if kind is Kind.TIME:
        return _parse_times(text)
    if kind is Kind.DATE:
        return _with_text_left(
            pd.to_datetime(text, format="ISO8601", utc=True, errors="coerce"), text
        )
    if dtype in ("bool", "boolean"):
        return _with_text_left(text.str.lower().map(_FLAGS).astype("boolean"), text)
    numbers = pd.to_numeric(text, errors="coerce", dtype_backend="numpy_nullable")
    return _with_text_left(numbers, text)


def _parse_times(text: _Column) -> _Column:
    times = pd.to_datetime(text, format="ISO8601", utc=True, errors="coerce")
    zoned = text.str.contains(_ZONED, regex=True, na=False)
    column = _with_text_left(times.where(zoned), text)
    naive = times.notna() & ~zoned
    if naive.any():
        column[naive] = times[naive].dt.tz_localize(None).astype("object")
    return column


def _with_text_left(values: _Column, text: _Column) -> _Column:
    """The values, or a mixed column where some text is no value."""
    left = text.notna() & values.isna()
    return values.astype("object").mask(left, text) if left.any() else values
