"""Checks of tables above memory: rules of columns in batches, the others on the files."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pandas as pd

from features.checks.check import in_order, refuse, require_aware
from features.checks.columns import find_column_violations
from features.checks.conform import conform_tables, unknown_table
from features.checks.relations import check_relations
from features.checks.rows import rows_of_files
from features.checks.violations import Note, Violation, merge_violations


@dataclass(frozen=True)
class FilesChecked:
    """What a check of files found.

    Attributes:
        sizes: Rows by table.
        violations: Everything that is wrong, in the order of the contracts.
        notes: What is worth knowing and not wrong.
    """

    sizes: Mapping[str, int]
    violations: tuple[Violation, ...]
    notes: tuple[Note, ...]

    def require_valid(self) -> None:
        """Raise TablesRefusedError naming every violation where there are any."""
        refuse(self.violations)


class PartsOfTable:
    """One table that comes in parts: each is conformed, and what is wrong is collected."""

    def __init__(self, table: str) -> None:
        self._table = table
        self._violations: list[Violation] = []
        self._notes: dict[Note, None] = {}
        self.n_rows = 0

    def conform(self, part: pd.DataFrame) -> pd.DataFrame:
        """The next rows in the form of the contract; to be used where there is no violation."""
        conformed = conform_tables({self._table: part}, first_row=self.n_rows)
        self.n_rows += len(part)
        found = [*self._violations, *conformed.violations, *find_column_violations(conformed)]
        self._violations = merge_violations(found)
        self._notes |= dict.fromkeys(conformed.notes)
        return conformed.tables[self._table]

    @property
    def violations(self) -> tuple[Violation, ...]:
        """What is wrong with the columns of the rows so far."""
        return tuple(self._violations)

    @property
    def notes(self) -> tuple[Note, ...]:
        """Columns that are in no contract."""
        return tuple(self._notes)


def check_files(
    files: Mapping[str, Sequence[Path]],
    parts: Iterable[PartsOfTable],
    *,
    as_of: datetime | None = None,
    unread: tuple[str, ...] = (),
) -> FilesChecked:
    """What is wrong with conformed parquet files.

    Args:
        files: By table, its files in the order of its rows.
        parts: What was found on the way through their columns.
        as_of: Aware moment; rows known later are violations. None accepts any time.
        unread: Names of tables that no contract knows.
    """
    require_aware(as_of)
    with rows_of_files(files) as rows:
        related = check_relations(rows, as_of=as_of, others=unread)
        sizes = dict(rows.sizes)
    seen = tuple(parts)
    violations = [violation for part in seen for violation in part.violations]
    notes = [note for part in seen for note in part.notes]
    unknown = tuple(unknown_table(name) for name in unread)
    return FilesChecked(
        sizes,
        in_order((*violations, *related.violations)),
        (*unknown, *notes, *related.notes),
    )
