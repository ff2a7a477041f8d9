"""What can be wrong with a table, and where it is wrong."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.contracts import Kind, TableContract

Mask = npt.NDArray[np.bool_]
"""One flag per row of a table."""

N_EXAMPLES = 3


class Rule(StrEnum):
    """The rule of the contract that is broken."""

    MISSING_TABLE = "missing_table"
    MISSING_COLUMN = "missing_column"
    DUPLICATE_COLUMN = "duplicate_column"
    WRONG_TYPE = "wrong_type"
    NAIVE_TIME = "naive_time"
    NULL_VALUE = "null_value"
    DUPLICATE_KEY = "duplicate_key"
    NEGATIVE_MONEY = "negative_money"
    OUT_OF_RANGE = "out_of_range"
    UNKNOWN_VALUE = "unknown_value"
    UNKNOWN_TIME_ZONE = "unknown_time_zone"
    UNKNOWN_REFERENCE = "unknown_reference"
    OUT_OF_ORDER = "out_of_order"
    FUTURE_ROW = "future_row"


EXPECTED: Mapping[Kind, str] = MappingProxyType(
    {
        Kind.ID: "text, never empty",
        Kind.TEXT: "text",
        Kind.ZONE: "an IANA time zone such as Asia/Almaty",
        Kind.TIME: "a time with its zone",
        Kind.DATE: "a date without time of day",
        Kind.CENTS: "whole cents",
        Kind.COUNT: "a whole number",
        Kind.NUMBER: "a finite number",
        Kind.FLAG: "true or false",
        Kind.CONSENT: "true, false or null (unknown, which is no consent)",
        Kind.HOUR: "a whole hour of the day",
    }
)
"""What a column of each kind should hold, in words."""


@dataclass(frozen=True)
class Violation:
    """One rule that one column (or table) breaks.

    Attributes:
        table: Name of the table.
        column: Name of the column; empty where the table as a whole is meant.
        rule: What is broken.
        n_rows: How many rows break it; 0 where it is not a matter of rows.
        examples: The first such rows: number (from 0, as `frame.iloc`), key and value.
        expected: What should have been there.
    """

    table: str
    column: str
    rule: Rule
    n_rows: int
    examples: tuple[str, ...]
    expected: str

    def __str__(self) -> str:
        place = f"{self.table}.{self.column}" if self.column else self.table
        rows = f" in {self.n_rows:,} row{'s' * (self.n_rows != 1)}" if self.n_rows else ""
        examples = f"; {'; '.join(self.examples)}" if self.examples else ""
        return f"{place}: {self.rule}{rows}, expected {self.expected}{examples}"


@dataclass(frozen=True)
class Note:
    """Something that the contracts do not know; it is kept and otherwise ignored.

    Attributes:
        table: Name of the table.
        column: Name of the column; empty where the whole table is unknown.
    """

    table: str
    column: str = ""

    def __str__(self) -> str:
        if self.column:
            return f"{self.table}.{self.column}: not in the contract, kept as it is"
        return f"{self.table}: not a table of Opportune, ignored"


def violation_at(
    bad: Mask,
    *,
    frame: pd.DataFrame,
    contract: TableContract,
    column: str,
    rule: Rule,
    expected: str,
) -> list[Violation]:
    """The violation of the rows marked in `bad`, with the first of them as examples.

    Args:
        bad: One flag per row of `frame`.
        frame: The rows, as they are to be shown.
        contract: The table's contract; its key names the row.
        column: The column that breaks the rule.
        rule: The rule.
        expected: What should have been there.

    Returns:
        One violation, or none where no row is bad.
    """
    rows = np.flatnonzero(bad)
    if not rows.size:
        return []
    examples = tuple(
        _example(frame, row=int(row), contract=contract, column=column) for row in rows[:N_EXAMPLES]
    )
    return [Violation(contract.name, column, rule, int(rows.size), examples, expected)]


def _example(frame: pd.DataFrame, *, row: int, contract: TableContract, column: str) -> str:
    """E.g. `row 3 (order_id=o-3): amount_cents=-5`."""
    keys = contract.key or (contract.columns[0].name,)
    shown = ", ".join(
        f"{key}={_cell(frame, row, key)}" for key in keys if key in frame and key != column
    )
    return f"row {row}{f' ({shown})' if shown else ''}: {column}={_cell(frame, row, column)}"


def _cell(frame: pd.DataFrame, row: int, column: str) -> str:
    cell = frame[column].iloc[row]
    if isinstance(cell, pd.Timestamp) and not pd.isna(cell):
        return cell.isoformat()
    text = "null" if frame[column].isna().iloc[row] else str(cell)
    return text if len(text) <= 60 else f"{text[:57]}..."
