"""Every check at once: what is wrong with a set of tables, and the tables where nothing is."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import pandas as pd

from features.checks.columns import find_column_violations
from features.checks.conform import conform_tables
from features.checks.relations import find_relation_violations
from features.checks.violations import Note, Violation
from features.contracts import CONTRACTS
from features.errors import BadInputError, TablesRefusedError
from features.tables import Tables


@dataclass(frozen=True)
class Checked:
    """What a check found.

    Attributes:
        tables: The tables, conformed; to be used only where there are no violations.
        violations: Everything that is wrong, in the order of the contracts.
        notes: Tables and columns that are in no contract: named, not wrong.
    """

    tables: Tables
    violations: tuple[Violation, ...]
    notes: tuple[Note, ...]

    def require_valid(self) -> Tables:
        """The tables; raises TablesRefusedError naming every violation where there are any."""
        if not self.violations:
            return self.tables
        n = len(self.violations)
        listed = "\n".join(f"  {violation}" for violation in self.violations)
        raise TablesRefusedError(
            f"the tables break their contracts in {n} place{'s' * (n != 1)}:\n{listed}"
        )


def check_tables(raw: Mapping[str, pd.DataFrame], *, as_of: datetime | None = None) -> Checked:
    """Check tables against their contracts, all rules in one run.

    Args:
        raw: Frames by table name, conformed or not.
        as_of: Aware moment; rows known later are violations. None accepts any time.

    Raises:
        BadInputError: `as_of` has no time zone.
    """
    if as_of is not None and as_of.tzinfo is None:
        raise BadInputError(f"as_of={as_of.isoformat()} has no time zone; expected an aware time")
    conformed = conform_tables(raw)
    found = [
        *conformed.violations,
        *find_column_violations(conformed),
        *find_relation_violations(conformed.tables, as_of=as_of),
    ]
    return Checked(conformed.tables, tuple(sorted(found, key=_place)), conformed.notes)


def find_violations(
    raw: Mapping[str, pd.DataFrame], *, as_of: datetime | None = None
) -> list[Violation]:
    """Everything that is wrong with the tables; see `check_tables`."""
    return list(check_tables(raw, as_of=as_of).violations)


def require_valid(raw: Mapping[str, pd.DataFrame], *, as_of: datetime | None = None) -> Tables:
    """The tables in the form of their contracts.

    Raises:
        TablesRefusedError: There are violations; the message lists all of them.
    """
    return check_tables(raw, as_of=as_of).require_valid()


def _place(violation: Violation) -> tuple[int, int]:
    """Where the contracts name the table and the column; a table as a whole comes first."""
    columns = [column.name for column in CONTRACTS[violation.table].columns]
    place = columns.index(violation.column) if violation.column in columns else -1
    return list(CONTRACTS).index(violation.table), place
