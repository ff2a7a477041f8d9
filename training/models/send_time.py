"""The recipe of the send-time model."""

from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np

from features.tables import Tables
from training.datasets.provenance import Customers, Moments, NotEnoughData
from training.datasets.shuffled import sample_customers, shuffle_futures
from training.datasets.slices import slice_rows
from training.evaluation import HeldOut, Judged
from training.evaluation.clustered import Units, mean_of
from training.evaluation.leakage import LEVEL, LeakageCheck
from training.gate import GateWindow
from training.models.recipe import LaterRows, Recipe, require, too_early
from training.models.records import flatten
from training.registry.entries import ModelName
from training.registry.servable import SendTimeModel, Servable, sign_presence
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
from training.send_time.response import LearnedResponse
from training.send_time.shrinkage import Shrinkage

OPENS_ARE_OBSERVED = "activity tells when a customer is there, not whether a message would be read"
HOURS_ARE_DRAWN = (
    "what the hour of sending does comes from messages whose hour chance drew: it is an effect"
)
HOURS_ARE_BELIEVED = (
    "no message of the log had its hour drawn by chance: what the hour does to a message is a "
    "belief, half of what presence says"
)

_LEAK_CUSTOMERS: Final = 2000
"""So many are looked at for leaks: a gain from one's own week needs no more to be seen."""


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
            **_describe_shrinkage(trained.shrinkage),
        },
        metrics={
            "n_test": len(dataset.test.customers),
            "n_test_events": float(dataset.test.after.sum()),
            "loss": trained.loss,
            **flatten("loss_over_population", trained.over_population),
            **flatten("loss_over_customer_only", trained.over_customer),
            **flatten("loss_over_one_strength", trained.over_pooled),
            **_measure_response(trained.response),
        },
        plots={
            "strengths": draw_strengths(
                [score.strength for score in trained.scores],
                [score.log_likelihood for score in trained.scores],
            ),
            "week": draw_week(trained.model.population),
        },
        notes={
            "warning": OPENS_ARE_OBSERVED,
            "hour_effect": HOURS_ARE_DRAWN if trained.response.is_causal else HOURS_ARE_BELIEVED,
        },
        held_out=HeldOut(
            customers=dataset.test.customers,
            moments=_repeat(trained.test_from, customers=dataset.test.customers),
            ours=judge_send_time(trained.model, dataset.test),
            baseline=judge_population(dataset.test),
        ),
    )


def _describe_shrinkage(shrinkage: Shrinkage) -> dict[str, str | int | float]:
    own = shrinkage.segment_strength
    return {
        "segment_strength": "none" if own is None else own,
        "smoothing_hours": shrinkage.smoothing.hours,
        "smoothing_days": shrinkage.smoothing.days,
        "n_directions": shrinkage.n_directions,
        "noise": shrinkage.noise,
    }


def _measure_response(response: LearnedResponse) -> dict[str, float]:
    """Slopes: of messages whose hour chance drew (`hour_slope`), and as seen among the others."""
    measured = {
        "n_hours_drawn": float(response.pooled.n),
        "n_hours_chosen": float(response.chosen.n),
        "hour_slope": response.pooled.value,
        "hour_slope_error": response.pooled.error,
    }
    if response.chosen.n and np.isfinite(response.chosen.error):
        measured["hour_slope_chosen"] = response.chosen.value
        measured["hour_slope_chosen_error"] = response.chosen.error
    for channel, one in response.responses.items():
        measured[f"hour_slope.{channel}"] = one.slope
        measured[f"attention.{channel}"] = one.attention
        measured[f"p_read_within_24h.{channel}"] = float(one.p_read_within(np.array(24.0)))
    return measured


def find_later_rows(
    tables: Tables, /, *, known_until: datetime, seen_until: datetime, fit_until: datetime
) -> LaterRows | NotEnoughData:
    """See `FindLaterRows`; the baseline is everybody's week before the window."""
    dataset = build_send_time_dataset(tables, known_until=known_until)
    if isinstance(dataset, NotEnoughData):
        return dataset
    if dataset.test_from < max(seen_until, fit_until):
        span = timedelta(days=HELD_OUT_DAYS)
        return too_early(seen_until, known_until=known_until, label_span=span)
    window = GateWindow(
        starts_at=dataset.test_from,
        customers=dataset.test.customers,
        baseline=judge_population(dataset.test),
        baseline_name=BASELINE,
        slices=slice_rows(
            tables,
            customers=dataset.test.customers,
            moments=_repeat(dataset.test_from, customers=dataset.test.customers),
        ),
    )

    def judge(model: Servable) -> Judged:
        return judge_send_time(require(model, SendTimeModel), dataset.test)

    return LaterRows(window, judge)


def find_leak(
    tables: Tables, /, *, known_until: datetime, seed: int
) -> LeakageCheck | NotEnoughData:
    """See `FindLeak`: another customer's month is told no better by one's own week than by all."""
    moment, rng = known_until - timedelta(days=HELD_OUT_DAYS), np.random.default_rng(seed)
    some = sample_customers(tables, n=_LEAK_CUSTOMERS, rng=rng)
    ids = some["customers"]["customer_id"]
    shuffled = shuffle_futures(some, customers=ids, as_of=moment, rng=rng)
    dataset = build_send_time_dataset(shuffled, known_until=known_until)
    if isinstance(dataset, NotEnoughData):
        return dataset
    model, test = train_send_time(dataset, seed=seed).model, dataset.test
    gain = judge_population(test).losses - judge_send_time(model, test).losses
    everybody = np.ones(len(gain), dtype=np.bool_)
    found = Units.of(test.customers).estimate(mean_of(gain, rows=everybody), level=LEVEL)
    return LeakageCheck("gain", found, chance=0.0, n_rows=len(gain))


def _repeat(moment: datetime, *, customers: Customers) -> Moments:
    """The moment of each row, (n,)."""
    naive = moment.astimezone(UTC).replace(tzinfo=None)
    return np.full(len(customers), np.datetime64(naive, "us"))


SEND_TIME = Recipe(
    ModelName.SEND_TIME, learn, find_later_rows, signature=sign_presence(), find_leak=find_leak
)
