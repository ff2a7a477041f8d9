"""Rows for channels: every message whose outcomes have had their time."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Self

import numpy as np
import pandas as pd

from features.contracts import CONTRACTS
from features.engagement import ENGAGEMENT_FEATURES
from features.tables import Tables, empty_table, rows_that_hold
from features.vocabulary import Arm, Outcome
from training.datasets.provenance import (
    Customers,
    Moments,
    NotEnoughData,
    Provenance,
    build_matrix,
    describe_source,
    find_positions,
    to_moments,
)
from training.datasets.split import (
    ForwardSplit,
    split_last_fifths,
    to_datetime,
)
from training.measures import Bools, Floats, Integers
from training.registry.servable import CHANNELS, OUTCOMES, TRIGGERS, Names

OUTCOME_DAYS = 7
TARGETS = OUTCOMES
RANDOMISED_ARMS = (Arm.RANDOM, Arm.LEARNED)
_REVENUE_DAYS = 90
_LABEL_SPAN = timedelta(days=OUTCOME_DAYS)


@dataclass(frozen=True)
class ChannelDataset:
    """One row per message.

    Attributes:
        X: Features of the customer when it was sent, (n, features); NaN is null.
        channel: Position in `CHANNELS`, (n,).
        trigger: Position in `TRIGGERS`, (n,).
        segments: Segment of the customer, (n,); None where unknown.
        languages: Language of the customer, (n,); None where unknown.
        hour: Local hour in which it was sent, 0-23, (n,).
        targets: By outcome, whether a person brought it about within 7 days, (n,) each.
        value_cents: Of its conversion, (n,); NaN without one or where it is not known.
        called: Whether the customer called support about the trigger within 7 days, (n,).
        customers: customer_id, (n,).
        moments: When it was sent, (n,).
        randomised: Whether chance decided about these messages. If not, somebody chose the
            customers of each channel, and rates are associations, not effects.
        monthly_cents: Mean revenue of a customer in a month, at the end of the data.
        provenance: Where the rows come from.
    """

    X: Floats
    channel: Integers
    trigger: Integers
    segments: Names
    languages: Names
    hour: Integers
    targets: Mapping[Outcome, Bools]
    value_cents: Floats
    called: Bools
    customers: Customers
    moments: Moments
    randomised: bool
    monthly_cents: float
    provenance: Provenance

    @property
    def label_span(self) -> timedelta:
        """From sending until the outcomes are known."""
        return _LABEL_SPAN

    def take(self, rows: Bools) -> Self:
        """The rows of that mask."""
        return replace(
            self,
            X=self.X[rows],
            channel=self.channel[rows],
            trigger=self.trigger[rows],
            segments=self.segments[rows],
            languages=self.languages[rows],
            hour=self.hour[rows],
            targets={outcome: labels[rows] for outcome, labels in self.targets.items()},
            value_cents=self.value_cents[rows],
            called=self.called[rows],
            customers=self.customers[rows],
            moments=self.moments[rows],
        )


def build_channel_dataset(
    tables: Tables, *, known_until: datetime, among: pd.DataFrame | None = None
) -> ChannelDataset | NotEnoughData:
    """One row per message sent at least 7 days before `known_until`.

    Messages of the arms `random` and `learned`, for there chance decided; where the log has none
    of them all messages are taken, and the dataset says so.

    Args:
        tables: Conformed tables.
        known_until: What happened then or later is not known.
        among: Rows of `messages` to choose from; all that there are when not given.
    """
    messages = tables.get("messages", empty_table("messages")) if among is None else among
    if messages.empty:
        return NotEnoughData("no messages: channels are learned from a log of messages")
    mature = messages[messages["sent_at"] + _LABEL_SPAN <= known_until]
    by_chance = mature[mature["arm"].isin(list(RANDOMISED_ARMS))]
    chosen = (mature if by_chance.empty else by_chance).reset_index(drop=True)
    if chosen.empty:
        return NotEnoughData(
            f"no message is older than {OUTCOME_DAYS} days on {known_until.date()}: "
            "outcomes are not known yet"
        )
    made = _find_outcomes(tables, chosen)
    spine = chosen[["customer_id"]].assign(as_of=chosen["sent_at"])
    return ChannelDataset(
        X=build_matrix(tables, spine, features=ENGAGEMENT_FEATURES),
        channel=find_positions(chosen["channel"], among=CHANNELS),
        trigger=find_positions(chosen["trigger"], among=TRIGGERS),
        segments=look_up("segment", tables, ids=chosen["customer_id"]),
        languages=look_up("language", tables, ids=chosen["customer_id"]),
        hour=_find_local_hours(tables, messages=chosen),
        targets={outcome: _had(outcome, made=made, messages=chosen) for outcome in TARGETS},
        value_cents=_find_values(made, messages=chosen),
        called=_find_calls(tables, messages=chosen),
        customers=chosen["customer_id"].to_numpy(dtype=object),
        moments=to_moments(chosen["sent_at"]),
        randomised=not by_chance.empty,
        monthly_cents=_find_monthly_revenue(tables, known_until=known_until),
        provenance=describe_source(
            tables,
            features=ENGAGEMENT_FEATURES,
            also=("customers", "messages", "outcomes", "orders", "subscriptions", "tickets"),
            known_until=known_until,
        ),
    )


def split_channel(dataset: ChannelDataset) -> ForwardSplit | NotEnoughData:
    """See `split_last_fifths`; NotEnoughData where a part would be empty."""
    split = split_last_fifths(dataset.moments, label_span=_LABEL_SPAN)
    if not (split.train.any() and split.calibration.any()):
        first, last = to_datetime(dataset.moments.min()), to_datetime(dataset.moments.max())
        return NotEnoughData(
            f"messages from {first.date()} to {last.date()} are too few days to learn from, to "
            f"calibrate and to test with {OUTCOME_DAYS} days between"
        )
    return split


def _find_outcomes(tables: Tables, messages: pd.DataFrame) -> pd.DataFrame:
    """Outcomes of these messages that a person made within 7 days: message_id, outcome, value."""
    outcomes = tables.get("outcomes", empty_table("outcomes"))
    joined = outcomes.loc[~outcomes["machine"]].merge(
        messages[["message_id", "sent_at"]], on="message_id"
    )
    in_time = joined["at"] < joined["sent_at"] + _LABEL_SPAN
    return joined.loc[in_time, ["message_id", "outcome", "value_cents"]]


def _had(outcome: Outcome, *, made: pd.DataFrame, messages: pd.DataFrame) -> Bools:
    if outcome is Outcome.DELIVERED and not (made["outcome"] == outcome).any():
        # Not every channel reports what arrived; then whatever did not bounce has.
        return ~_had(Outcome.BOUNCED, made=made, messages=messages)
    had = made.loc[made["outcome"] == outcome, "message_id"]
    return messages["message_id"].isin(had).to_numpy(dtype=bool)


def _find_values(made: pd.DataFrame, *, messages: pd.DataFrame) -> Floats:
    """Cents of each message's conversion; NaN where there is none."""
    converted = made.loc[made["outcome"] == Outcome.CONVERTED].dropna(subset=["value_cents"])
    value_of = converted.groupby("message_id")["value_cents"].sum().astype("float64")
    return np.asarray(value_of.reindex(messages["message_id"]), dtype=np.float64)


