"""What is wrong with a table, and where it is wrong."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.checks.hints import find_hint
from features.checks.rules import Rule
from features.contracts import TableContract

Mask = npt.NDArray[np.bool_]
"""One flag per row of a table."""

N_EXAMPLES = 3
_N_CELLS = 20  # looked at for a hint


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
        hint: The cause, where there is an obvious one.
    """

    table: str
    column: str
    rule: Rule
    n_rows: int
    examples: tuple[str, ...]
    expected: str
    hint: str = ""

    def __str__(self) -> str:
        place = f"{self.table}.{self.column}" if self.column else self.table
        rows = f" in {self.n_rows:,} row{'s' * (self.n_rows != 1)}" if self.n_rows else ""
        examples = f"; {'; '.join(self.examples)}" if self.examples else ""
        hint = f" [{self.hint}]" if self.hint else ""
        return f"{place}: {self.rule}{rows}, expected {self.expected}{examples}{hint}"


@dataclass(frozen=True)
class Note:
    """Something to know that is not wrong; without words of its own, a name no contract has.

    Attributes:
        table: Name of the table.
        column: Name of the column; empty where the whole table is unknown.
        text: What there is to know.
        hint: What may have been meant.
    """

    table: str
    column: str = ""
    text: str = ""
    hint: str = ""

    def __str__(self) -> str:
        hint = f" [{self.hint}]" if self.hint else ""
        if self.text:
            return f"{self.table}{f'.{self.column}' * bool(self.column)}: {self.text}{hint}"
        if self.column:
            return f"{self.table}.{self.column}: not in the contract, kept as it is{hint}"
        return f"{self.table}: not a table of Opportune, ignored{hint}"


def violation_at(
    bad: Mask,
    *,
    frame: pd.DataFrame,
    contract: TableContract,
    column: str,
    rule: Rule,
    expected: str,
    first_row: int = 0,
) -> list[Violation]:
    """The violation of the rows marked in `bad`, with the first of them as examples.

    Args:
        bad: One flag per row of `frame`.
        frame: The rows, as they are to be shown.
        contract: The table's contract; its key names the row.
        column: The column that breaks the rule.
        rule: The rule.
        expected: What should have been there.
        first_row: Number of the frame's first row, where it is a part of the table.

    Returns:
        One violation, or none where no row is bad.
    """
    rows = np.flatnonzero(bad)
    if not rows.size:
        return []
    shown = frame.iloc[rows[:_N_CELLS]]
    return [
        violation_of(
            shown,
            numbers=[int(row) + first_row for row in rows[:_N_CELLS]],
            n_rows=int(rows.size),
            contract=contract,
            column=column,
            rule=rule,
            expected=expected,
        )
    ]


def violation_of(
    shown: pd.DataFrame,
    *,
    numbers: Sequence[int],
    n_rows: int,
    contract: TableContract,
    column: str,
    rule: Rule,
    expected: str,
    hint: str = "",
) -> Violation:
    """The violation of `n_rows` rows, of which the first are given.

    Args:
        shown: The first rows that break the rule, in the order of the table.
        numbers: Their numbers in the table.
        n_rows: How many there are.
        contract: The table's contract; its key names the row.
        column: The column that breaks the rule.
        rule: The rule.
        expected: What should have been there.
        hint: The cause where it is known; else it is looked for in the cells.
    """
    examples = tuple(
        _example(shown, row=row, number=number, contract=contract, column=column)
        for row, number in enumerate(numbers[:N_EXAMPLES])
    )
    cells = [cell for cell in shown[column].astype("object") if not _is_null(cell)]
    hint = hint or find_hint(rule, contract.column(column), cells)
    return Violation(contract.name, column, rule, n_rows, examples, expected, hint)


def merge_violations(parts: Iterable[Violation]) -> list[Violation]:
    """Violations found in the parts of a table, in their order, as those of the whole."""
    merged: dict[tuple[str, str, Rule, str], Violation] = {}
    for part in parts:
        place = (part.table, part.column, part.rule, part.expected)
        whole = merged.get(place)
        if whole is None:
            merged[place] = part
        elif part.n_rows:  # a missing column is missing once, however many parts there are
            merged[place] = replace(
                whole,
                n_rows=whole.n_rows + part.n_rows,
                examples=(*whole.examples, *part.examples)[:N_EXAMPLES],
                hint=whole.hint or part.hint,
            )
    return list(merged.values())


def _example(
    frame: pd.DataFrame, *, row: int, number: int, contract: TableContract, column: str
) -> str:
    """E.g. `row 3 (order_id=o-3): amount_cents=-5`."""
    keys = contract.key or (contract.columns[0].name,)
    shown = ", ".join(
        f"{key}={_cell(frame, row, key)}" for key in keys if key in frame and key != column
    )
    return f"row {number}{f' ({shown})' if shown else ''}: {column}={_cell(frame, row, column)}"


def _cell(frame: pd.DataFrame, row: int, column: str) -> str:
    cell = frame[column].iloc[row]
    if _is_null(cell):
        return "null"
    if isinstance(cell, pd.Timestamp):
        return cell.isoformat()
    # Blanks around a text could not be seen without the marks.
    text = repr(cell) if isinstance(cell, str) and cell != cell.strip() else str(cell)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _is_null(cell: object) -> bool:
    null = pd.isna(cell)  # type: ignore[call-overload]  # cells are of any type, lists too
    return bool(null) if isinstance(null, bool | np.bool_) else False
