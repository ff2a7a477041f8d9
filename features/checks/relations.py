"""Rules between the columns of a row, between rows and between tables.

Nulls break none of these: where a value is required, a null is reported on its own.
"""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd

from features.checks.violations import Mask, Rule, Violation, violation_at
from features.contracts import CONTRACTS, TableContract
from features.tables import Tables


@dataclass(frozen=True)
class _Sequence:
    """Two times of a row, of which the second cannot come first."""

    table: str
    earlier: str
    later: str


REQUIRED_TABLE = "customers"

_SEQUENCES = (
    _Sequence("orders", "ordered_at", "delivered_at"),
    _Sequence("invoices", "issued_at", "paid_at"),
    _Sequence("tickets", "opened_at", "resolved_at"),
    _Sequence("disruptions", "starts_at", "ends_at"),
)


def find_relation_violations(tables: Tables, *, as_of: datetime | None) -> list[Violation]:
    """Missing tables, duplicate keys, references to nobody, disorder in time, future rows.

    Args:
        tables: Conformed frames by name.
        as_of: Aware moment after which nothing can be known yet; None leaves the future out.
    """
    violations = _find_missing_tables(tables)
    for name, frame in tables.items():
        contract = CONTRACTS[name]
        violations += _find_duplicate_keys(frame, contract)
        violations += _find_unknown_references(frame, contract, tables)
        violations += _find_future_rows(frame, contract, as_of)
    for sequence in _SEQUENCES:
        violations += _find_disorder(sequence, tables)
    return violations + _find_early_outcomes(tables)


def _find_missing_tables(tables: Tables) -> list[Violation]:
    """The required table, and those that rows of another table refer to."""
    needed = {REQUIRED_TABLE: "this table, which is always required"}
    for name, frame in tables.items():
        for column in CONTRACTS[name].columns:
            if column.refers_to is not None and not frame.empty:
                needed.setdefault(column.refers_to, f"this table, which {name} refers to")
    return [
        Violation(name, "", Rule.MISSING_TABLE, 0, (), expected)
        for name, expected in needed.items()
        if name not in tables
    ]


def _find_duplicate_keys(frame: pd.DataFrame, contract: TableContract) -> list[Violation]:
    if not contract.key:
        return []
    keys = frame[list(contract.key)]
    bad = keys.duplicated() & keys.notna().all(axis="columns")
    return violation_at(
        _mask(bad),
        frame=frame,
        contract=contract,
        column=contract.key[0],
        rule=Rule.DUPLICATE_KEY,
        expected=f"one row for each {' and '.join(contract.key)}",
    )


def _find_unknown_references(
    frame: pd.DataFrame, contract: TableContract, tables: Tables
) -> list[Violation]:
    violations: list[Violation] = []
    for column in contract.columns:
        if column.refers_to is None or column.refers_to not in tables:
            continue
        key = CONTRACTS[column.refers_to].key[0]
        known = tables[column.refers_to][key]
        violations += violation_at(
            _mask(frame[column.name].notna() & ~frame[column.name].isin(known)),
            frame=frame,
            contract=contract,
            column=column.name,
            rule=Rule.UNKNOWN_REFERENCE,
            expected=f"a {key} of table {column.refers_to}",
        )
    return violations


def _find_future_rows(
    frame: pd.DataFrame, contract: TableContract, as_of: datetime | None
) -> list[Violation]:
    if as_of is None or not contract.moment:
        return []
    return violation_at(
        _mask(frame[contract.moment] > as_of),
        frame=frame,
        contract=contract,
        column=contract.moment,
        rule=Rule.FUTURE_ROW,
        expected=f"nothing later than {as_of.isoformat()}",
    )


def _find_disorder(sequence: _Sequence, tables: Tables) -> list[Violation]:
    frame = tables.get(sequence.table)
    if frame is None:
        return []
    return violation_at(
        _mask(frame[sequence.later] < frame[sequence.earlier]),
        frame=frame,
        contract=CONTRACTS[sequence.table],
        column=sequence.later,
        rule=Rule.OUT_OF_ORDER,
        expected=f"a time not before {sequence.earlier}",
    )


def _find_early_outcomes(tables: Tables) -> list[Violation]:
    if "outcomes" not in tables or "messages" not in tables:
        return []
    outcomes, messages = tables["outcomes"], tables["messages"]
    sent_at = messages.dropna(subset="message_id").groupby("message_id")["sent_at"].min()
    return violation_at(
        _mask(outcomes["at"] < outcomes["message_id"].map(sent_at)),
        frame=outcomes,
        contract=CONTRACTS["outcomes"],
        column="at",
        rule=Rule.OUT_OF_ORDER,
        expected="a time not before sent_at of its message",
    )


def _mask(bad: "pd.Series[bool]") -> Mask:
    return bad.to_numpy(dtype=np.bool_, na_value=False)
