"""Messages of a log as the send-time model reads them: whose hour, what channel, when read."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np
import pandas as pd

from features.tables import Tables, empty_table, known_before
from features.vocabulary import Arm, Outcome
from training.datasets.provenance import (
    Customers,
    find_positions,
)
from training.measures import Bools, Floats, Integers
from training.registry.servable import CHANNELS, TRIGGERS

READ_DAYS = 7
"""A message that nobody opened in as many days counts as not read."""

_READ_SPAN = timedelta(days=READ_DAYS)


@dataclass(frozen=True)
class SentMessages:
    """Messages whose time to be read is over, n rows.

    Attributes:
        row: Row of the customer among those asked for.
        week_hour: Hour of the customer's own week in which it was sent, daylight saving included.
        channel: Position in `CHANNELS`.
        trigger: Position in `TRIGGERS`.
        by_chance: Chance drew its hour (arm `random`).
        read_after_hours: From sending until a person opened it; NaN where nobody did in 7 days.
    """

    row: Integers
    week_hour: Integers
    channel: Integers
    trigger: Integers
    by_chance: Bools
    read_after_hours: Floats

    @property
    def is_read(self) -> Bools:
        """Whether a person opened it within 7 days, (n,)."""
        return ~np.isnan(self.read_after_hours)

    def take(self, rows: Bools) -> "SentMessages":
        """The rows of that mask."""
        return replace(
            self,
            row=self.row[rows],
            week_hour=self.week_hour[rows],
            channel=self.channel[rows],
            trigger=self.trigger[rows],
            by_chance=self.by_chance[rows],
            read_after_hours=self.read_after_hours[rows],
        )


def no_messages() -> SentMessages:
    """A log without messages."""
    none = np.empty(0, np.int64)
    return SentMessages(none, none, none, none, np.empty(0, bool), np.empty(0))


def read_sent(
    tables: Tables, *, customers: Customers, begins: datetime, ends: datetime
) -> SentMessages:
    """Messages sent from `begins` on and at least 7 days before `ends`, as known at `ends`.

    Args:
        tables: Conformed tables.
        customers: customer_id, whose messages are wanted.
        begins: Aware moment.
        ends: Aware moment; nothing known at it or later is read.
    """
    wanted = ("customers", "messages", "outcomes")
    found = {name: tables[name] for name in wanted if name in tables}
    known = known_before(found, pd.Timestamp(ends))
    messages = known.get("messages", empty_table("messages"))
    in_time = (messages["sent_at"] >= begins) & (messages["sent_at"] + _READ_SPAN <= ends)
    messages = messages.loc[in_time & messages["customer_id"].isin(customers)]
    zones = known["customers"].set_index("customer_id")["timezone"]
    messages = messages.assign(zone=zones.reindex(messages["customer_id"]).to_numpy())
    messages = messages.dropna(subset=["zone"]).reset_index(drop=True)
    if messages.empty:
        return no_messages()
    return SentMessages(
        row=pd.Index(customers).get_indexer(pd.Index(messages["customer_id"])).astype(np.int64),
        week_hour=find_week_hours(messages),
        channel=find_positions(messages["channel"], among=CHANNELS),
        trigger=find_positions(messages["trigger"], among=TRIGGERS),
        by_chance=(messages["arm"] == Arm.RANDOM).to_numpy(dtype=bool),
        read_after_hours=_find_reading(messages, known.get("outcomes", empty_table("outcomes"))),
    )


def find_week_hours(messages: pd.DataFrame) -> Integers:
    """Hour of the week on the wall, (n,), of `sent_at` in each row's `zone`."""
    hours = np.empty(len(messages), dtype=np.int64)
    for zone, rows in messages.groupby("zone").indices.items():
        local = messages["sent_at"].iloc[rows].dt.tz_convert(str(zone))
        hours[rows] = local.dt.day_of_week.to_numpy() * 24 + local.dt.hour.to_numpy()
    return hours


def _find_reading(messages: pd.DataFrame, outcomes: pd.DataFrame) -> Floats:
    opened = outcomes[(outcomes["outcome"] == Outcome.OPENED) & ~outcomes["machine"]]
    first = opened.groupby("message_id")["at"].min().reindex(messages["message_id"])
    waited = first.set_axis(messages.index) - messages["sent_at"]
    hours = waited.dt.total_seconds().to_numpy(dtype=np.float64) / 3600.0
    within = (hours >= 0.0) & (hours < READ_DAYS * 24.0)
    return np.where(within, hours, np.nan)
