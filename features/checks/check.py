"""Every check at once: what is wrong with a set of tables, and the tables where nothing is."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import pandas as pd

from features.checks.columns import find_column_violations
from features.checks.conform import conform_tables
from features.checks.relations import check_relations
from features.checks.rows import rows_of_frames
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
        notes: Tables and columns that are in no contract, events that come again: not wrong.
    """

    tables: Tables
    violations: tuple[Violation, ...]
    notes: tuple[Note, ...]

    def require_valid(self) -> Tables:
        """The tables; raises TablesRefusedError naming every violation where there are any."""
        refuse(self.violations)
        return self.tables


def refuse(violations: Sequence[Violation]) -> None:
    """Raise TablesRefusedError naming every violation; without any nothing happens."""
    if not violations:
        return
    n = len(violations)
    listed = "\n".join(f"  {violation}" for violation in violations)
    raise TablesRefusedError(
        f"the tables break their contracts in {n} place{'s' * (n != 1)}:\n{listed}"
    )


def check_tables(
    raw: Mapping[str, pd.DataFrame],
    *,
    as_of: datetime | None = None,
    unread: tuple[str, ...] = (),
) -> Checked:
    """Check tables against their contracts, all rules in one run.

    Args:
        raw: Frames by table name, conformed or not.
        as_of: Aware moment; rows known later are violations. None accepts any time.
        unread: Names of tables that were left where they are, as no contract knows them.

    Raises:
        BadInputError: `as_of` has no time zone.
    """
    require_aware(as_of)
    conformed = conform_tables(raw)
    with rows_of_frames(conformed.tables) as rows:
        others = tuple(name for name in raw if name not in CONTRACTS)
        related = check_relations(rows, as_of=as_of, others=(*others, *unread))
    found = [*conformed.violations, *find_column_violations(conformed), *related.violations]
    notes = (*conformed.notes, *related.notes)
    return Checked(conformed.tables, in_order(found), notes)


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


def require_aware(as_of: datetime | None) -> None:
    """Raise BadInputError where the moment has no time zone."""
    if as_of is not None and as_of.tzinfo is None:
        raise BadInputError(f"as_of={as_of.isoformat()} has no time zone; expected an aware time")


def in_order(violations: Iterable[Violation]) -> tuple[Violation, ...]:
    """Violations in the order of the contracts."""
    return tuple(sorted(violations, key=_place))


def _place(violation: Violation) -> tuple[int, int]:
    """Where the contracts name the table and the column; a table as a whole comes first."""
    columns = [column.name for column in CONTRACTS[violation.table].columns]
    place = columns.index(violation.column) if violation.column in columns else -1
    return list(CONTRACTS).index(violation.table), place
