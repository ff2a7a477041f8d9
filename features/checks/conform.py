"""Tables as they come, brought to the columns and dtypes of their contracts."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from features.checks.coercion import AnySeries, coerce, empty_column
from features.checks.violations import EXPECTED, Mask, Note, Rule, Violation, violation_at
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
    """

    tables: dict[str, pd.DataFrame]
    violations: tuple[Violation, ...]
    notes: tuple[Note, ...]
    unusable: Mapping[tuple[str, str], Mask] = field(repr=False)


def conform_tables(raw: Mapping[str, pd.DataFrame]) -> Conformed:
    """Bring every known table to its contract where nothing is lost by it.

    Optional columns that are absent are added as nulls. Row order stays.

    Args:
        raw: Frames by table name, any columns, any dtypes.

    Returns:
        The tables with every violation found on the way; nothing raises.
    """
    tables: dict[str, pd.DataFrame] = {}
    violations: list[Violation] = []
    notes: list[Note] = []
    unusable: dict[tuple[str, str], Mask] = {}
    for name, frame in raw.items():
        if name not in CONTRACTS:
            notes.append(Note(name))
            continue
        conformed = _TableConformer(CONTRACTS[name], frame.reset_index(drop=True))
        tables[name] = conformed.conform()
        violations += conformed.violations
        notes += conformed.notes
        unusable |= {(name, column): mask for column, mask in conformed.unusable.items()}
    ordered = {name: tables[name] for name in CONTRACTS if name in tables}
    return Conformed(ordered, tuple(violations), tuple(notes), unusable)


class _TableConformer:
    """Collects what is found while one table is conformed, column by column."""

    def __init__(self, contract: TableContract, raw: pd.DataFrame) -> None:
        self.contract = contract
        self.violations: list[Violation] = []
        self.notes: list[Note] = []
        self.unusable: dict[str, Mask] = {}
        self._raw = self._without_duplicates(raw)

    def conform(self) -> pd.DataFrame:
        """The table in the form of its contract."""
        columns = {column.name: self._conform(column) for column in self.contract.columns}
        for name in self._raw.columns:
            if name not in columns:
                self.notes.append(Note(self.contract.name, str(name)))
                columns[name] = self._raw[name]
        return pd.DataFrame(columns)

    def _without_duplicates(self, raw: pd.DataFrame) -> pd.DataFrame:
        again = raw.columns.duplicated()
        for name in dict.fromkeys(raw.columns[again]):
            self._refuse(str(name), Rule.DUPLICATE_COLUMN, expected="one column of that name")
        return raw.loc[:, ~again]

    def _refuse(self, column: str, rule: Rule, *, expected: str) -> None:
        self.violations.append(Violation(self.contract.name, column, rule, 0, (), expected))

    def _conform(self, column: Column) -> AnySeries:
        if column.name not in self._raw:
            if not column.optional:
                self._refuse(
                    column.name, Rule.MISSING_COLUMN, expected=f"a column: {EXPECTED[column.kind]}"
                )
                self.unusable[column.name] = np.ones(len(self._raw), dtype=bool)
            return empty_column(column.kind, n_rows=len(self._raw))
        coerced = coerce(self._raw[column.name], column.kind)
        for rule, bad in (
            (Rule.WRONG_TYPE, coerced.wrong_type),
            (Rule.NAIVE_TIME, coerced.naive_time),
        ):
            self.violations += violation_at(
                bad,
                frame=self._raw,
                contract=self.contract,
                column=column.name,
                rule=rule,
                expected=EXPECTED[column.kind],
            )
        unusable = coerced.wrong_type | coerced.naive_time
        if unusable.any():
            self.unusable[column.name] = unusable
        return coerced.values
