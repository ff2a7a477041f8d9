"""The recipe of the model of late deliveries."""

from datetime import datetime, timedelta
from typing import Final

import numpy as np
import pandas as pd

from features.tables import Tables
from training.datasets.lateness import (
    LATE_FROM_DAYS,
    build_lateness_dataset,
    build_lateness_rows,
)
from training.datasets.provenance import Customers, NotEnoughData, Provenance
from training.datasets.shuffled import shuffle_deliveries
from training.datasets.slices import slice_rows
from training.datasets.split import is_from, is_known_by, to_datetime
from training.datasets.transit import sign_lateness
from training.evaluation import HeldOut, Judged, judge
from training.evaluation.leakage import LeakageCheck, ShuffledRows, check_leakage
from training.gate import GateWindow
from training.lateness import (
    BASELINE,
    TrainedLateness,
    fit_one_number,
    judge_lateness,
    judge_promise,
    train_lateness,
)
from training.models.recipe import LaterRows, Recipe, require, too_early
from training.models.records import (
    describe_training,
    describe_trees,
    draw_trees,
    flatten_comparison,
    measure_test,
)
from training.registry.entries import ModelName
from training.registry.servable import BoosterModel, Servable
from training.registry.tracking import TrainingRecord

_LEAK_DAYS: Final = 40
"""The check for leaks looks back so far: by then nearly every promise is over."""


def learn(tables: Tables, /, *, known_until: datetime, seed: int) -> TrainingRecord | NotEnoughData:
    """See `Learn`."""
    dataset = build_lateness_dataset(tables, known_until=known_until)
    if isinstance(dataset, NotEnoughData):
        return dataset
    trained = train_lateness(dataset, seed=seed)
    if isinstance(trained, NotEnoughData):
        return trained
    customers = _find_customers(tables, orders=trained.test.orders)
    return record(trained, provenance=dataset.provenance, customers=customers, seed=seed)


def record(
    trained: TrainedLateness, *, provenance: Provenance, customers: Customers, seed: int
) -> TrainingRecord:
    """What is logged about a model of late deliveries; customers (n,) are those of the test."""
    labels = trained.test.labels
    by_model = {"model": trained.p_test, BASELINE: trained.p_baseline}
    return TrainingRecord(
        name=ModelName.LATENESS,
        model=trained.fitted.model,
        trained_until=trained.split.test_from,
        fingerprint=provenance.fingerprint,
        tables=provenance.tables,
        params={
            **describe_training(provenance, seed=seed, split=trained.split),
            "baseline": BASELINE,
            **describe_trees(trained.fitted),
        },
        metrics={
            **measure_test(trained.p_test, labels=labels, comparison=trained.comparison),
            **flatten_comparison(trained.over_rule, prefix="over_rule."),
        },
        plots=draw_trees(trained.fitted, by_model, labels=labels),
        held_out=HeldOut(
            customers=customers,
            moments=trained.test.moments,
            ours=judge(trained.p_test, labels=labels),
            baseline=judge(trained.p_baseline, labels=labels),
            units=trained.test.orders,
            is_list=True,
        ),
    )


def find_later_rows(
    tables: Tables, /, *, known_until: datetime, seen_until: datetime, fit_until: datetime
) -> LaterRows | NotEnoughData:
    """See `FindLaterRows`."""
    dataset = build_lateness_dataset(tables, known_until=known_until)
    if isinstance(dataset, NotEnoughData):
        return dataset
    later = dataset.take(is_from(seen_until, moments=dataset.moments))
    no_span = timedelta(0)
    earlier = dataset.take(is_known_by(fit_until, moments=dataset.known_at, label_span=no_span))
    if not (len(later.labels) and len(earlier.labels)):
        span = timedelta(days=LATE_FROM_DAYS)
        return too_early(seen_until, known_until=known_until, label_span=span)
    baseline = fit_one_number(earlier, name=BASELINE)
    customers = _find_customers(tables, orders=later.orders)
    window = GateWindow(
        starts_at=to_datetime(later.moments.min()),
        customers=later.orders,
        baseline=judge_promise(baseline, later),
        baseline_name=BASELINE,
        slices=slice_rows(tables, customers=customers, moments=later.moments),
    )

    def judge_model(model: Servable) -> Judged:
        return judge_lateness(require(model, BoosterModel), later)

    return LaterRows(window, judge_model)


def find_leak(
    tables: Tables, /, *, known_until: datetime, seed: int
) -> LeakageCheck | NotEnoughData:
    """See `FindLeak`; of the orders on their way 40 days ago."""
    moment = known_until - timedelta(days=_LEAK_DAYS)
    shuffled = shuffle_deliveries(tables, as_of=moment, rng=np.random.default_rng(seed))
    rows = build_lateness_rows(shuffled, moments=[moment], known_until=known_until)
    if isinstance(rows, NotEnoughData):
        return rows
    found = ShuffledRows(rows.X, rows.labels, rows.orders, rows.provenance.signature)
    return check_leakage(found, seed=seed)


def _find_customers(tables: Tables, *, orders: Customers) -> Customers:
    """customer_id of each order, (n,)."""
    bought = tables["orders"].drop_duplicates("order_id").set_index("order_id")["customer_id"]
    customers: Customers = bought.reindex(pd.Index(orders)).to_numpy(dtype=object)
    return customers


LATENESS = Recipe(ModelName.LATENESS, learn, find_later_rows, sign_lateness(), find_leak)
