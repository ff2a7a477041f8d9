"""The recipe of the churn model."""

from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np

from features.churn import CHURN_FEATURES, eligible_customers
from features.churn.risk import default_rules
from features.tables import Tables
from training.churn import (
    BASELINE,
    TrainedChurn,
    fit_recency,
    judge_churn,
    judge_recency,
    search_churn,
    train_churn,
)
from training.datasets.churn import (
    HORIZON_DAYS,
    add_later_labels,
    build_churn_dataset,
    build_churn_rows,
)
from training.datasets.provenance import NotEnoughData, Provenance, sign
from training.datasets.shuffled import shuffle_futures
from training.datasets.slices import slice_rows
from training.datasets.split import is_from, is_known_by, to_datetime
from training.evaluation import HeldOut, Judged, Window, judge
from training.evaluation.leakage import LeakageCheck, ShuffledRows, check_leakage
from training.gate import GateWindow
from training.models.recipe import LaterRows, Recipe, require, too_early
from training.models.records import (
    describe_training,
    describe_trees,
    draw_trees,
    flatten_comparison,
    measure_test,
)
from training.models.risk import describe_risk, measure_risk
from training.registry.entries import ModelName
from training.registry.servable import ChurnModel, Servable
from training.registry.tracking import TrainingRecord
from training.risk import judge_rules
from training.search import SearchBudget, SearchResult


def learn(tables: Tables, /, *, known_until: datetime, seed: int) -> TrainingRecord | NotEnoughData:
    """See `Learn`."""
    dataset = build_churn_dataset(tables, known_until=known_until)
    if isinstance(dataset, NotEnoughData):
        return dataset
    dataset = add_later_labels(dataset, tables, known_until=known_until)
    trained = train_churn(dataset, seed=seed)
    if isinstance(trained, NotEnoughData):
        return trained
    return record(trained, provenance=dataset.provenance, seed=seed)


def learn_with_search(
    tables: Tables, /, *, known_until: datetime, seed: int, budget: SearchBudget
) -> TrainingRecord | NotEnoughData:
    """See `LearnWithSearch`; what it did not show on later rows is not taken."""
    dataset = build_churn_dataset(tables, known_until=known_until)
    if isinstance(dataset, NotEnoughData):
        return dataset
    found = search_churn(dataset, budget=budget, seed=seed)
    settings = found.settings if isinstance(found, SearchResult) else None
    dataset = add_later_labels(dataset, tables, known_until=known_until)
    trained = train_churn(dataset, seed=seed, settings=settings)
    if isinstance(trained, NotEnoughData):
        return trained
    written = record(trained, provenance=dataset.provenance, seed=seed)
    return replace(
        written,
        params={
            **written.params,
            **(found.describe() if isinstance(found, SearchResult) else {}),
        },
        notes={**written.notes, "search": _describe_search(found)},
    )


def _describe_search(found: SearchResult | NotEnoughData) -> str:
    if isinstance(found, NotEnoughData):
        return f"settings were not searched for: {found.reason}"
    return found.words


def record(trained: TrainedChurn, *, provenance: Provenance, seed: int) -> TrainingRecord:
    """What is logged about a churn model."""
    labels = trained.test.labels
    by_model = {"model": trained.p_test, BASELINE: trained.p_baseline}
    rules = judge_rules(
        default_rules(),
        trained.p_test,
        features=trained.test.X,
        names=provenance.signature.names,
        window=Window(labels, trained.test.customers),
        moments=trained.test.moments,
        rng=np.random.default_rng(seed),
    )
    return TrainingRecord(
        name=ModelName.CHURN,
        model=trained.model,
        trained_until=trained.trained_until,
        fingerprint=provenance.fingerprint,
        tables=provenance.tables,
        params={
            **describe_training(provenance, seed=seed, split=trained.split),
            "horizon_days": trained.test.horizon_days,
            "horizons_days": ", ".join(map(str, trained.model.horizons_days)),
            "baseline": BASELINE,
            **describe_trees(trained.fitted),
        },
        metrics={
            **measure_test(trained.p_test, labels=labels, comparison=trained.comparison),
            **_measure_later(trained),
            **measure_risk(rules),
        },
        plots=draw_trees(trained.fitted, by_model, labels=labels),
        notes={"risk": describe_risk(rules), **_describe_missing(trained)},
        held_out=HeldOut(
            customers=trained.test.customers,
            moments=trained.test.moments,
            ours=judge(trained.p_test, labels=labels),
            baseline=judge(trained.p_baseline, labels=labels),
            is_list=True,
        ),
    )


def _measure_later(trained: TrainedChurn) -> dict[str, float]:
    """Metrics of the longer horizons: `horizon_60.auc`, `horizon_60.auc_low`, ..."""
    flat: dict[str, float] = {}
    for days, horizon in trained.later.items():
        flat[f"horizon_{days}.n_test"] = len(horizon.test.labels)
        flat |= flatten_comparison(horizon.comparison, prefix=f"horizon_{days}.")
    return flat


def _describe_missing(trained: TrainedChurn) -> dict[str, str]:
    """Why a longer horizon has no model."""
    return {
        f"no_horizon_{days}": f"no model of {days} days yet: {why.reason}"
        for days, why in trained.too_short.items()
    }


def find_later_rows(
    tables: Tables, /, *, known_until: datetime, seen_until: datetime, fit_until: datetime
) -> LaterRows | NotEnoughData:
    """See `FindLaterRows`."""
    dataset = build_churn_dataset(tables, known_until=known_until)
    if isinstance(dataset, NotEnoughData):
        return dataset
    moments, span = dataset.moments, dataset.label_span
    later = dataset.take(is_from(seen_until, moments=moments))
    earlier = dataset.take(is_known_by(fit_until, moments=moments, label_span=span))
    if not (len(later.labels) and len(earlier.labels)):
        return too_early(seen_until, known_until=known_until, label_span=span)
    window = GateWindow(
        starts_at=to_datetime(later.moments.min()),
        customers=later.customers,
        baseline=judge_recency(fit_recency(earlier), later),
        baseline_name=BASELINE,
        slices=slice_rows(tables, customers=later.customers, moments=later.moments),
    )

    def judge_model(model: Servable) -> Judged:
        return judge_churn(require(model, ChurnModel), later)

    return LaterRows(window, judge_model)


def find_leak(
    tables: Tables, /, *, known_until: datetime, seed: int
) -> LeakageCheck | NotEnoughData:
    """See `FindLeak`; at the last moment whose labels are known."""
    moment = known_until - timedelta(days=HORIZON_DAYS)
    shuffled = shuffle_futures(
        tables,
        customers=eligible_customers(tables, as_of=moment),
        as_of=moment,
        rng=np.random.default_rng(seed),
    )
    rows = build_churn_rows(
        shuffled, moments=[moment], known_until=known_until, horizon_days=HORIZON_DAYS
    )
    if isinstance(rows, NotEnoughData):
        return rows
    signature = rows.provenance.signature
    return check_leakage(ShuffledRows(rows.X, rows.labels, rows.customers, signature), seed=seed)


CHURN = Recipe(
    ModelName.CHURN,
    learn,
    find_later_rows,
    sign(CHURN_FEATURES),
    find_leak,
    learn_with_search=learn_with_search,
)
