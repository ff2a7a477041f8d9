"""Rows of many customers at once, as their states keep them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from features.contracts import CONTRACTS, Kind
from features.declarations import read_kinds
from features.online.facts import hash_text
from features.online.held import HeldRows, OwnedRows, Places, ask_rows, encode_column, micros_of
from features.online.lenses import Floats
from features.online.row_plan import RowPlan, RowTable
from features.online.rows import Bytes, Keys, RowList, n_bytes


@dataclass(frozen=True)
class _Columns:
    """Rows of one table, see `RowList`, and the place of each row's customer."""

    codes: Places
    tables: Bytes
    keys: Keys
    t: Floats
    marks: Bytes
    slots: Floats


def replay_rows(
    lot: Mapping[str, OwnedRows], *, plan: RowPlan, n_customers: int
) -> Iterator[RowList]:
    """The kept rows of each customer, in the order of the customers."""
    parts = [
        _read_table(lot[name], table, plan) for name, table in plan.tables.items() if name in lot
    ]
    if not parts:
        for _ in range(n_customers):
            yield RowList.empty(plan)
        return
    codes = np.concatenate([part.codes for part in parts])
    order = np.argsort(codes, kind="stable")
    tables = np.concatenate([part.tables for part in parts])[order]
    keys = np.concatenate([part.keys for part in parts])[order]
    t = np.concatenate([part.t for part in parts])[order]
    marks = np.concatenate([part.marks for part in parts])[order]
    slots = np.concatenate([part.slots for part in parts])[order]
    ends = np.searchsorted(codes[order], np.arange(n_customers + 1)).tolist()
    for begin, end in pairwise(ends):
        own = slice(begin, end)
        yield RowList(
            tables=tables[own].copy(),
            keys=keys[own].copy(),
            t=t[own].copy(),
            marks=marks[own].copy(),
            slots=slots[own].copy(),
        )


def _read_table(owned: OwnedRows, table: RowTable, plan: RowPlan) -> _Columns:
    rows, n = owned.rows, len(owned.codes)
    kinds = read_kinds(table.name)
    marks: Bytes = np.zeros((n, n_bytes(plan)), dtype=np.uint8)
    for where, bit in table.marks.items():
        marks[:, bit // 8] |= ask_rows(where, rows).astype(np.uint8) << bit % 8
    slots = np.full((n, plan.n_slots), np.nan)
    for place, slot in enumerate(table.slots):
        if slot.column == table.moment:
            slots[:, place] = rows.t
        else:
            slots[:, place] = encode_column(slot, rows, kinds=kinds)
    return _Columns(
        codes=owned.codes,
        tables=np.full(n, table.number, dtype=np.uint8),
        keys=_hash_keys(rows, table),
        t=rows.t.astype(np.float64),
        marks=marks,
        slots=slots,
    )


def _hash_keys(rows: HeldRows, table: RowTable) -> Keys:
    """As `features.online.rows.key_of`, of every row."""
    columns = []
    for name in table.key:
        column = rows.frame[name]
        kind = CONTRACTS[table.name].column(name).kind
        columns.append(micros_of(column) if kind is Kind.TIME else column)
    texts = zip(*(map(str, column.tolist()) for column in columns), strict=True)
    hashes = [hash_text("\0".join((table.name, *text))) for text in texts]
    return np.array(hashes, dtype=np.uint64)
