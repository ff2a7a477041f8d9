"""Readers change between two trainings: what the last weeks say of how often each channel is read.

A model that is made once a month, from half a year, notices a change of tastes late and by halves.
Its answers of the last weeks stand beside what became of them: what channels, and segments on
channels, answered otherwise than it said is added to its log-odds of *opened*, which clicks and
purchases follow. Newer messages count for more, and each part is shrunk as far as its messages are
few; how far parts differ at all is learned from them, so that next to nothing is added where
nothing has changed (empirical Bayes, as in `training.channel.pooling`).
"""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

import numpy as np
import pandas as pd

from features.tables import Tables, empty_table, rows_about
from features.vocabulary import Outcome
from training.channel.describing import describe_messages
from training.channel.pooling import PartKind, fit_parts
from training.datasets.channel import OUTCOME_DAYS, ChannelDataset, build_channel_dataset
from training.datasets.provenance import NotEnoughData
from training.measures import Floats
from training.registry.servable import CHANNELS, ChannelModel
from training.registry.servable.pooled import logit

WINDOW_DAYS: Final = 14
HALF_LIFE_DAYS: Final = 5.0
MOST_MESSAGES: Final = 50_000
"""Of more than that every second, third and so on is looked at."""

_ASSUMED_SD: Final = 0.1
_N_C: Final = len(CHANNELS)


def follow_readers(model: ChannelModel, tables: Tables, *, as_of: datetime) -> ChannelModel:
    """The model with what the last weeks before a moment say of its readers.

    Args:
        model: As it was trained, never one that was corrected before.
        tables: Conformed frames.
        as_of: Aware moment; of messages sent less than a week before nothing is known yet.

    Returns:
        The same model where nothing is known of such messages.
    """
    messages = _find_recent(tables, as_of=as_of)
    theirs = rows_about(tables, messages["customer_id"].unique().tolist())
    recent = build_channel_dataset(theirs, known_until=as_of, among=messages)
    if isinstance(recent, NotEnoughData):
        return model
    return correct_readers(model, recent, as_of=as_of)


def correct_readers(
    model: ChannelModel, recent: ChannelDataset, *, as_of: datetime
) -> ChannelModel:
    """The model with what these messages add to *opened*, by segment and channel."""
    if not recent.targets[Outcome.OPENED].any():
        return model
    opened = model.outcomes[Outcome.OPENED]
    shift = _find_shift(model, recent, as_of=as_of)
    slopes = np.array([calibration.slope for calibration in opened.calibration])
    groups = opened.rates.segments
    moved = replace(groups, effect=groups.effect + shift / np.maximum(slopes, 0.1))
    rates = replace(opened.rates, segments=moved)
    changed = {**model.outcomes, Outcome.OPENED: replace(opened, rates=rates)}
    return replace(model, outcomes=changed)


def _find_shift(model: ChannelModel, recent: ChannelDataset, *, as_of: datetime) -> Floats:
    """Log-odds to add, (segments + 1, channels); the last row is of unknown segments."""
    n_segments = len(model.outcomes[Outcome.OPENED].rates.segments.values)
    cells = _count_cells(model, recent, as_of=as_of)
    segment, channel = cells["segment"].to_numpy(), cells["channel"].to_numpy()
    X = np.zeros((len(cells), _N_C * (1 + n_segments)))
    X[np.arange(len(cells)), channel] = 1.0
    known = segment >= 0
    X[known, _N_C * (1 + segment[known]) + channel[known]] = 1.0
    n = cells["n"].to_numpy()
    fitted = fit_parts(
        X,
        kinds=(PartKind(_N_C, _ASSUMED_SD), PartKind(_N_C * n_segments, _ASSUMED_SD)),
        n=n,
        n_with=cells["n_with"].to_numpy(),
        offset=cells["z_n"].to_numpy() / n,
    )
    everybody = fitted.parts[:_N_C]
    by_segment = fitted.parts[_N_C:].reshape(n_segments, _N_C)
    return np.vstack([everybody + by_segment, everybody])


def _count_cells(model: ChannelModel, recent: ChannelDataset, *, as_of: datetime) -> pd.DataFrame:
    """Messages by segment, channel and what the model said: weights, of those opened, of log-odds.

    A model's log-odds are told to a tenth: so many messages are some hundred rows.
    """
    sendings = describe_messages(model, recent)
    z = logit(model.predict(Outcome.OPENED, sendings))
    now = np.datetime64(pd.Timestamp(as_of).tz_convert("UTC").tz_localize(None), "us")
    age_days = (now - recent.moments) / np.timedelta64(1, "D")
    n = 0.5 ** ((age_days - OUTCOME_DAYS) / HALF_LIFE_DAYS)
    rows = pd.DataFrame(
        {
            "segment": sendings.segment,
            "channel": sendings.channel,
            "step": z.round(1),
            "n": n,
            "n_with": n * recent.targets[Outcome.OPENED],
            "z_n": n * z,
        }
    )
    return rows.groupby(["segment", "channel", "step"], as_index=False).sum()


def _find_recent(tables: Tables, *, as_of: datetime) -> pd.DataFrame:
    """Messages whose outcomes have become known in the last weeks, evenly thinned, by time."""
    messages = tables.get("messages", empty_table("messages"))
    until = pd.Timestamp(as_of - timedelta(days=OUTCOME_DAYS))
    since = until - timedelta(days=WINDOW_DAYS)
    sent_at = messages["sent_at"]
    recent = messages[(sent_at >= since) & (sent_at <= until)].sort_values("sent_at", kind="stable")
    return recent.iloc[:: max(1, -(-len(recent) // MOST_MESSAGES))]
