"""From challenger to champion, if the gate agrees: what `opportune promote` does.

Candidate, champion and baseline are judged on the same rows, later than anything that either
model has seen.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

import numpy as np

from features.churn import CHURN_FEATURES
from features.engagement import ENGAGEMENT_FEATURES
from features.errors import BadInputError
from features.tables import Tables
from training import channel as channels
from training import churn, lateness, send_time
from training.datasets.channel import build_channel_dataset
from training.datasets.churn import build_churn_dataset
from training.datasets.lateness import build_lateness_dataset
from training.datasets.provenance import NotEnoughData, sign
from training.datasets.split import is_from, is_known_by, to_datetime
from training.datasets.transit import sign_lateness
from training.evaluation import Judged
from training.gate import Contender, GateWindow, Hold, Promote, decide
from training.records import NOT_RANDOMISED
from training.registry.entries import Alias, ModelName, ModelVersion, NoVersion
from training.registry.servable import (
    BoosterModel,
    ChannelModel,
    FeatureSignature,
    SendTimeModel,
    Servable,
)
from training.registry.tracking import Tracking

Judge = Callable[[Servable], Judged]
M = TypeVar("M", BoosterModel, ChannelModel, SendTimeModel)


@dataclass(frozen=True)
class _LaterRows:
    """Rows that no contender has seen, and how a model is judged on them."""

    window: GateWindow
    judge: Judge


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
    running: dict[ModelName, FeatureSignature] = {
        ModelName.CHURN: sign(CHURN_FEATURES),
        ModelName.CHANNEL: sign(ENGAGEMENT_FEATURES),
        ModelName.LATENESS: sign_lateness(),
    }
    model = version.model
    return isinstance(model, SendTimeModel) or model.signature == running[version.name]


def _find_later_rows(
    candidate: ModelVersion,
    *,
    champion: ModelVersion | None,
    tables: Tables,
    known_until: datetime,
) -> _LaterRows | NotEnoughData:
    fit_until = candidate.trained_until
    seen_until = max(fit_until, champion.trained_until) if champion else fit_until
    if candidate.name is ModelName.SEND_TIME:
        return _find_weeks(tables, known_until=known_until, seen_until=seen_until)
    find = _FINDERS[candidate.name]
    return find(tables, known_until=known_until, seen_until=seen_until, fit_until=fit_until)


def _find_churn_rows(
    tables: Tables, *, known_until: datetime, seen_until: datetime, fit_until: datetime
) -> _LaterRows | NotEnoughData:
    dataset = build_churn_dataset(tables, known_until=known_until)
    if isinstance(dataset, NotEnoughData):
        return dataset
    moments, span = dataset.moments, dataset.label_span
    later = dataset.take(is_from(seen_until, moments=moments))
    earlier = dataset.take(is_known_by(fit_until, moments=moments, label_span=span))
    if not (len(later.labels) and len(earlier.labels)):
        return _too_early(seen_until, known_until=known_until)
    window = GateWindow(
        starts_at=to_datetime(later.moments.min()),
        customers=later.customers,
        baseline=churn.judge_recency(churn.fit_recency(earlier), later),
        baseline_name=churn.BASELINE,
    )

    def judge(model: Servable) -> Judged:
        return churn.judge_churn(_require(model, BoosterModel), later)

    return _LaterRows(window, judge)


def _find_channel_rows(
    tables: Tables, *, known_until: datetime, seen_until: datetime, fit_until: datetime
) -> _LaterRows | NotEnoughData:
    dataset = build_channel_dataset(tables, known_until=known_until)
    if isinstance(dataset, NotEnoughData):
        return dataset
    moments, span = dataset.moments, dataset.label_span
    later = dataset.take(is_from(seen_until, moments=moments))
    earlier = dataset.take(is_known_by(fit_until, moments=moments, label_span=span))
    if not (len(later.customers) and len(earlier.customers)):
        return _too_early(seen_until, known_until=known_until)
    window = GateWindow(
        starts_at=to_datetime(later.moments.min()),
        customers=later.customers,
        baseline=channels.judge_rates(channels.count_rates(earlier), later),
        baseline_name=channels.BASELINE,
        faults=() if dataset.randomised else (NOT_RANDOMISED,),
    )

    def judge(model: Servable) -> Judged:
        return channels.judge_channel(_require(model, ChannelModel), later)

    return _LaterRows(window, judge)


def _find_lateness_rows(
    tables: Tables, *, known_until: datetime, seen_until: datetime, fit_until: datetime
) -> _LaterRows | NotEnoughData:
    dataset = build_lateness_dataset(tables, known_until=known_until)
    if isinstance(dataset, NotEnoughData):
        return dataset
    later = dataset.take(is_from(seen_until, moments=dataset.moments))
    no_span = timedelta(0)
    earlier = dataset.take(is_known_by(fit_until, moments=dataset.known_at, label_span=no_span))
    if not (len(later.labels) and len(earlier.labels)):
        return _too_early(seen_until, known_until=known_until)
    baseline = lateness.fit_one_number(earlier, name=lateness.BASELINE)
    window = GateWindow(
        starts_at=to_datetime(later.moments.min()),
        customers=later.orders,
        baseline=lateness.judge_promise(baseline, later),
        baseline_name=lateness.BASELINE,
    )

    def judge(model: Servable) -> Judged:
        return lateness.judge_lateness(_require(model, BoosterModel), later)

    return _LaterRows(window, judge)


_FINDERS = {
    ModelName.CHURN: _find_churn_rows,
    ModelName.CHANNEL: _find_channel_rows,
    ModelName.LATENESS: _find_lateness_rows,
}


def _find_weeks(
    tables: Tables, *, known_until: datetime, seen_until: datetime
) -> _LaterRows | NotEnoughData:
    dataset = send_time.build_send_time_dataset(tables, known_until=known_until)
    if isinstance(dataset, NotEnoughData):
        return dataset
    if dataset.test_from < seen_until:
        return _too_early(seen_until, known_until=known_until)
    window = GateWindow(
        starts_at=dataset.test_from,
        customers=dataset.test.customers,
        baseline=send_time.judge_population(dataset.test),
        baseline_name=send_time.BASELINE,
    )

    def judge(model: Servable) -> Judged:
        return send_time.judge_send_time(_require(model, SendTimeModel), dataset.test)

    return _LaterRows(window, judge)


def _too_early(seen_until: datetime, *, known_until: datetime) -> NotEnoughData:
    return NotEnoughData(
        f"nothing to judge on: the models have seen labels until {seen_until.isoformat()}, and "
        f"too little is known from then until {known_until.isoformat()}"
    )


def _require(model: Servable, kind: type[M]) -> M:
    if not isinstance(model, kind):
        raise BadInputError(f"expected a {kind.__name__} in the registry, found {model!r}")
    return model
