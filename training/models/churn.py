"""The recipe of the churn model."""

from datetime import datetime

from features.churn import CHURN_FEATURES
from features.tables import Tables
from training.churn import (
    BASELINE,
    TrainedChurn,
    fit_recency,
    judge_churn,
    judge_recency,
    train_churn,
)
from training.datasets.churn import build_churn_dataset
from training.datasets.provenance import NotEnoughData, Provenance, sign
from training.datasets.split import is_from, is_known_by, to_datetime
from training.evaluation import Judged
from training.gate import GateWindow
from training.models.recipe import LaterRows, Recipe, require, too_early
from training.models.records import describe_training, describe_trees, draw_trees, measure_test
from training.registry.entries import ModelName
from training.registry.servable import BoosterModel, Servable
from training.registry.tracking import TrainingRecord


def learn(tables: Tables, /, *, known_until: datetime, seed: int) -> TrainingRecord | NotEnoughData:
    """See `Learn`."""
    dataset = build_churn_dataset(tables, known_until=known_until)
    if isinstance(dataset, NotEnoughData):
        return dataset
    trained = train_churn(dataset, seed=seed)
    if isinstance(trained, NotEnoughData):
        return trained
    return record(trained, provenance=dataset.provenance, seed=seed)


def record(trained: TrainedChurn, *, provenance: Provenance, seed: int) -> TrainingRecord:
    """What is logged about a churn model."""
    labels = trained.test.labels
    by_model = {"model": trained.p_test, BASELINE: trained.p_baseline}
    return TrainingRecord(
        name=ModelName.CHURN,
        model=trained.fitted.model,
        trained_until=trained.split.test_from,
        fingerprint=provenance.fingerprint,
        tables=provenance.tables,
        params={
            **describe_training(provenance, seed=seed, split=trained.split),
            "horizon_days": trained.test.horizon_days,
            "baseline": BASELINE,
            **describe_trees(trained.fitted),
        },
        metrics=measure_test(trained.p_test, labels=labels, comparison=trained.comparison),
        plots=draw_trees(trained.fitted, by_model, labels=labels),
    )


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
        return too_early(seen_until, known_until=known_until)
    window = GateWindow(
        starts_at=to_datetime(later.moments.min()),
        customers=later.customers,
        baseline=judge_recency(fit_recency(earlier), later),
        baseline_name=BASELINE,
    )

    def judge(model: Servable) -> Judged:
        return judge_churn(require(model, BoosterModel), later)

    return LaterRows(window, judge)


CHURN = Recipe(ModelName.CHURN, learn, find_later_rows, sign(CHURN_FEATURES))
