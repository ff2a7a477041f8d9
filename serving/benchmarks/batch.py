"""Batch decisions beside the bare LightGBM predictions that they need."""

import time
from pathlib import Path
from statistics import median

from features.vocabulary import Outcome, Trigger
from serving.benchmarks.company import Company, engine_for
from serving.records import DecisionRequest
from serving.snapshot.state import Snapshot
from training.benchmarks.rows import BenchRow

_RUNS = 3
_SCORED = (Outcome.OPENED, Outcome.CONVERTED, Outcome.UNSUBSCRIBED)


def bench_batch(company: Company, home: Path) -> list[BenchRow]:
    """Customers per second, every record written to the store, beside the trees alone."""
    snapshot = company.snapshot
    ids = snapshot.customers.profile["customer_id"].tolist()
    requests = [
        DecisionRequest(customer_id=customer_id, trigger=Trigger.ABANDONED_CART)
        for customer_id in ids
    ]
    ours, trees = [], []
    for run in range(_RUNS):
        engine = engine_for(snapshot, home / f"batch{run}")
        began = time.perf_counter()
        engine.decide_many(requests)
        ours.append(len(ids) / (time.perf_counter() - began))
        engine.store.close()
        began = time.perf_counter()
        _predict(snapshot)
        trees.append(len(ids) / (time.perf_counter() - began))
    return [
        BenchRow(
            case=f"batch of {len(ids)}",
            metric="customers_per_s",
            ours=median(ours),
            low=min(ours),
            high=max(ours),
            reference=median(trees),
            reference_name="LightGBM predictions alone, 1 thread",
            unit="1/s",
            n=_RUNS,
        )
    ]


def _predict(snapshot: Snapshot) -> None:
    """The predictions that the decisions above are made of, churn's included."""
    models, customers = snapshot.models, snapshot.customers
    if models.churn is not None:
        models.churn.predict(customers.churn)
    if models.channel is not None:
        sendings = models.channel.describe_channels(
            customers.engagement,
            trigger=Trigger.ABANDONED_CART,
            segments=customers.segments,
            languages=customers.languages,
        )
        models.channel.predict_all(_SCORED, sendings)
