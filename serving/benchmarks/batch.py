"""Batch decisions beside the bare predictions that they need, and the memory that they take."""

import resource
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from statistics import median

from features.vocabulary import Outcome, Trigger
from serving.benchmarks.company import engine_for, grow
from serving.records import DecisionRequest
from serving.snapshot.state import Snapshot
from training.benchmarks.rows import BenchRow
from training.registry.servable import Belonging

_TRIGGER = Trigger.ABANDONED_CART
_SCORED = (Outcome.OPENED, Outcome.CONVERTED, Outcome.UNSUBSCRIBED)
_REFERENCE = "churn, channel and uplift predictions alone, 1 thread"
_MOST_GIB = 8.0
_N_ITEMS = 997
_LOT = 2_000


def bench_batch(snapshot: Snapshot, home: Path, *, n_customers: int, runs: int) -> list[BenchRow]:
    """Customers per second, every record written to the store, beside the predictions alone.

    The same predictions stand on both sides: churn scores of everybody, which a snapshot holds
    already when it is decided, are made on our side as well.

    Args:
        snapshot: Customers and models; the customers are repeated up to that number.
        home: Where stores may be made.
        n_customers: One case of each.
        runs: Of both sides in turn.
    """
    grown = grow(snapshot, n_customers=n_customers)
    ids = grown.customers.profile["customer_id"].tolist()
    requests = [_ask(id_, n, at=grown.as_of) for n, id_ in enumerate(ids)]
    ours, trees = [], []
    for run in range(runs):
        engine = engine_for(grown, home / f"batch{run}")
        began = time.perf_counter()
        _predict_churn(grown)
        decided = engine.decide_batch(requests)
        ours.append(len(decided) / (time.perf_counter() - began))
        engine.store.close()
        began = time.perf_counter()
        _predict_churn(grown)
        _predict_messages(grown)
        trees.append(n_customers / (time.perf_counter() - began))
    peak_gib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 2**30
    case = f"batch of {n_customers}"
    return [
        BenchRow(
            case=case,
            metric="customers_per_s",
            ours=median(ours),
            low=min(ours),
            high=max(ours),
            reference=median(trees),
            reference_name=_REFERENCE,
            unit="1/s",
            n=runs,
        ),
        BenchRow(case, "peak_gib", peak_gib, None, None, _MOST_GIB, "limit", "GiB", 1),
    ]


def _ask(customer_id: str, n: int, *, at: datetime) -> DecisionRequest:
    """A cart of its own, with a key, as triggers find it."""
    return DecisionRequest(
        customer_id=customer_id,
        trigger=_TRIGGER,
        evidence={"item": f"Article {n % _N_ITEMS}", "n_items": 1 + n % 3},
        idempotency_key=f"{customer_id}/{_TRIGGER}/{at.isoformat()}",
        decided_at=at,
    )


def _predict_churn(snapshot: Snapshot) -> None:
    if (model := snapshot.models.churn) is not None:
        for rows in _in_lots(snapshot):
            model.predict(snapshot.customers.churn[rows])


def _predict_messages(snapshot: Snapshot) -> None:
    """What comes of a message, and what it changes, on every channel."""
    models, customers = snapshot.models, snapshot.customers
    segments, languages = customers.segments, customers.languages
    for rows in _in_lots(snapshot):
        X = customers.engagement[rows]
        if models.channel is not None:
            sendings = models.channel.describe_channels(
                X, trigger=_TRIGGER, segments=segments[rows], languages=languages[rows]
            )
            models.channel.predict_all(_SCORED, sendings)
        if models.uplift is not None and _TRIGGER in models.uplift.groups:
            belonging = Belonging.of(len(X), segments=segments[rows], languages=languages[rows])
            models.uplift.effects(X, group=_TRIGGER, belonging=belonging)


def _in_lots(snapshot: Snapshot) -> Iterator[slice]:
    """Lots of the size in which the engine decides: larger ones leave the cache."""
    for start in range(0, len(snapshot.customers.profile), _LOT):
        yield slice(start, start + _LOT)
