"""How the churn model is watched: everybody who can still be lost, every few days."""

import math
from datetime import datetime, timedelta

import numpy as np
import pandas as pd

from features.churn import CHURN_FEATURES, eligible_customers
from features.errors import BadInputError
from features.point_in_time import make_spine
from features.tables import Tables
from training.datasets.provenance import NotEnoughData, build_matrix, to_moments
from training.measures import Floats
from training.monitoring.views.view import Asked, sample_customers
from training.registry.servable import Servable

_STEP = timedelta(days=9)  # not a week: every weekday gets its turn


def read_asked(
    tables: Tables, /, *, model: Servable, since: datetime, until: datetime
) -> Asked | NotEnoughData:
    """See `ReadAsked`; at most 2,000 customers at a moment."""
    spine = _plan(tables, since=since, until=until)
    if spine.empty:
        return NotEnoughData(f"no customer could be lost from {since.date()} to {until.date()}")
    X = build_matrix(tables, spine, features=CHURN_FEATURES)
    return Asked(CHURN_FEATURES.names, X, to_moments(spine["as_of"]), {"churn": _score(model, X)})


def _plan(tables: Tables, *, since: datetime, until: datetime) -> pd.DataFrame:
    """Who could be lost, every nine days back from `until` to `since`."""
    spines = [make_spine([], as_of=until)]
    for step in range(math.ceil((until - since) / _STEP)):
        moment = until - step * _STEP
        ids = eligible_customers(tables, as_of=moment)
        spines.append(make_spine(sample_customers(ids), as_of=moment))
    return pd.concat(spines, ignore_index=True)


def _score(model: Servable, X: Floats) -> Floats:
    predict = getattr(model, "predict", None)
    if predict is None:
        raise BadInputError(f"expected a churn model in the registry, found {model!r}")
    return np.asarray(predict(X), dtype=np.float64)
