"""Rows of tables as facts, and the state of one customer made of them."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import pandas as pd

from features.checks.coercion import AnySeries
from features.contracts import CONTRACTS, KNOWN_AT, Kind, TableContract
from features.online.facts import Cell, Fact
from features.online.layout import Layout
from features.online.row_plan import MESSAGES, OUTCOMES
from features.online.state import CustomerState
from features.tables import Tables

_TIMES = frozenset({Kind.TIME, Kind.DATE})


@dataclass(frozen=True, slots=True)
class OwnedFact:
    """A fact, and the customer to whose state it belongs."""

    customer_id: str
    fact: Fact


def read_facts(tables: Tables, *, layout: Layout) -> Iterator[OwnedFact]:
    """Every row that a layout reads, table by table, in no order of time.

    Outcomes belong to the customer of their message; those without a message to nobody. A row of
    which another version names another customer belongs to both.

    Args:
        tables: Conformed frames by name.
        layout: What is kept.
    """
    for name in sorted(layout.tables & set(tables)):
        frame = tables[name]
        owners = _find_owners(name, tables)
        facts = zip(range(len(frame)), _read_rows(frame, CONTRACTS[name]), strict=True)
        for place, fact in facts:
            for customer_id in owners[place]:
                yield OwnedFact(customer_id, fact)


def replay_facts(customer_id: str, facts: Iterable[Fact], *, layout: Layout) -> CustomerState:
    """The state of one customer from facts in any order."""
    state = CustomerState(layout, customer_id)
    for fact in sorted(facts, key=lambda fact: fact.told_us):
        state.apply(fact)
    return state


def _read_rows(frame: pd.DataFrame, contract: TableContract) -> Iterator[Fact]:
    """The rows as facts; nulls are left out."""
    columns = {c.name: _cells(frame[c.name], c.kind) for c in contract.columns if c.name in frame}
    told = columns.pop(KNOWN_AT, [None] * len(frame))
    names = tuple(columns)
    for known_us, *cells in zip(told, *columns.values(), strict=True):
        row: Mapping[str, Cell | None] = dict(zip(names, cells, strict=True))
        yield Fact(contract.name, row, None if known_us is None else int(known_us))


def _cells(column: AnySeries, kind: Kind) -> list[Cell | None]:
    """A column as plain values, None for null."""
    present = column.notna().to_numpy()
    if kind in _TIMES:
        cells = column.astype("datetime64[us, UTC]").astype("int64").tolist()
    else:
        cells = column.astype("object").tolist()
    return [cell if there else None for cell, there in zip(cells, present, strict=True)]


def _find_owners(name: str, tables: Tables) -> list[tuple[str, ...]]:
    """By row, the customers whose rows it is or was."""
    frame = tables[name]
    if name == OUTCOMES:
        messages = tables.get(MESSAGES)
        if messages is None:
            return [()] * len(frame)
        sent_to = dict(zip(messages["message_id"], messages["customer_id"], strict=True))
        return [(sent_to[m],) if m in sent_to else () for m in frame["message_id"]]
    contract = CONTRACTS[name]
    if not contract.corrected or "customer_id" in contract.key:
        return [(customer_id,) for customer_id in frame["customer_id"]]
    owners: dict[tuple[object, ...], dict[str, None]] = {}
    keys = list(zip(*(frame[column] for column in contract.key), strict=True))
    for key, customer_id in zip(keys, frame["customer_id"], strict=True):
        owners.setdefault(key, {})[customer_id] = None
    return [tuple(owners[key]) for key in keys]
