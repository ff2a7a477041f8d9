"""Late deliveries of a real marketplace, forward in time, against what the promise says.

Three things are told: the last quarter of the time as one test; the same for orders that are late
by however little; and a model made anew for every month, from what was known before it, so that no
one lucky quarter decides.
"""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from features.errors import BadInputError
from features.sources.olist import read_olist
from features.tables import Tables
from features.triggers import TriggerSettings
from training.benchmarks.rows import BenchRow
from training.datasets.lateness import (
    LATE_FROM_DAYS,
    LatenessDataset,
    build_lateness_dataset,
    split_lateness_at,
)
from training.datasets.provenance import NotEnoughData
from training.evaluation import Comparison, Estimate, Window, compare
from training.lateness import BASELINE, RULE, TrainedLateness, train_lateness

CASE: Final = "olist"
_SPARSE_AFTER: Final = datetime.fromisoformat("2018-08-31T00:00:00+00:00")  # the data thins out
_CALIBRATION_DAYS: Final = 60
_N_MONTHS: Final = 6


def bench_lateness(folder: Path, *, seed: int) -> list[BenchRow]:
    """Every measure ours beside the promise's own slack and a rule of thumb, differences paired.

    Args:
        folder: Of `features.sources.read_olist`.
        seed: Of the training and the bootstrap.

    Raises:
        BadInputError: The tables do not hold enough to train on.
        SourceUnreadableError: The files are not there.
    """
    tables = read_olist(folder).tables
    dataset = build_dataset(tables)
    return [
        *judge_lateness(dataset, seed=seed),
        *_any_lateness(tables, seed=seed),
        *_rolling_rows(dataset, seed=seed),
    ]


def judge_lateness(dataset: LatenessDataset, *, seed: int) -> list[BenchRow]:
    """The model on the last quarter of the time, beside the promise's slack and the rule."""
    trained = _train(dataset, seed=seed)
    n = len(trained.test.labels)
    return [
        *make_rows(trained.comparison, case=CASE, reference=BASELINE, n=n),
        *make_rows(trained.over_rule, case=CASE, reference=RULE, n=n),
        *_threshold_rows(trained),
    ]


def make_rows(comparison: Comparison, *, case: str, reference: str, n: int) -> list[BenchRow]:
    """Two rows for each measure: the figures side by side, and the paired gain with 0 beside it."""
    rows = []
    other, gain = comparison.other.by_name(), comparison.difference.by_name()
    for metric, ours in comparison.ours.by_name().items():
        beside = {metric: (ours, other[metric].value), f"{metric}_gain": (gain[metric], 0.0)}
        for name, (estimate, figure) in beside.items():
            unit = "nats" if metric == "log_loss" else "1"
            rows.append(_row(case, name, estimate, reference=figure, of=reference, unit=unit, n=n))
    return rows


def _any_lateness(tables: Tables, *, seed: int) -> list[BenchRow]:
    """Late by however little."""
    trained = _train(build_dataset(tables, late_from_days=0.0), seed=seed)
    rows = make_rows(
        trained.comparison, case=f"{CASE}, any lateness", reference=BASELINE, n=len(trained.p_test)
    )
    return [row for row in rows if row.metric.startswith(("auc", "average_precision"))]


def _threshold_rows(trained: TrainedLateness) -> list[BenchRow]:
    """Of the orders that the trigger would tell of, how many were late; of the late, how many."""
    from_p = TriggerSettings().predicted_from
    rows = pd.DataFrame(
        {
            "order": trained.test.orders,
            "late": trained.test.labels,
            "told": trained.p_test >= from_p,
            "by_promise": trained.p_baseline >= from_p,
        }
    )
    by_order = rows.groupby("order").max()
    found = []
    for name, column in (("told", "told"), ("told_by_promise", "by_promise")):
        told = by_order[by_order[column]]
        figures = {f"{name}_recall": told["late"].sum() / by_order["late"].sum()}
        if len(told):
            figures[f"{name}_precision"] = told["late"].mean()
        for metric, value in figures.items():
            found.append(
                BenchRow(CASE, metric, float(value), None, None, None, None, "1", len(told))
            )
    return found


def _rolling_rows(dataset: LatenessDataset, *, seed: int) -> list[BenchRow]:
    """A model for each of the last months, judged together, and the gain of each month."""
    last = pd.Timestamp(dataset.moments.max(), tz="UTC")
    begins = [last.normalize().replace(day=1) - pd.DateOffset(months=n) for n in range(_N_MONTHS)]
    months = []
    for begin in reversed(begins):
        split = split_lateness_at(
            dataset,
            calibration_from=begin.to_pydatetime() - timedelta(days=_CALIBRATION_DAYS),
            test_from=begin.to_pydatetime(),
            test_until=(begin + pd.DateOffset(months=1)).to_pydatetime(),
        )
        if isinstance(split, NotEnoughData):
            continue
        trained = train_lateness(dataset, seed=seed, split=split)
        if not isinstance(trained, NotEnoughData):
            months.append((f"{begin:%Y-%m}", trained))
    if not months:
        return []
    together = compare(
        np.concatenate([month.p_test for _, month in months]),
        other=np.concatenate([month.p_baseline for _, month in months]),
        window=Window(
            np.concatenate([month.test.labels for _, month in months]),
            np.concatenate([month.test.orders for _, month in months]),
        ),
        rng=np.random.default_rng(seed),
    )
    n = sum(len(month.p_test) for _, month in months)
    return [
        *make_rows(together, case=f"{CASE}, a model a month", reference=BASELINE, n=n),
        *(
            _row(
                f"{CASE} {name}",
                "auc_gain",
                month.comparison.difference.auc,
                reference=0.0,
                of=BASELINE,
                unit="1",
                n=len(month.p_test),
            )
            for name, month in months
        ),
    ]


def build_dataset(tables: Tables, *, late_from_days: float = LATE_FROM_DAYS) -> LatenessDataset:
    """Everything but the end of the data, where orders thin out; BadInputError when too little."""
    dataset = build_lateness_dataset(
        tables, known_until=_SPARSE_AFTER, late_from_days=late_from_days
    )
    if isinstance(dataset, NotEnoughData):
        raise BadInputError(f"{CASE}: {dataset.reason}")
    return dataset


def _train(dataset: LatenessDataset, *, seed: int) -> TrainedLateness:
    trained = train_lateness(dataset, seed=seed)
    if isinstance(trained, NotEnoughData):
        raise BadInputError(f"{CASE}: {trained.reason}")
    return trained


def _row(
    case: str, metric: str, ours: Estimate, *, reference: float, of: str, unit: str, n: int
) -> BenchRow:
    return BenchRow(case, metric, ours.value, ours.low, ours.high, reference, of, unit, n)
