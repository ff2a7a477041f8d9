"""Facts as they arrive: what one costs in process, in the store, and over HTTP."""

import statistics
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from features.churn import CHURN_FEATURES
from features.engagement import ENGAGEMENT_FEATURES
from serving.benchmarks.company import Company
from serving.client import ServiceClient
from serving.launch import find_free_port, running_service
from serving.online.accounts import Account, unpack_account
from serving.online.facts import Fact
from serving.online.ledger import take_facts
from serving.online.rebuild import rebuild_online
from serving.online.records import Event
from serving.policy.cases import to_us
from serving.settings import ApiKey, Scope, Settings
from serving.snapshot.files import publish_snapshot
from serving.store.store import Store
from training.benchmarks.rows import BenchRow

_HOST = "127.0.0.1"
_KEY = "only-for-this-benchmark"
_WARM_UP = 30
_CALLS = 300
_CALLS_WITH_TRIGGERS = 40


def bench_events(company: Company, home: Path) -> list[BenchRow]:
    """Medians of one event: applied and read in process, with the store, and the whole /events."""
    settings = Settings(
        home=home / "events",
        clock="caller",
        port=find_free_port(_HOST),
        api_keys={"bench": ApiKey(key=_KEY, scopes=frozenset(Scope))},
    )
    publish_snapshot(company.snapshot, settings.snapshots)
    store = Store(settings.store_place)
    as_of = company.snapshot.as_of
    began = time.perf_counter()
    made = rebuild_online(store, company.tables, as_of=as_of)
    seconds = time.perf_counter() - began
    ids = company.snapshot.customers.profile["customer_id"].tolist()
    moments = _moments(as_of + timedelta(hours=1))
    rows = [
        BenchRow(
            f"rebuild, {made.n_customers:,} customers", "seconds", seconds,
            None, None, None, None, "s", 1,
        ),
        *_bench_in_process(store, ids, moments),
        _bench_store(store, ids, moments),
    ]  # fmt: skip
    store.close()
    with running_service(settings, log=home / "events.log") as client:
        rows += [
            _bench_http(client, ids, moments, find_triggers=find_triggers)
            for find_triggers in (False, True)
        ]
    return rows


def _moments(start: datetime) -> Iterator[datetime]:
    """Moments that go forward, a second apart."""
    while True:
        start += timedelta(seconds=1)
        yield start


def _bench_in_process(
    store: Store, ids: list[str], moments: Iterator[datetime]
) -> Iterator[BenchRow]:
    """Apply one fact to a loaded state; read every feature of it."""
    accounts = [_load(store, ids[n % len(ids)]) for n in range(_CALLS + _WARM_UP)]
    apply_us: list[float] = []
    read_us: list[float] = []
    for account in accounts:
        moment_us = to_us(next(moments))
        fact = Fact("activity", _login(account.customer_id, moment_us), moment_us)
        apply_us.append(_micros(partial(account.apply, fact, told_us=moment_us)))

        def read(account: Account = account, as_of_us: int = moment_us + 1) -> None:
            for features in (CHURN_FEATURES, ENGAGEMENT_FEATURES):
                account.state.features(as_of_us, features)

        read()  # the first reading lays out what is kept
        read_us.append(_micros(read))
    n = len(CHURN_FEATURES.names) + len(ENGAGEMENT_FEATURES.names)
    yield _row("one event applied in process", apply_us[_WARM_UP:], limit=50.0)
    yield _row(f"{n} features read in process", read_us[_WARM_UP:], limit=200.0)


def _bench_store(store: Store, ids: list[str], moments: Iterator[datetime]) -> BenchRow:
    """One event into log and state, committed."""
    taken: list[float] = []
    for n in range(_CALLS + _WARM_UP):
        customer_id = ids[n % len(ids)]
        moment_us = to_us(next(moments))
        fact = Fact("activity", _login(customer_id, moment_us), moment_us)

        def take(fact: Fact = fact, moment_us: int = moment_us) -> None:
            with store.transaction() as session:
                take_facts(session.online, [(fact, moment_us)])

        taken.append(_micros(take))
    return _row("one event with the SQLite store", taken[_WARM_UP:], limit=1000.0)


def _bench_http(
    client: ServiceClient, ids: list[str], moments: Iterator[datetime], *, find_triggers: bool
) -> BenchRow:
    n_calls = _CALLS_WITH_TRIGGERS if find_triggers else _CALLS
    taken: list[float] = []
    for n in range(n_calls + _WARM_UP):
        moment = next(moments)
        row = {"customer_id": ids[n % len(ids)], "at": moment.isoformat(), "kind": "login"}
        event = Event.model_validate({"table": "activity", "row": row})

        def post(event: Event = event, moment: datetime = moment) -> None:
            client.post([event], known_at=moment, find_triggers=find_triggers)

        taken.append(_micros(post))
    what = "with" if find_triggers else "without"
    return _row(f"POST /events of one event {what} triggers", taken[_WARM_UP:], limit=None)


def _load(store: Store, customer_id: str) -> Account:
    with store.reading() as session:
        generation = session.online.current_generation()
        number = 0 if generation is None else generation.number
        stored = session.online.find_states(number, [customer_id])
    return unpack_account(stored[customer_id])


def _login(customer_id: str, moment_us: int) -> dict[str, str | int | float | bool]:
    return {"customer_id": customer_id, "at": moment_us, "kind": "login"}


def _micros(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return 1e6 * (time.perf_counter() - began)


def _row(case: str, taken: list[float], *, limit: float | None) -> BenchRow:
    return BenchRow(
        case=case,
        metric="p50_us",
        ours=statistics.median(taken),
        low=None,
        high=None,
        reference=limit,
        reference_name=None if limit is None else "limit",
        unit="us",
        n=len(taken),
    )
