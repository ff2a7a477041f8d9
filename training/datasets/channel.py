"""Rows for channels: every message whose outcomes have had their time."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Self

import numpy as np
import pandas as pd

from features.engagement import ENGAGEMENT_FEATURES
from features.tables import Tables, empty_table
from features.vocabulary import Arm, Outcome
from training.datasets.provenance import (
    Customers,
    Moments,
    NotEnoughData,
    Provenance,
    build_matrix,
    describe_source,
    to_moments,
)
from training.datasets.split import ForwardSplit, split_forward, to_datetime
from training.measures import Bools, Floats, Integers
from training.registry.servable import CHANNELS, TRIGGERS

OUTCOME_DAYS = 7
TARGETS = (Outcome.OPENED, Outcome.CLICKED, Outcome.CONVERTED, Outcome.UNSUBSCRIBED)
RANDOMISED_ARMS = (Arm.RANDOM, Arm.LEARNED)
_LABEL_SPAN = timedelta(days=OUTCOME_DAYS)


@dataclass(frozen=True)
class ChannelDataset:
    """One row per message.

    Attributes:
        X: Features of the customer when it was sent, (n, features); NaN is null.
        channel: Position in `CHANNELS`, (n,).
        trigger: Position in `TRIGGERS`, (n,).
        targets: By outcome, whether a person brought it about within 7 days, (n,) each.
        value_cents: Of its conversion, (n,); NaN without one or where it is not known.
        customers: customer_id, (n,).
        moments: When it was sent, (n,).
        randomised: Whether chance decided about these messages. If not, somebody chose the
            customers of each channel, and rates are associations, not effects.
        provenance: Where the rows come from.
    """

    X: Floats
    channel: Integers
    trigger: Integers
    targets: Mapping[Outcome, Bools]
    value_cents: Floats
    customers: Customers
    moments: Moments
    randomised: bool
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
            targets={outcome: labels[rows] for outcome, labels in self.targets.items()},
            value_cents=self.value_cents[rows],
            customers=self.customers[rows],
            moments=self.moments[rows],
        )


def build_channel_dataset(
    tables: Tables, *, known_until: datetime
) -> ChannelDataset | NotEnoughData:
    """One row per message sent at least 7 days before `known_until`.

    Messages of the arms `random` and `learned`, for there chance decided; where the log has none
    of them all messages are taken, and the dataset says so.
    """
    messages = tables.get("messages", empty_table("messages"))
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
        channel=_find_positions(chosen["channel"], among=CHANNELS),
        trigger=_find_positions(chosen["trigger"], among=TRIGGERS),
        targets={outcome: _had(outcome, made=made, messages=chosen) for outcome in TARGETS},
        value_cents=_find_values(made, messages=chosen),
        customers=chosen["customer_id"].to_numpy(dtype=object),
        moments=to_moments(chosen["sent_at"]),
        randomised=not by_chance.empty,
        provenance=describe_source(
            tables,
            features=ENGAGEMENT_FEATURES,
            also=("customers", "messages", "outcomes"),
            known_until=known_until,
        ),
    )


def split_channel(dataset: ChannelDataset) -> ForwardSplit | NotEnoughData:
    """The last fifth of the time tests and the fifth before calibrates."""
    first, last = to_datetime(dataset.moments.min()), to_datetime(dataset.moments.max())
    fifth = (last - first) / 5
    test_from = last - fifth
    split = split_forward(
        dataset.moments,
        calibration_from=test_from - _LABEL_SPAN - fifth,
        test_from=test_from,
        label_span=_LABEL_SPAN,
    )
    if not (split.train.any() and split.calibration.any()):
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
    had = made.loc[made["outcome"] == outcome, "message_id"]
    return messages["message_id"].isin(had).to_numpy(dtype=bool)


def _find_values(made: pd.DataFrame, *, messages: pd.DataFrame) -> Floats:
    """Cents of each message's conversion; NaN where there is none."""
    converted = made.loc[made["outcome"] == Outcome.CONVERTED].dropna(subset=["value_cents"])
    value_of = converted.groupby("message_id")["value_cents"].sum().astype("float64")
    return np.asarray(value_of.reindex(messages["message_id"]), dtype=np.float64)


def _find_positions(values: "pd.Series[str]", *, among: tuple[str, ...]) -> Integers:
    positions: Integers = pd.Index(list(among)).get_indexer(pd.Index(values)).astype(np.int64)
    return positions
