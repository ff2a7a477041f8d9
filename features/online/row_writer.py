"""Puts the rows of tables with a key into a customer's list of rows."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from features.conditions import WEEK_HOUR
from features.online.facts import Cell, Fact
from features.online.row_plan import MESSAGES, OUTCOMES, RowPlan, RowTable
from features.online.rows import (
    Marker,
    RowList,
    encode,
    forget_rows,
    key_of,
    read_cells,
    takes_place,
)


@dataclass(frozen=True)
class HourChange:
    """A row that counts in the histogram from now on, or no longer.

    Attributes:
        week_hour: Its hour.
        t_us: Its moment.
        times: 1 to count it, -1 to take it back.
    """

    week_hour: int
    t_us: int
    times: float


def is_human(fact: Fact) -> bool:
    """Whether an outcome counts at all: no machine made it."""
    return fact.row.get("machine") is False


def find_message(rows: RowList, plan: RowPlan, fact: Fact) -> int | None:
    """The place of the message of an outcome; None where it is not there."""
    return rows.places.get(key_of(plan.tables[MESSAGES], fact.row))


def find_moment(rows: RowList, plan: RowPlan, fact: Fact) -> int:
    """The row's own moment; an outcome's is never before its message's."""
    if fact.table != OUTCOMES:
        return fact.t_us
    message = find_message(rows, plan, fact)
    return fact.t_us if message is None else max(fact.t_us, int(rows.t[message]))


def put_row(
    rows: RowList,
    plan: RowPlan,
    fact: Fact,
    *,
    marker: Marker,
    customer_id: str,
    t_us: int,
    week_hour: int | None,
    known_us: int,
) -> tuple[HourChange, ...]:
    """Write a row, in the place of an earlier one of its key where it replaces that.

    Args:
        rows: Are changed.
        plan: Their plan.
        fact: The row; if an outcome's, its message is there.
        marker: Of the plan.
        customer_id: Whose rows they are; a row that belongs to another one by now is removed.
        t_us: The row's moment, see `find_moment`.
        week_hour: Hour of the customer's week; None where no zone was known.
        known_us: No moment before it will be asked for.

    Returns:
        What changes in the histogram of hours.
    """
    table = plan.tables[fact.table]
    key = key_of(table, fact.row)
    place = rows.places.get(key)
    changes: list[HourChange] = []
    if place is not None:
        if not takes_place(table, t=t_us, old_t=float(rows.t[place])):
            return ()
        changes += _count(rows, table, place, times=-1.0)
    if fact.table != OUTCOMES and fact.row.get("customer_id") != customer_id:
        if place is not None:
            rows.drop(key)
        return tuple(changes)
    row = _complete(rows, plan, fact, customer_id=customer_id, t_us=t_us, week_hour=week_hour)
    marks = marker.mark(table, row, week_hour=week_hour)
    slots = [encode(slot, row.get(slot.column)) for slot in table.slots]
    rows.put(table, key, t=float(t_us), marks=marks, slots=slots)
    changes += _count(rows, table, rows.places[key], times=1.0)
    if place is None and table.forgetting is not None:
        forget_rows(rows, table, table.forgetting, known_us=known_us)
    return tuple(changes)


def _count(rows: RowList, table: RowTable, place: int, *, times: float) -> Iterator[HourChange]:
    """What a row that is there changes in the histogram."""
    bit = table.hour_bit
    if bit is None or not rows.marks[place, bit // 8] >> bit % 8 & 1:
        return
    week_hour = rows.slots[place, table.hour_slot]
    if not np.isnan(week_hour):
        yield HourChange(int(week_hour), int(rows.t[place]), times)


def _complete(
    rows: RowList,
    plan: RowPlan,
    fact: Fact,
    *,
    customer_id: str,
    t_us: int,
    week_hour: int | None,
) -> Mapping[str, Cell | None]:
    """The row with what it takes over from elsewhere."""
    row = {**read_cells(fact), WEEK_HOUR: week_hour}
    if fact.table != OUTCOMES:
        return row
    row |= {"customer_id": customer_id, "at": t_us}
    message = find_message(rows, plan, fact)
    if message is None:
        return row
    for n, slot in enumerate(plan.tables[MESSAGES].slots):
        if slot.choices:
            row[slot.column] = slot.choices[int(rows.slots[message, n])]
    return row
