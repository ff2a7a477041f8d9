"""How the model of late deliveries is watched: every order on its way, every few days."""

import math
from datetime import datetime, timedelta

import numpy as np
import pandas as pd

from features.tables import Tables
from training.datasets.provenance import NotEnoughData, to_moments
from training.datasets.transit import LATENESS_FEATURES, NEEDS, describe_transit
from training.models.recipe import require
from training.monitoring.views.view import Asked
from training.registry.servable import BoosterModel, Servable

_STEP = timedelta(days=5)


def read_asked(
    tables: Tables, /, *, model: Servable, since: datetime, until: datetime
) -> Asked | NotEnoughData:
    """See `ReadAsked`."""
    missing = [name for name in NEEDS if name not in tables or tables[name].empty]
    if missing:
        return NotEnoughData(f"there are no {' and no '.join(missing)}")
    moments = [until - step * _STEP for step in range(math.ceil((until - since) / _STEP))]
    parts = [describe_transit(tables, as_of=moment).assign(moment=moment) for moment in moments]
    rows = pd.concat(parts, ignore_index=True)
    if rows.empty:
        return NotEnoughData(f"no order was on its way from {since.date()} to {until.date()}")
    X = rows[list(LATENESS_FEATURES)].to_numpy(np.float64)
    at = to_moments(rows["moment"].astype("datetime64[us, UTC]"))
    return Asked(LATENESS_FEATURES, X, at, {"late": require(model, BoosterModel).predict(X)})
