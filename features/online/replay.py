"""States of all customers made from tables: the same as if every row had come in one by one."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Final

import numpy as np
import pandas as pd

from features.contracts import CONTRACTS, KNOWN_AT
from features.online.blob import Parts
from features.online.facts import Fact
from features.online.held import (
    HeldRows,
    OwnedRows,
    Places,
    find_times,
    find_week_hours,
    hold_outcomes,
    hold_rows,
    micros_of,
)
from features.online.layout import Layout
from features.online.replay_rows import replay_rows
from features.online.replay_tiles import replay_hours, replay_tiles
from features.online.row_plan import MESSAGES, OUTCOMES
from features.online.state import CustomerState
from features.online.table_facts import read_facts
from features.point_in_time.spine import to_micros
from features.tables import Tables

_LOT: Final = 20_000
"""Customers at once, to bound memory."""


def replay(tables: Tables, *, layout: Layout, before: datetime) -> Iterator[CustomerState]:
    """The state of every customer, by id, of what was told before a moment.

    Args:
        tables: Conformed frames by name, every version of every row.
        layout: What is kept.
        before: Aware moment; states can be read from it on.
    """
    before_us = to_micros(before)
    frames = {name: tables[name] for name in layout.tables if name in tables}
    if MESSAGES not in frames:
        frames.pop(OUTCOMES, None)
    held = hold_tables(frames, layout=layout, before_us=before_us)
    waiting = find_waiting(frames, layout=layout, before_us=before_us)
    owners = [rows.frame["customer_id"].unique() for rows in held.values()]
    everybody = pd.Index(sorted(set(waiting).union(*owners)), dtype="str")
    codes = {
        name: everybody.get_indexer(pd.Index(rows.frame["customer_id"]))
        for name, rows in held.items()
    }
    for start in range(0, len(everybody), _LOT):
        lot = _take_lot(held, codes, start=start)
        ids = everybody[start : start + _LOT]
        for state in _make_states(lot, ids, layout=layout, before_us=before_us):
            state.waiting = tuple(waiting.get(state.customer_id, ()))
            yield state


def _take_lot(
    held: Mapping[str, HeldRows], codes: Mapping[str, Places], *, start: int
) -> dict[str, OwnedRows]:
    """The rows of some customers, sorted by them."""
    lot = {}
    for name, rows in held.items():
        own = np.flatnonzero((codes[name] >= start) & (codes[name] < start + _LOT))
        own = own[np.argsort(codes[name][own], kind="stable")]
        lot[name] = OwnedRows(rows.take(own), codes[name][own] - start)
    return lot


def _make_states(
    lot: Mapping[str, OwnedRows], customer_ids: pd.Index, *, layout: Layout, before_us: int
) -> Iterator[CustomerState]:
    n = len(customer_ids)
    rows = replay_rows(lot, plan=layout.rows, n_customers=n)
    zones = _find_zones(lot, n_customers=n)
    hours = replay_hours(lot, layout=layout, n_customers=n)
    tiles = replay_tiles(lot, plan=layout.tiles, n_customers=n, before_us=before_us)
    for code, customer_id in enumerate(customer_ids):
        parts = Parts(
            customer_id=str(customer_id),
            known_us=before_us,
            timezone=zones[code],
            waiting=(),
            rows=next(rows),
            tiles=next(tiles),
            hour_counts=next(hours),
        )
        yield CustomerState(layout, parts.customer_id, parts=parts)


def hold_tables(
    frames: Mapping[str, pd.DataFrame], *, layout: Layout, before_us: int
) -> dict[str, HeldRows]:
    """The rows of each table that hold at the moment, with their hours of the week."""
    held = {
        name: hold_rows(frame, CONTRACTS[name], before=before_us)
        for name, frame in frames.items()
        if name != OUTCOMES
    }
    if OUTCOMES in frames and MESSAGES in held:
        held[OUTCOMES] = hold_outcomes(frames[OUTCOMES], held[MESSAGES], before=before_us)
    if "customers" not in frames:
        return held
    for name in layout.hour_tables & set(held):
        hours = find_week_hours(held[name], frames["customers"])
        held[name] = HeldRows(held[name].frame, held[name].t, held[name].k, hours)
    return held


def _find_zones(lot: Mapping[str, OwnedRows], *, n_customers: int) -> list[str | None]:
    zones: list[str | None] = [None] * n_customers
    if "customers" in lot:
        names = lot["customers"].rows.frame["timezone"]
        for code, zone in zip(lot["customers"].codes.tolist(), names, strict=True):
            zones[code] = str(zone)
    return zones


def find_waiting(
    frames: Mapping[str, pd.DataFrame], *, layout: Layout, before_us: int
) -> dict[str, list[Fact]]:
    """Facts that were told before the moment and are not known at it, by customer."""
    later = {name: _rows_with_later(name, frames, before_us=before_us) for name in frames}
    if OUTCOMES in later and len(later[OUTCOMES]):
        messages = frames[MESSAGES]
        later[MESSAGES] = messages.loc[messages["message_id"].isin(later[OUTCOMES]["message_id"])]
    waiting: dict[str, list[Fact]] = {}
    for owned in read_facts(later, layout=layout):
        fact = owned.fact
        if fact.told_us < before_us and (fact.k_us >= before_us or fact.table == OUTCOMES):
            waiting.setdefault(owned.customer_id, []).append(fact)
    return {owner: sorted(facts, key=lambda f: f.told_us) for owner, facts in waiting.items()}


def _rows_with_later(
    name: str, frames: Mapping[str, pd.DataFrame], *, before_us: int
) -> pd.DataFrame:
    """The rows that wait, and those of the same keys, which say whose they were before."""
    frame, contract = frames[name], CONTRACTS[name]
    t, k = find_times(frame, contract)
    told = t
    if KNOWN_AT in frame:
        told = np.where(frame[KNOWN_AT].notna(), micros_of(frame[KNOWN_AT]), t)
    if name == OUTCOMES:
        messages = frames[MESSAGES].drop_duplicates("message_id").set_index("message_id")
        sent = micros_of(frame["message_id"].map(messages["sent_at"]))
        k = np.maximum(k, sent)
    later = (told < before_us) & (k >= before_us)
    if not later.any() or not contract.corrected:
        return frame.loc[later]
    keys = pd.MultiIndex.from_frame(frame[list(contract.key)])
    return frame.loc[keys.isin(keys[later])]
