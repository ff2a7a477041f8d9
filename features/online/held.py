"""Rows of tables that hold at a moment, as columns: what `replay` folds into states."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.codes import hash_short
from features.conditions import N_WEEK_HOURS, WEEK_HOUR, Condition, Is
from features.contracts import CONTRACTS, KNOWN_AT, Kind, TableContract
from features.online.lenses import Flags, Floats, Whole
from features.online.measures import Where
from features.online.row_plan import Encoding, Slot
from features.point_in_time.spine import MICROS_PER_HOUR
from features.point_in_time.zones import find_zone
from features.tables import rows_that_hold

Places: TypeAlias = npt.NDArray[np.intp]

_EPOCH_HOUR = 72  # 1970-01-01 was a Thursday; a week begins on Monday at 0:00
_TIMES = frozenset({Kind.TIME, Kind.DATE})


@dataclass(frozen=True)
class HeldRows:
    """Rows of one table, each identity once.

    Attributes:
        frame: Its columns; of outcomes also customer_id, channel and trigger.
        t: Own moments, in UTC microseconds.
        k: When they became known.
        week_hour: Hour of the customer's week; NaN where no zone was known or none is needed.
    """

    frame: pd.DataFrame
    t: Whole
    k: Whole
    week_hour: Floats

    def take(self, rows: Places) -> "HeldRows":
        """Some of the rows."""
        return HeldRows(self.frame.iloc[rows], self.t[rows], self.k[rows], self.week_hour[rows])


@dataclass(frozen=True)
class OwnedRows:
    """Rows of one table by customer, sorted by them.

    Attributes:
        rows: The rows.
        codes: The place of each row's customer among the customers at hand.
    """

    rows: HeldRows
    codes: Places


def micros_of(times: "pd.Series[pd.Timestamp]") -> Whole:
    """UTC microseconds; null becomes the smallest integer."""
    micros = times.astype("datetime64[us, UTC]").astype("int64").to_numpy(dtype=np.int64)
    return np.asarray(micros, dtype=np.int64)


def find_times(frame: pd.DataFrame, contract: TableContract) -> tuple[Whole, Whole]:
    """The own moment of each row, and when it became known."""
    t = micros_of(frame[contract.moment])
    if KNOWN_AT not in frame:
        return t, t
    return t, np.maximum(t, micros_of(frame[KNOWN_AT]))


def hold_rows(frame: pd.DataFrame, contract: TableContract, *, before: int) -> HeldRows:
    """The rows that hold at a moment: the last version of a key, the first of an event."""
    _, k = find_times(frame, contract)
    known = k < before
    frame = (frame if known.all() else frame.loc[known]).reset_index(drop=True)
    frame = rows_that_hold(frame, contract)
    t, k = find_times(frame, contract)
    return HeldRows(frame, t, k, np.full(len(frame), np.nan))


def hold_outcomes(outcomes: pd.DataFrame, messages: HeldRows, *, before: int) -> HeldRows:
    """The first human outcome of each kind of the messages that are known."""
    human = outcomes.loc[~outcomes["machine"].to_numpy(dtype=bool)]
    place = pd.Index(messages.frame["message_id"]).get_indexer(pd.Index(human["message_id"]))
    human, place = human.loc[place >= 0], place[place >= 0]
    t, k = find_times(human, CONTRACTS["outcomes"])
    t, k = np.maximum(t, messages.t[place]), np.maximum(k, messages.t[place])
    lent = messages.frame[["customer_id", "channel", "trigger"]].iloc[place]
    frame = human.assign(**{name: lent[name].to_numpy() for name in lent})
    known = k < before
    frame, t, k = frame.loc[known].reset_index(drop=True), t[known], k[known]
    order = np.lexsort((k, t))
    first = ~frame.iloc[order].duplicated(["message_id", "outcome"]).to_numpy()
    stays = np.sort(order[first])
    return HeldRows(frame.iloc[stays], t[stays], k[stays], np.full(len(stays), np.nan))


def find_week_hours(rows: HeldRows, customers: pd.DataFrame) -> Floats:
    """The hour of the week of each row, in the zone known when the row became known.

    Args:
        rows: Rows of customers.
        customers: Every version of every customer.
    """
    zones = _find_zones(rows, customers)
    hours = np.full(len(rows.t), np.nan)
    codes, names = pd.factorize(zones)
    for code, name in enumerate(names):
        here = codes == code
        moments = pd.DatetimeIndex(rows.t[here].view("datetime64[us]"), tz="UTC")
        local = moments.tz_convert(find_zone(str(name))).tz_localize(None)
        micros = np.asarray(local.as_unit("us").asi8)
        hours[here] = (micros // MICROS_PER_HOUR + _EPOCH_HOUR) % N_WEEK_HOURS
    return hours


def _find_zones(rows: HeldRows, customers: pd.DataFrame) -> "pd.Series[str]":
    """The zone of the customer's version that held when each row became known."""
    contract = CONTRACTS["customers"]
    _, known = find_times(customers, contract)
    columns = [KNOWN_AT, *(c.name for c in contract.columns if c.name != KNOWN_AT)]
    order = ["k", *(column for column in columns if column in customers)]
    versions = customers.assign(k=known).sort_values(order, na_position="first", kind="stable")
    versions = versions[["customer_id", "k", "timezone"]].reset_index(drop=True)
    asked = pd.DataFrame({"customer_id": rows.frame["customer_id"].to_numpy(), "k": rows.k})
    asked["row"] = np.arange(len(asked))
    found = pd.merge_asof(asked.sort_values("k", kind="stable"), versions, on="k", by="customer_id")
    return found.set_index("row")["timezone"].sort_index()


def ask_rows(where: Where, rows: HeldRows) -> Flags:
    """Which rows fulfil conditions that no moment changes; null fulfils none."""
    fulfilled = np.ones(len(rows.t), dtype=bool)
    for condition in where:
        fulfilled &= _ask(condition, rows)
    return fulfilled


def _ask(condition: Condition, rows: HeldRows) -> Flags:
    if condition.column == WEEK_HOUR:
        return np.isin(rows.week_hour, list(condition.week_hours))
    column = rows.frame[condition.column]
    if condition.test is Is.ONE_OF:
        return column.isin(condition.operands).to_numpy(dtype=bool)
    wanted = condition.test is Is.TRUE
    return (column == wanted).fillna(False).to_numpy(dtype=bool)


def read_column(name: str, rows: HeldRows, *, kinds: Mapping[str, Kind]) -> Floats:
    """A column of numbers or times as floats; NaN is null."""
    if name == WEEK_HOUR:
        return rows.week_hour
    column = rows.frame[name]
    if kinds.get(name) not in _TIMES:
        return column.to_numpy(dtype=np.float64, na_value=np.nan)
    return np.where(column.isna(), np.nan, micros_of(column).astype(np.float64))


def encode_column(slot: Slot, rows: HeldRows, *, kinds: Mapping[str, Kind]) -> Floats:
    """A slot of every row; see `features.online.rows.encode`."""
    if slot.encoding is Encoding.NUMBER:
        return read_column(slot.column, rows, kinds=kinds)
    codes, values = pd.factorize(rows.frame[slot.column])
    if slot.encoding is Encoding.CODE:
        stands_for = [float(slot.choices.index(str(value))) for value in values]
    else:
        stands_for = [hash_short(str(value)) for value in values]
    return np.array([*stands_for, np.nan])[codes]
