"""The recipe of the channel model."""

from datetime import datetime, timedelta

import numpy as np

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
from training.datasets.shuffled import shuffle_outcomes
from training.datasets.slices import slice_rows
from training.datasets.split import is_from, is_known_by, to_datetime
from training.evaluation import HeldOut, Judged
from training.evaluation.leakage import LeakageCheck, ShuffledRows, check_leakage
from training.gate import GateWindow
from training.models.recipe import LaterRows, Recipe, require, too_early
from training.models.records import describe_training, describe_trees, flatten_comparison
from training.registry.entries import ModelName
from training.registry.servable import ChannelModel, Servable
from training.registry.tracking import TrainingRecord
from training.reports.plots import (
    draw_calibration,
    draw_importance,
    draw_lift,
    draw_precision_recall,
)

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
            plots[f"{outcome}_lift"] = draw_lift(by_model, labels=labels)
        plots[f"{outcome}_importance"] = draw_importance(
            fit.fitted.importance, names=fit.fitted.model.signature.names
        )
    for score in score_channels(trained):
        prefix = f"{score.outcome}.{score.channel}"
        metrics[f"{prefix}.n_test"] = score.n_messages
        metrics[f"{prefix}.log_loss"] = score.log_loss
        metrics[f"{prefix}.log_loss_baseline"] = score.log_loss_baseline
        metrics[f"{prefix}.calibration_error"] = score.calibration_error
        metrics[f"{prefix}.surplus"] = score.surplus
    metrics |= _describe_stakes(trained.model)
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
        held_out=HeldOut(
            customers=trained.test.customers,
            moments=trained.test.moments,
            ours=judge_channel(trained.model, trained.test),
            baseline=judge_rates(trained.rates, trained.test),
        ),
    )


def _describe_stakes(model: ChannelModel) -> dict[str, float]:
    """What a message is worth by channel and trigger, as far as it was learned."""
    return {
        "monthly_cents": model.monthly_cents,
        **{f"acted_per_open.{channel}": found for channel, found in model.acted_per_open.items()},
        **{f"prevented.{trigger}": found.value for trigger, found in model.prevented.items()},
        **{f"prevented_error.{t}": found.error for t, found in model.prevented.items()},
    }


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
        return too_early(seen_until, known_until=known_until, label_span=span)
    window = GateWindow(
        starts_at=to_datetime(later.moments.min()),
        customers=later.customers,
        baseline=judge_rates(count_rates(earlier), later),
        baseline_name=BASELINE,
        faults=() if dataset.randomised else (NOT_RANDOMISED,),
        slices=slice_rows(tables, customers=later.customers, moments=later.moments),
    )

    def judge(model: Servable) -> Judged:
        return judge_channel(require(model, ChannelModel), later)

    return LaterRows(window, judge)


def find_leak(
    tables: Tables, /, *, known_until: datetime, seed: int
) -> LeakageCheck | NotEnoughData:
    """See `FindLeak`; of the outcome that says most, after outcomes went to other messages."""
    if "messages" not in tables or "outcomes" not in tables:
        return NotEnoughData("no messages and outcomes to look for leaks in")
    messages = tables["messages"]
    mature = messages[messages["sent_at"] + timedelta(days=OUTCOME_DAYS) <= known_until]
    shuffled = shuffle_outcomes(tables, messages=mature, rng=np.random.default_rng(seed))
    rows = build_channel_dataset(shuffled, known_until=known_until)
    if isinstance(rows, NotEnoughData):
        return rows
    labels = max(rows.targets.values(), key=lambda had: min(had.sum(), (~had).sum()))
    found = ShuffledRows(rows.X, labels, rows.customers, rows.provenance.signature)
    return check_leakage(found, seed=seed)


CHANNEL = Recipe(ModelName.CHANNEL, learn, find_later_rows, sign(ENGAGEMENT_FEATURES), find_leak)