def look_up(column: str, tables: Tables, *, ids: "pd.Series[str]") -> Names:
    """A column of each customer's row; None where it or the customer is unknown."""
    customers = _hold(tables, "customers")
    found = customers.drop_duplicates("customer_id").set_index("customer_id")[column].reindex(ids)
    names: Names = found.astype(object).where(found.notna(), None).to_numpy(dtype=object)
    return names


def _hold(tables: Tables, name: str) -> pd.DataFrame:
    """The rows of a table as they were corrected last; none without the table."""
    return rows_that_hold(tables.get(name, empty_table(name)), CONTRACTS[name])


def _find_local_hours(tables: Tables, *, messages: pd.DataFrame) -> Integers:
    """Local hour of each sending; UTC for customers whose zone is not known."""
    zones = look_up("timezone", tables, ids=messages["customer_id"])
    hours: Integers = messages["sent_at"].dt.hour.to_numpy(dtype=np.int64, copy=True)
    for zone in sorted({zone for zone in zones if zone is not None}):
        rows = zones == zone
        hours[rows] = messages.loc[rows, "sent_at"].dt.tz_convert(zone).dt.hour
    return hours


def _find_monthly_revenue(tables: Tables, *, known_until: datetime) -> float:
    """Cents a month and customer: orders of the last 90 days, and running subscriptions."""
    customers = _hold(tables, "customers")
    n = int((customers["signed_up_at"] < known_until).sum())
    if n == 0:
        return 0.0
    orders = _hold(tables, "orders")
    age = known_until - orders["ordered_at"]
    recent = orders[(age > timedelta(0)) & (age <= timedelta(days=_REVENUE_DAYS))]
    subscriptions = _hold(tables, "subscriptions")
    known = subscriptions[subscriptions["valid_from"] < known_until].sort_values("valid_from")
    latest = known.drop_duplicates("customer_id", keep="last")
    recurring = latest.loc[latest["status"] == "active", "mrr_cents"].sum()
    return float(recent["amount_cents"].sum() * 30 / _REVENUE_DAYS + recurring) / n


def _find_calls(tables: Tables, *, messages: pd.DataFrame) -> Bools:
    """Whether a ticket about the trigger was opened within 7 days of each message."""
    tickets = _hold(tables, "tickets")
    about = tickets[tickets["topic"].isin(list(TRIGGERS))]
    sent = messages[["message_id", "customer_id", "trigger", "sent_at"]]
    joined = sent.merge(
        about[["customer_id", "topic", "opened_at"]],
        left_on=["customer_id", "trigger"],
        right_on=["customer_id", "topic"],
    )
    waited = joined["opened_at"] - joined["sent_at"]
    called = joined.loc[(waited >= timedelta(0)) & (waited < _LABEL_SPAN), "message_id"]
    return messages["message_id"].isin(called).to_numpy(dtype=bool)
