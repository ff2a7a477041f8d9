"""The recipe of the channel model."""

from datetime import datetime

from features.engagement import ENGAGEMENT_FEATURES
from features.tables import Tables
from training.channel import (
    BASELINE,
    TrainedChannel,
    count_rates,
    judge_channel,
    judge_rates,
    score_channels,
    train_channel,
)
from training.datasets.channel import OUTCOME_DAYS, build_channel_dataset
from training.datasets.provenance import NotEnoughData, Provenance, sign
from training.datasets.split import is_from, is_known_by, to_datetime
from training.evaluation import Judged
from training.gate import GateWindow
from training.models.recipe import LaterRows, Recipe, require, too_early
from training.models.records import describe_training, describe_trees, flatten_comparison
from training.registry.entries import ModelName
from training.registry.servable import ChannelModel, Servable
from training.registry.tracking import TrainingRecord
from training.reports.plots import draw_calibration, draw_importance, draw_precision_recall

NOT_RANDOMISED = (
    "no message of the log was decided by chance: rates per channel are associations, not effects"
)


def learn(tables: Tables, /, *, known_until: datetime, seed: int) -> TrainingRecord | NotEnoughData:
    """See `Learn`."""
    dataset = build_channel_dataset(tables, known_until=known_until)
    if isinstance(dataset, NotEnoughData):
        return dataset
    trained = train_channel(dataset, seed=seed)
    if isinstance(trained, NotEnoughData):
        return trained
    return record(trained, provenance=dataset.provenance, seed=seed)


def record(trained: TrainedChannel, *, provenance: Provenance, seed: int) -> TrainingRecord:
    """What is logged about a channel model."""
    metrics: dict[str, float] = {"n_test": len(trained.test.customers)}
    plots = {}
    for outcome, fit in trained.by_outcome.items():
        labels = trained.test.targets[outcome]
        metrics[f"{outcome}.n_test_positives"] = int(labels.sum())
        if not isinstance(fit.comparison, NotEnoughData):
            metrics |= flatten_comparison(fit.comparison, prefix=f"{outcome}.")
            by_model = {"model": fit.p_test, BASELINE: fit.p_baseline}
            plots[f"{outcome}_calibration"] = draw_calibration(by_model, labels=labels)
            plots[f"{outcome}_precision_recall"] = draw_precision_recall(by_model, labels=labels)
        plots[f"{outcome}_importance"] = draw_importance(
            fit.fitted.importance, names=fit.fitted.model.signature.names
        )
    for score in score_channels(trained):
        prefix = f"{score.outcome}.{score.channel}"
        metrics[f"{prefix}.n_test"] = score.n_messages
        metrics[f"{prefix}.log_loss"] = score.log_loss
        metrics[f"{prefix}.log_loss_baseline"] = score.log_loss_baseline
    return TrainingRecord(
        name=ModelName.CHANNEL,
        model=trained.model,
        trained_until=trained.split.test_from,
        fingerprint=provenance.fingerprint,
        tables=provenance.tables,
        params={
            **describe_training(provenance, seed=seed, split=trained.split),
            "outcome_days": OUTCOME_DAYS,
            "baseline": BASELINE,
            "randomised": trained.test.randomised,
            **{
                f"{outcome}.{key}": value
                for outcome, fit in trained.by_outcome.items()
                for key, value in describe_trees(fit.fitted).items()
            },
        },
        metrics=metrics,
        plots=plots,
        notes={} if trained.test.randomised else {"warning": NOT_RANDOMISED},
    )


def find_later_rows(
    tables: Tables, /, *, known_until: datetime, seen_until: datetime, fit_until: datetime
) -> LaterRows | NotEnoughData:
    """See `FindLaterRows`."""
    dataset = build_channel_dataset(tables, known_until=known_until)
    if isinstance(dataset, NotEnoughData):
        return dataset
    moments, span = dataset.moments, dataset.label_span
    later = dataset.take(is_from(seen_until, moments=moments))
    earlier = dataset.take(is_known_by(fit_until, moments=moments, label_span=span))
    if not (len(later.customers) and len(earlier.customers)):
        return too_early(seen_until, known_until=known_until)
    window = GateWindow(
        starts_at=to_datetime(later.moments.min()),
        customers=later.customers,
        baseline=judge_rates(count_rates(earlier), later),
        baseline_name=BASELINE,
        faults=() if dataset.randomised else (NOT_RANDOMISED,),
    )

    def judge(model: Servable) -> Judged:
        return judge_channel(require(model, ChannelModel), later)

    return LaterRows(window, judge)


CHANNEL = Recipe(ModelName.CHANNEL, learn, find_later_rows, sign(ENGAGEMENT_FEATURES))
