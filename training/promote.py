"""From challenger to champion, if the gate agrees: what `opportune promote` does.

Candidate, champion and baseline are judged on the same rows, later than anything that either
model has seen.
"""

from datetime import datetime

import numpy as np

from features.tables import Tables
from training.datasets.provenance import NotEnoughData
from training.gate import Contender, Hold, Promote, decide
from training.models.recipe import Judge, LaterRows
from training.models.table import RECIPES
from training.registry.entries import Alias, ModelName, ModelVersion, NoVersion
from training.registry.servable import SendTimeModel
from training.registry.tracking import Tracking


def promote(
    name: ModelName, tables: Tables, *, known_until: datetime, tracking: Tracking, seed: int
) -> Promote | Hold:
    """Let the gate judge the challenger, and name it champion if it may be served.

    A champion made with other feature definitions than the running ones cannot be served any
    more, and so nobody has to beat it.

    Args:
        name: The model.
        tables: Conformed tables: those it was trained on, or later ones.
        known_until: Aware moment; nothing known at it or later is read.
        tracking: Where the versions are.
        seed: Of the bootstrap.
    """
    candidate = tracking.find(name, alias=Alias.CHALLENGER)
    if isinstance(candidate, NoVersion):
        return Hold(name, ("there is no challenger: train one first",))
    if not _fits_running_code(candidate):
        return Hold(
            name, ("it was made with other feature definitions: train again",), candidate.version
        )
    found = tracking.find(name, alias=Alias.CHAMPION)
    is_served = isinstance(found, ModelVersion) and _fits_running_code(found)
    champion = found if isinstance(found, ModelVersion) and is_served else None
    rows = _find_later_rows(candidate, champion=champion, tables=tables, known_until=known_until)
    if isinstance(rows, NotEnoughData):
        return Hold(name, (rows.reason,), candidate.version)
    decision = decide(
        name,
        candidate=_enter(candidate, judge=rows.judge),
        champion=_enter(champion, judge=rows.judge) if champion else None,
        window=rows.window,
        rng=np.random.default_rng(seed),
    )
    if isinstance(decision, Promote):
        tracking.set_champion(decision)
    return decision


def _enter(version: ModelVersion, *, judge: Judge) -> Contender:
    return Contender(version.version, version.trained_until, judge(version.model))


def _fits_running_code(version: ModelVersion) -> bool:
    wanted = RECIPES[version.name].signature
    model = version.model
    return isinstance(model, SendTimeModel) or model.signature == wanted


def _find_later_rows(
    candidate: ModelVersion,
    *,
    champion: ModelVersion | None,
    tables: Tables,
    known_until: datetime,
) -> LaterRows | NotEnoughData:
    fit_until = candidate.trained_until
    seen_until = max(fit_until, champion.trained_until) if champion else fit_until
    find = RECIPES[candidate.name].find_later_rows
    return find(tables, known_until=known_until, seen_until=seen_until, fit_until=fit_until)
