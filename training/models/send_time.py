"""The recipe of the send-time model."""

from datetime import datetime

from features.tables import Tables
from training.datasets.provenance import NotEnoughData
from training.evaluation import Judged
from training.gate import GateWindow
from training.models.recipe import LaterRows, Recipe, require, too_early
from training.models.records import flatten
from training.registry.entries import ModelName
from training.registry.servable import SendTimeModel, Servable
from training.registry.tracking import TrainingRecord
from training.reports.plots import draw_strengths, draw_week
from training.send_time import (
    BASELINE,
    HELD_OUT_DAYS,
    SendTimeDataset,
    TrainedSendTime,
    build_send_time_dataset,
    judge_population,
    judge_send_time,
    train_send_time,
)

OPENS_ARE_OBSERVED = "activity tells when a customer is there, not whether a message would be read"


def learn(tables: Tables, /, *, known_until: datetime, seed: int) -> TrainingRecord | NotEnoughData:
    """See `Learn`."""
    dataset = build_send_time_dataset(tables, known_until=known_until)
    if isinstance(dataset, NotEnoughData):
        return dataset
    return record(train_send_time(dataset, seed=seed), dataset=dataset, seed=seed)


def record(trained: TrainedSendTime, *, dataset: SendTimeDataset, seed: int) -> TrainingRecord:
    """What is logged about a send-time model."""
    return TrainingRecord(
        name=ModelName.SEND_TIME,
        model=trained.model,
        trained_until=trained.test_from,
        fingerprint=dataset.fingerprint,
        tables=dataset.tables,
        params={
            "seed": seed,
            "baseline": BASELINE,
            "held_out_days": HELD_OUT_DAYS,
            "strength": trained.model.strength,
        },
        metrics={
            "n_test": len(dataset.test.customers),
            "n_test_events": float(dataset.test.after.sum()),
            "loss": trained.loss,
            **flatten("loss_over_population", trained.over_population),
            **flatten("loss_over_customer_only", trained.over_customer),
        },
        plots={
            "strengths": draw_strengths(
                [score.strength for score in trained.scores],
                [score.log_likelihood for score in trained.scores],
            ),
            "week": draw_week(trained.model.population),
        },
        notes={"warning": OPENS_ARE_OBSERVED},
    )


def find_later_rows(
    tables: Tables, /, *, known_until: datetime, seen_until: datetime, fit_until: datetime
) -> LaterRows | NotEnoughData:
    """See `FindLaterRows`; the baseline is everybody's week before the window."""
    dataset = build_send_time_dataset(tables, known_until=known_until)
    if isinstance(dataset, NotEnoughData):
        return dataset
    if dataset.test_from < max(seen_until, fit_until):
        return too_early(seen_until, known_until=known_until)
    window = GateWindow(
        starts_at=dataset.test_from,
        customers=dataset.test.customers,
        baseline=judge_population(dataset.test),
        baseline_name=BASELINE,
    )

    def judge(model: Servable) -> Judged:
        return judge_send_time(require(model, SendTimeModel), dataset.test)

    return LaterRows(window, judge)


SEND_TIME = Recipe(ModelName.SEND_TIME, learn, find_later_rows, None)
