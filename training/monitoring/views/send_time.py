"""How the send-time model is watched: the hours in which customers were there."""

from dataclasses import replace
from datetime import datetime

import numpy as np
import pandas as pd

from features.declared.hours import PRESENCE
from features.point_in_time import count_hours_of_week, make_spine
from features.tables import Tables
from training.datasets.provenance import NotEnoughData, to_moments
from training.measures import Floats
from training.models.recipe import require
from training.monitoring.periods import BLOCK
from training.monitoring.views.view import Asked, sample_customers
from training.registry.servable import SendTimeModel, Servable

_NAMES = ("hour_of_day", "day_of_week")
_EVERY_EVENT_ONCE = replace(PRESENCE, half_life_days=None)


def read_asked(
    tables: Tables, /, *, model: Servable, since: datetime, until: datetime
) -> Asked | NotEnoughData:
    """See `ReadAsked`; a row is one event, its score how open that hour was held to be.

    What the model knew of the customer is what was known when the event's two weeks began.
    """
    borders = [border for n in range(100) if (border := until - n * BLOCK) > since - BLOCK / 2]
    customers = tables["customers"]
    ids = sample_customers(
        customers.loc[customers["signed_up_at"] < until, "customer_id"].sort_values(
            ignore_index=True
        )
    )
    if len(borders) < 2 or ids.empty:
        return NotEnoughData(f"fewer than {BLOCK.days} days or nobody to look at")
    spine = pd.concat([make_spine(ids, as_of=at) for at in borders], ignore_index=True)
    shape = (len(borders), len(ids), -1)
    seen = count_hours_of_week(tables, spine, histogram=_EVERY_EVENT_ONCE).reshape(shape)
    known = count_hours_of_week(tables, spine).reshape(shape)
    openness = require(model, SendTimeModel).relative_openness
    parts = [
        _list_events(np.maximum(seen[n] - seen[n + 1], 0.0), openness(known[n + 1]))
        for n in range(len(borders) - 1)
    ]
    n_events = [len(part) for part in parts]
    if not sum(n_events):
        return NotEnoughData(f"nobody was there since {since.date()}")
    events = np.concatenate(parts)
    ends = pd.Series(pd.to_datetime(borders[:-1], utc=True)).dt.as_unit("us")
    return Asked(
        names=_NAMES,
        X=events[:, :2],
        moments=np.repeat(to_moments(ends), n_events),
        scores={"openness of the hours they came in": events[:, 2]},
    )


def _list_events(counts: Floats, openness: Floats) -> Floats:
    """Hour of the day, day of the week and openness of each event of counts (n, 168), (m, 3)."""
    who, hour = np.nonzero(counts)
    times = counts[who, hour].astype(np.int64)
    rows = np.column_stack([hour % 24, hour // 24, openness[who, hour]])
    return np.repeat(rows, times, axis=0).astype(np.float64)
