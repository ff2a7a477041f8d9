"""The HTTP endpoint under a few callers at once."""

import threading
import time
from pathlib import Path

import numpy as np

from features.vocabulary import Trigger
from serving.benchmarks.company import Company
from serving.client import ServiceClient
from serving.launch import find_free_port, running_service
from serving.records import DecisionRequest
from serving.settings import ApiKey, Scope, Settings
from serving.snapshot.files import publish_snapshot
from training.benchmarks.rows import BenchRow

_HOST = "127.0.0.1"
_KEY = "only-for-this-benchmark"
_WARM_UP = 50
_CALLS = 600
_TRIGGERS = (Trigger.ABANDONED_CART, Trigger.DELIVERY_DELAY, Trigger.INACTIVITY)


def bench_endpoint(
    company: Company, home: Path, *, callers: tuple[int, ...] = (1, 8)
) -> list[BenchRow]:
    """Milliseconds of one /decide, record kept before the answer, by number of callers."""
    settings = Settings(
        home=home / "endpoint",
        clock="caller",
        port=find_free_port(_HOST),
        api_keys={"bench": ApiKey(key=_KEY, scopes=frozenset(Scope))},
    )
    publish_snapshot(company.snapshot, settings.snapshots)
    rows: list[BenchRow] = []
    with running_service(settings, log=home / "endpoint.log") as client:
        empty_ms = _time_empty_answers(client)
        for n_callers in callers:
            began = time.perf_counter()
            taken = _call(settings, company, n_callers=n_callers)
            seconds = time.perf_counter() - began
            case = f"/decide, {n_callers} at once"
            rows += [
                _row(case, "p50_ms", np.percentile(taken, 50), reference=empty_ms, n=len(taken)),
                _row(case, "p99_ms", np.percentile(taken, 99), reference=empty_ms, n=len(taken)),
                _row(case, "decisions_per_s", len(taken) / seconds, unit="1/s", n=len(taken)),
            ]
    return rows


def _call(settings: Settings, company: Company, *, n_callers: int) -> list[float]:
    """Milliseconds of every call, after a warm-up."""
    ids = company.snapshot.customers.profile["customer_id"].tolist()
    taken: list[list[float]] = [[] for _ in range(n_callers)]

    def run(caller: int) -> None:
        with ServiceClient(f"http://{settings.host}:{settings.port}", key=_KEY) as client:
            for n in range(_WARM_UP + _CALLS // n_callers):
                request = DecisionRequest(
                    customer_id=ids[(caller + n * n_callers) % len(ids)],
                    trigger=_TRIGGERS[n % len(_TRIGGERS)],
                    decided_at=company.snapshot.as_of,
                )
                began = time.perf_counter()
                client.decide(request)
                if n >= _WARM_UP:
                    taken[caller].append(1000 * (time.perf_counter() - began))

    threads = [threading.Thread(target=run, args=(caller,)) for caller in range(n_callers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [call for calls in taken for call in calls]


def _time_empty_answers(client: ServiceClient) -> float:
    """Milliseconds of the median answer that does no work: what the machine and HTTP cost."""
    taken = []
    for _ in range(_CALLS):
        began = time.perf_counter()
        client.is_ready()
        taken.append(1000 * (time.perf_counter() - began))
    return float(np.median(taken))


def _row(
    case: str,
    metric: str,
    value: float,
    *,
    n: int,
    reference: float | None = None,
    unit: str = "ms",
) -> BenchRow:
    return BenchRow(
        case=case,
        metric=metric,
        ours=float(value),
        low=None,
        high=None,
        reference=reference,
        reference_name=None if reference is None else "p50 of /readyz, 1 caller",
        unit=unit,
        n=n,
    )
