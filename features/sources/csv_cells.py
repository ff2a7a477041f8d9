"""CSV files, and their cells read by the contract of their table.

In a CSV file everything is text, and empty is null. Text that is a value of its column's kind
becomes that value; any other text stays as it is, for the checks to report.
"""

import csv
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

import pandas as pd

from features.contracts import DTYPES, Kind, TableContract

_Column: TypeAlias = "pd.Series[Any]"

BATCH_ROWS = 250_000
"""Rows of a CSV file that are in memory at once when it is read in batches."""

# An ISO 8601 time that ends with its zone (a date alone ends with digits, too).
_ZONED = r"[T ]\d{2}.*(?:Z|[+-]\d{2}(?::?\d{2})?)$"
_FLAGS = {"true": True, "false": False}
_OTHER_SEPARATORS = (";", "\t", "|")


def read_csv(path: Path, *, contract: TableContract) -> pd.DataFrame:
    """Read one CSV file.

    Args:
        path: UTF-8, comma separated, with a header.
        contract: The table it holds; columns beyond it become numbers or flags where all are.

    Returns:
        Values in the kind of their column; text that is none stays text, times without a zone
        stay naive.

    Raises:
        OSError, ValueError: The file is no such CSV.
    """
    frame = pd.concat(list(read_csv_text(path)), ignore_index=True)
    known = {column.name for column in contract.columns}
    cells = [
        frame.iloc[:, place] if name in known else _guess(frame.iloc[:, place])
        for place, name in enumerate(frame.columns)
    ]
    return parse_cells(pd.concat(cells, axis="columns") if cells else frame, contract=contract)


def read_csv_text(path: Path) -> Iterator[pd.DataFrame]:
    """The rows of a CSV file in batches, at least one, every cell as text or null.

    Raises:
        OSError, ValueError: The file is no CSV in UTF-8, with commas and a header.
    """
    names = read_header(path)
    with warnings.catch_warnings():
        # pandas only warns where it drops what stands beyond the header's columns.
        warnings.simplefilter("error", pd.errors.ParserWarning)
        try:
            with pd.read_csv(
                path,
                dtype="str",
                keep_default_na=False,
                na_values=[""],
                index_col=False,
                chunksize=BATCH_ROWS,
            ) as batches:
                for batch in batches:
                    yield batch.set_axis(names, axis="columns").reset_index(drop=True)
        except pd.errors.ParserWarning as warning:
            raise ValueError("a row has more cells than the header") from warning
        except UnicodeDecodeError as error:
            raise ValueError(f"{error}; save it as UTF-8") from error


def read_header(path: Path) -> list[str]:
    """The names of a CSV file's columns, one that is there twice twice.

    Raises:
        OSError, ValueError: There is no header, or it is not separated by commas.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            names = next((row for row in csv.reader(file) if row), [])
    except UnicodeDecodeError as error:
        raise ValueError(f"{error}; save it as UTF-8") from error
    if not names:
        raise ValueError("No columns: the file is empty")
    if len(names) == 1:
        other = next((mark for mark in _OTHER_SEPARATORS if mark in names[0]), None)
        if other is not None:
            raise ValueError(f"its header is separated by {other!r}; expected commas")
    return names


def parse_cells(text: pd.DataFrame, *, contract: TableContract) -> pd.DataFrame:
    """Text cells as values of the kinds of their columns; columns beyond the contract stay.

    Args:
        text: Columns of text; their names may repeat.
        contract: The table they are.
    """
    kinds = {column.name: column.kind for column in contract.columns}
    columns = [
        parse_text(text.iloc[:, place], kinds[name]) if name in kinds else text.iloc[:, place]
        for place, name in enumerate(text.columns)
    ]
    return pd.concat(columns, axis="columns") if columns else text


def parse_text(text: _Column, kind: Kind) -> _Column:
    """Text cells as values of a kind; what is no value stays text."""
    dtype = DTYPES[kind]
    if dtype == "str":
        return text
    if kind is Kind.TIME:
        return _parse_times(text)
    if kind is Kind.DATE:
        return with_text_left(
            pd.to_datetime(text, format="ISO8601", utc=True, errors="coerce"), text
        )
    if dtype in ("bool", "boolean"):
        return with_text_left(text.str.lower().map(_FLAGS).astype("boolean"), text)
    numbers = pd.to_numeric(text, errors="coerce", dtype_backend="numpy_nullable")
    return with_text_left(numbers, text)


def with_text_left(values: _Column, text: _Column) -> _Column:
    """The values, or a mixed column where some text is no value."""
    left = text.notna() & values.isna()
    return values.astype("object").mask(left, text) if left.any() else values


def _parse_times(text: _Column) -> _Column:
    times = pd.to_datetime(text, format="ISO8601", utc=True, errors="coerce")
    zoned = text.str.contains(_ZONED, regex=True, na=False)
    column = with_text_left(times.where(zoned), text)
    naive = times.notna() & ~zoned
    if naive.any():
        column[naive] = times[naive].dt.tz_localize(None).astype("object")
    return column


def _guess(text: _Column) -> _Column:
    """Numbers or flags where all cells are; ids with zeros in front stay text."""
    present = text.dropna()
    if present.empty:
        return text
    flags = present.str.lower().map(_FLAGS)
    if flags.notna().all():
        return text.str.lower().map(_FLAGS).astype("boolean")
    if present.str.contains(r"^-?0\d", regex=True).any():
        return text
    numbers = pd.to_numeric(text, errors="coerce", dtype_backend="numpy_nullable")
    return numbers if numbers[text.notna()].notna().all() else text
