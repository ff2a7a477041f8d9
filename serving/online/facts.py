"""A fact: one row of a table, checked against its contract, and when it became known."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final

from features.contracts import CONTRACTS, EVENT_ID, KNOWN_AT, Column, TableContract
from serving.online.cells import (
    Row,
    describe_column,
    find_null_faults,
    read_cell,
    show_value,
)

OWNERS: Final[Mapping[str, tuple[str, str]]] = {
    "outcomes": ("message", "message_id"),
    "shipments": ("tracking", "tracking_id"),
    "prices": ("item", "item"),
    "disruptions": ("region", "region"),
}
"""Tables without a customer of their own: the kind of owner, and the column that names it."""

_OTHER: Final = "other"  # owner of complaints that name nobody
TABLES_OF_EVENTS: Final = tuple(name for name, one in CONTRACTS.items() if one.moment)
"""Tables whose rows have a moment."""

_TOLD_ONCE: Final = ("message_id", "outcome", "at", "machine")  # what makes two outcomes the same


@dataclass(frozen=True, slots=True)
class Fact:
    """One row that is known.

    Attributes:
        table: Its table.
        row: Its cells; times are UTC microseconds, null cells and `known_at` are left out.
        known_us: When it was told: it is known from then, or from its own moment if that is later.
            None where it is known from its own moment.
        event_id: The identity that its sender gave it.
    """

    table: str
    row: Row
    known_us: int | None
    event_id: str | None = None

    @property
    def moment_us(self) -> int:
        """The row's own moment, `t`."""
        return int(self.row[CONTRACTS[self.table].moment])

    @property
    def knowable_us(self) -> int:
        """When it became known, `k`."""
        return self.moment_us if self.known_us is None else max(self.moment_us, self.known_us)

    @property
    def owner(self) -> str:
        """Whose facts it belongs to."""
        kind, column = OWNERS.get(self.table, ("customer", "customer_id"))
        value = self.row.get(column)
        return _OTHER if value is None else f"{kind}/{value}"

    @property
    def identity(self) -> str | None:
        """What other rows with it would be the same thing; None where there is no telling."""
        columns = CONTRACTS[self.table].key or (_TOLD_ONCE if self.table == "outcomes" else ())
        if not columns:
            return None
        return f"{self.table}/{json.dumps([self.row[name] for name in columns])}"

    @property
    def is_told_once(self) -> bool:
        """Whether a second row of the same identity says nothing, whatever it holds."""
        return not CONTRACTS[self.table].corrected

    @property
    def digest(self) -> str:
        """What it says, apart from when it was told."""
        said = {name: cell for name, cell in self.row.items() if name != EVENT_ID}
        text = json.dumps([self.table, said], sort_keys=True, ensure_ascii=False)
        return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()


@dataclass(frozen=True, slots=True)
class ReadRow:
    """A posted row: its cells, and everything that is wrong with it."""

    row: Row
    faults: tuple[str, ...]


def read_row(table: str, given: Mapping[str, object]) -> ReadRow:
    """Read a posted row by the contract of its table; every fault is named."""
    if table not in TABLES_OF_EVENTS:
        expected = ", ".join(TABLES_OF_EVENTS)
        fault = f"table {show_value(table)} takes no events, expected one of {expected}"
        return ReadRow({}, (fault,))
    columns = _columns(table)
    faults = [*_find_foreign_faults(columns, given), *find_null_faults(columns, given)]
    row: Row = {}
    for name, column in columns.items():
        value = given.get(name)
        if value is None:
            continue
        cell = read_cell(column, value)
        if cell is None:
            faults.append(f"{name} is {show_value(value)}, expected {describe_column(column)}")
        else:
            row[name] = cell
    faults += _find_disorder(CONTRACTS[table], row)
    return ReadRow(row, tuple(faults))


@cache
def _columns(table: str) -> Mapping[str, Column]:
    """Columns that a sender may fill in."""
    return {c.name: c for c in CONTRACTS[table].columns if c.name != KNOWN_AT}


def _find_foreign_faults(columns: Mapping[str, Column], given: Mapping[str, object]) -> list[str]:
    faults = []
    for name in given:
        if name == KNOWN_AT:
            faults.append("known_at is not taken: a row is known from when it arrives")
        elif name not in columns:
            faults.append(f"{show_value(name)} is no column of this table")
    return faults


def _find_disorder(contract: TableContract, row: Row) -> list[str]:
    """Later events that are said to have been before the row's own moment."""
    return [
        f"{name} is before {contract.moment}, expected a time not before it"
        for name in contract.revised
        if name in row and contract.moment in row and int(row[name]) < int(row[contract.moment])
    ]
