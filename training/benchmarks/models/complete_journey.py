"""Churn of real households, forward in time, against recency only and BG/NBD."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from features.errors import BadInputError
from features.sources import read_complete_journey
from features.tables import Tables
from training import churn
from training.benchmarks.models.bg_nbd import Purchases, fit_bg_nbd
from training.benchmarks.models.judging import (
    Figures,
    Part,
    Reference,
    judge_parts,
    make_row,
    take_median,
)
from training.benchmarks.models.linear_blend import fit_blend, make_gain_row
from training.benchmarks.rows import BenchRow
from training.boosting import LabelledRows
from training.datasets.churn import HORIZON_DAYS, ChurnDataset, build_churn_dataset
from training.datasets.provenance import NotEnoughData
from training.evaluation import Comparison, Estimate
from training.measures import Floats, make_auc, make_average_precision

CASE = "complete_journey"
FOLDER = "complete_journey"

_WEEK: Final = np.timedelta64(7, "D")
_P_ALIVE = "BG/NBD 1 - P(alive)"
_P_SILENT = "BG/NBD P(no purchase)"
_SHORT: Final = {_P_ALIVE: "p_alive", _P_SILENT: "p_purchase"}


def bench_complete_journey(path: Path, *, seeds: Sequence[int]) -> list[BenchRow]:
    """Every measure beside recency only, and average precision beside BG/NBD of weekly baskets.

    Args:
        path: Folder of public data; holds `complete_journey`.
        seeds: Of the training; the measures are the first seed's, the gains over BG/NBD medians.

    Raises:
        SourceUnreadableError: A file is missing.
        BadInputError: The tables do not hold enough to train on.
    """
    tables = read_complete_journey(path / FOLDER).tables
    dataset = _build(tables)
    trained = [_train(dataset, seed=seed) for seed in seeds]
    rows = make_rows(trained[0].comparison, n=len(trained[0].test.labels))
    for name, other in _ask_bg_nbd(tables, trained[0]).items():
        figures = take_median([_compare(one, other) for one in trained])
        beside, zero = Reference(figures.other.value, name), Reference(0.0, name)
        metric, n = "average_precision", len(seeds)
        rows += [
            make_row(CASE, f"{metric}_beside_{_SHORT[name]}", figures.ours, beside=beside, n=n),
            make_row(CASE, f"{metric}_gain_{_SHORT[name]}", figures.difference, beside=zero, n=n),
        ]
    blended = [[_blend(dataset, one, seed=seed)] for one, seed in zip(trained, seeds, strict=True)]
    for metric, make in {"average_precision": make_average_precision, "auc": make_auc}.items():
        rows.append(make_gain_row(CASE, metric, blended, make=make))
    return rows


def bench_churn(tables: Tables, *, seed: int) -> list[BenchRow]:
    """Every measure on the last months, ours beside recency only, and their paired differences.

    Args:
        tables: Of `features.sources.read_complete_journey`, or others with activity.
        seed: Of the training and the bootstrap.

    Raises:
        BadInputError: The tables do not hold enough to train on.
    """
    trained = _train(_build(tables), seed=seed)
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


def _build(tables: Tables) -> ChurnDataset:
    last: pd.Timestamp = tables["activity"]["at"].max()
    known_until = last.to_pydatetime() + timedelta(microseconds=1)
    dataset = build_churn_dataset(tables, known_until=known_until)
    if isinstance(dataset, NotEnoughData):
        raise BadInputError(f"{CASE}: {dataset.reason}")
    return dataset


def _train(dataset: ChurnDataset, *, seed: int) -> churn.TrainedChurn:
    trained = churn.train_churn(dataset, seed=seed)
    if isinstance(trained, NotEnoughData):
        raise BadInputError(f"{CASE}: {trained.reason}")
    return trained


def _make_row(metric: str, ours: Estimate, *, reference: float, n: int) -> BenchRow:
    unit = "nats" if metric.startswith("log_loss") else "1"
    beside = Reference(reference, churn.BASELINE)
    return make_row(CASE, metric, ours, beside=beside, n=n, unit=unit)


def _blend(dataset: ChurnDataset, trained: churn.TrainedChurn, *, seed: int) -> Part:
    """A linear model beside the trees, and the trees alone."""
    train, model = dataset.take(trained.split.train), trained.fitted.model
    blend = fit_blend(
        model,
        train=LabelledRows(train.X, train.labels),
        calibration=LabelledRows(trained.calibration.X, trained.calibration.labels),
        seed=seed,
    )
    return _make_part(trained, blend.score(model, trained.test.X), trained.p_test)


def _make_part(trained: churn.TrainedChurn, ours: Floats, other: Floats) -> Part:
    rows = np.unique(trained.test.customers.astype(str), return_inverse=True)[1]
    return Part(rows.astype(np.int64), trained.test.labels, ours, other)


def _compare(trained: churn.TrainedChurn, other: Floats) -> Figures:
    part = _make_part(trained, trained.p_test, other)
    return judge_parts([part], make=make_average_precision, rng=np.random.default_rng(0))


def _ask_bg_nbd(tables: Tables, trained: churn.TrainedChurn) -> dict[str, Floats]:
    """What BG/NBD says of the test rows, fitted to each moment's own past."""
    customers, moments = trained.test.customers.astype(str), trained.test.moments
    alive, silent = np.zeros(len(moments)), np.zeros(len(moments))
    for moment in np.unique(moments):
        at = moments == moment
        known = summarise_weeks(tables, moment=moment)
        model = fit_bg_nbd(_to_purchases(known))
        asked = _to_purchases(known.loc[customers[at]])
        alive[at] = model.p_alive(asked)
        silent[at] = 1.0 - model.p_purchase(asked, within=HORIZON_DAYS / 7)
    return {_P_ALIVE: 1.0 - alive, _P_SILENT: silent}


def summarise_weeks(tables: Tables, *, moment: np.datetime64) -> pd.DataFrame:
    """Weekly histories before the moment by customer: frequency, recency, age, in weeks.

    Weeks are counted back from the moment, and a week with baskets is one purchase: households buy
    far more regularly within a week than a Poisson process.
    """
    orders = tables["orders"]
    at = orders["ordered_at"].dt.tz_localize(None).to_numpy("datetime64[us]")
    known = at < moment
    weeks = pd.DataFrame(
        {
            "customer_id": orders["customer_id"][known],
            "weeks_ago": (moment - at[known]) // _WEEK,
        }
    ).drop_duplicates()
    ago = weeks.groupby("customer_id")["weeks_ago"]
    return pd.DataFrame(
        {"frequency": ago.size() - 1, "recency": ago.max() - ago.min(), "age": ago.max()}
    ).astype("float64")


def _to_purchases(histories: pd.DataFrame) -> Purchases:
    columns = (histories[name].to_numpy(np.float64) for name in ("frequency", "recency", "age"))
    return Purchases(*columns)
