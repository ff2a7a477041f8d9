"""How the uplift model is watched: the decisions that chance made."""

from datetime import datetime

import numpy as np

from features.tables import Tables
from training.datasets.provenance import NotEnoughData
from training.datasets.split import is_from
from training.datasets.uplift import UpliftDataset, build_uplift_dataset
from training.measures import Floats
from training.models.recipe import require
from training.monitoring.views.view import Asked
from training.registry.servable import Servable, UpliftModel
from training.uplift.train import find_effects

_MOST_ROWS = 4_000  # every one is asked of many boosters


def read_asked(
    tables: Tables, /, *, model: Servable, since: datetime, until: datetime
) -> Asked | NotEnoughData:
    """See `ReadAsked`; the score of a row is the largest effect of any treatment."""
    dataset = build_uplift_dataset(tables, known_until=until)
    if isinstance(dataset, NotEnoughData):
        return dataset
    rows = is_from(since, moments=dataset.moments)
    if not rows.any():
        return NotEnoughData(f"no decision since {since.date()} is old enough")
    step = int(np.ceil(rows.sum() / _MOST_ROWS))
    chosen = dataset.take(np.isin(np.arange(len(rows)), np.flatnonzero(rows)[::step]))
    return Asked(
        names=dataset.provenance.signature.names,
        X=chosen.trial.X,
        moments=chosen.moments,
        scores={"largest effect": _score(require(model, UpliftModel), chosen)},
    )


def _score(model: UpliftModel, dataset: UpliftDataset) -> Floats:
    best: Floats = find_effects(model, dataset).max(axis=1)
    return best
