"""Churn of real households, forward in time, against recency only."""

from datetime import timedelta

import pandas as pd

from features.errors import BadInputError
from features.tables import Tables
from training import churn
from training.benchmarks.rows import BenchRow
from training.datasets.churn import build_churn_dataset
from training.datasets.provenance import NotEnoughData
from training.evaluation import Comparison, Estimate

CASE = "complete_journey"


def bench_churn(tables: Tables, *, seed: int) -> list[BenchRow]:
    """Every measure on the last months, ours beside recency only, and their paired differences.

    Args:
        tables: Of `features.sources.read_complete_journey`, or others with activity.
        seed: Of the training and the bootstrap.

    Raises:
        BadInputError: The tables do not hold enough to train on.
    """
    last: pd.Timestamp = tables["activity"]["at"].max()
    known_until = last.to_pydatetime() + timedelta(microseconds=1)
    dataset = build_churn_dataset(tables, known_until=known_until)
    if isinstance(dataset, NotEnoughData):
        raise BadInputError(f"{CASE}: {dataset.reason}")
    trained = churn.train_churn(dataset, seed=seed)
    if isinstance(trained, NotEnoughData):
        raise BadInputError(f"{CASE}: {trained.reason}")
    return make_rows(trained.comparison, n=len(trained.test.labels))


def make_rows(comparison: Comparison, *, n: int) -> list[BenchRow]:
    """Two rows for each measure: the figures side by side, and the paired gain with 0 beside it."""
    rows = []
    other, gain = comparison.other.by_name(), comparison.difference.by_name()
    for metric, ours in comparison.ours.by_name().items():
        reference = other[metric].value
        rows.append(_make_row(metric, ours, reference=reference, n=n))
        rows.append(_make_row(f"{metric}_gain", gain[metric], reference=0.0, n=n))
    return rows


def _make_row(metric: str, ours: Estimate, *, reference: float, n: int) -> BenchRow:
    return BenchRow(
        case=CASE,
        metric=metric,
        ours=ours.value,
        low=ours.low,
        high=ours.high,
        reference=reference,
        reference_name=churn.BASELINE,
        unit="nats" if metric.startswith("log_loss") else "1",
        n=n,
    )
