"""Tables as they come, brought to the columns and dtypes of their contracts."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from features.checks.coercion import AnySeries, coerce, empty_column
from features.checks.names import did_you_mean
from features.checks.rules import EXPECTED, Rule
from features.checks.violations import Mask, Note, Violation, violation_at
from features.contracts import CONTRACTS, Column, TableContract


@dataclass(frozen=True)
class Conformed:
    """Tables in the form of their contracts, and what stood in the way.

    Attributes:
        tables: Known tables: the contract's columns in its order and dtypes, then extra ones as
            they came. To be used only where there are no violations: what could not be
            converted is null here.
        violations: Missing columns and cells of a wrong type.
        notes: Tables and columns that are in no contract.
        unusable: Cells that are null only because they were missing or could not be converted,
            by table and column.
        first_row: Number of the tables' first row, where they are parts.
    """

    tables: dict[str, pd.DataFrame]
    violations: tuple[Violation, ...]
    notes: tuple[Note, ...]
    unusable: Mapping[tuple[str, str], Mask] = field(repr=False)
    first_row: int = 0


def conform_tables(raw: Mapping[str, pd.DataFrame], *, first_row: int = 0) -> Conformed:
    """Bring every known table to its contract where nothing is lost by it.

    Optional columns that are absent are added as nulls. Row order stays.

    Args:
        raw: Frames by table name, any columns, any dtypes.
        first_row: Number of the frames' first row, where they are parts of tables.

    Returns:
        The tables with every violation found on the way; nothing raises.
    """
    tables: dict[str, pd.DataFrame] = {}
    violations: list[Violation] = []
    notes: list[Note] = []
    unusable: dict[tuple[str, str], Mask] = {}
    for name, frame in raw.items():
        if name not in CONTRACTS:
            notes.append(unknown_table(name))
            continue
        whole = frame.reset_index(drop=True)
        conformed = _TableConformer(CONTRACTS[name], whole, first_row=first_row)
        tables[name] = conformed.conform()
        violations += conformed.violations
        notes += conformed.notes
        unusable |= {(name, column): mask for column, mask in conformed.unusable.items()}
    ordered = {name: tables[name] for name in CONTRACTS if name in tables}
    return Conformed(ordered, tuple(violations), tuple(notes), unusable, first_row)


def unknown_table(name: str) -> Note:
    """The note on a table that no contract knows."""
    return Note(name, hint=did_you_mean(name, CONTRACTS))


class _TableConformer:
    """Collects what is found while one table is conformed, column by column."""

    def __init__(self, contract: TableContract, raw: pd.DataFrame, *, first_row: int) -> None:
        self.contract = contract
        self._first_row = first_row
        self.violations: list[Violation] = []
        self.notes: list[Note] = []
        self.unusable: dict[str, Mask] = {}
        self._raw = self._without_duplicates(raw)

    def conform(self) -> pd.DataFrame:
        """The table in the form of its contract."""
        columns = {column.name: self._conform(column) for column in self.contract.columns}
        for name in self._raw.columns:
            if name not in columns:
                self.notes.append(self._note_extra(str(name)))
                columns[name] = self._raw[name]
        return pd.DataFrame(columns)

    def _note_extra(self, name: str) -> Note:
        absent = [c.name for c in self.contract.columns if c.optional and c.name not in self._raw]
        return Note(self.contract.name, name, hint=did_you_mean(name, absent))

    def _without_duplicates(self, raw: pd.DataFrame) -> pd.DataFrame:
        again = raw.columns.duplicated()
        for name in dict.fromkeys(raw.columns[again]):
            self._refuse(str(name), Rule.DUPLICATE_COLUMN, expected="one column of that name")
        return raw.loc[:, ~again]

    def _refuse(self, column: str, rule: Rule, *, expected: str, hint: str = "") -> None:
        self.violations.append(Violation(self.contract.name, column, rule, 0, (), expected, hint))

    def _look_alike(self, column: str) -> str:
        ours = {known.name for known in self.contract.columns}
        return did_you_mean(column, (str(n) for n in self._raw.columns if n not in ours))

    def _conform(self, column: Column) -> AnySeries:
        if column.name not in self._raw:
            if not column.optional:
                self._refuse(
                    column.name,
                    Rule.MISSING_COLUMN,
                    expected=f"a column: {EXPECTED[column.kind]}",
                    hint=self._look_alike(column.name),
                )
                self.unusable[column.name] = np.ones(len(self._raw), dtype=bool)
            return empty_column(column.kind, n_rows=len(self._raw))
        coerced = coerce(self._raw[column.name], column.kind)
        for rule, bad, expected in (
            (Rule.WRONG_TYPE, coerced.wrong_type, EXPECTED[column.kind]),
            (Rule.NAIVE_TIME, coerced.naive_time, EXPECTED[column.kind]),
            (Rule.STRAY_BLANKS, coerced.stray_blanks, "an id without blanks around it"),
        ):
            self.violations += violation_at(
                bad,
                frame=self._raw,
                contract=self.contract,
                column=column.name,
                rule=rule,
                expected=expected,
                first_row=self._first_row,
            )
        unusable = coerced.wrong_type | coerced.naive_time | coerced.stray_blanks
        if unusable.any():
            self.unusable[column.name] = unusable
        return coerced.values
