"""Skew is found and named; without it there is none."""

from collections.abc import Callable
from datetime import timedelta

import pandas as pd
import pytest

from features.tables import Tables
from features.vocabulary import Trigger
from serving.decide import Engine
from serving.online.desk import EventDesk
from serving.online.parity import FeatureParity, ParityReport, compare_served
from serving.online.rebuild import rebuild_online
from serving.online.records import Event, EventReport
from serving.records import DecisionRequest
from serving.snapshot.state import Snapshot
from serving.store.store import Store

EngineMaker = Callable[[Snapshot], Engine]
EventMaker = Callable[..., Event]

HOUR = timedelta(hours=1)


def compare(store: Store, tables: Tables) -> ParityReport:
    with store.reading() as session:
        return compare_served(session.online.read_served(since_us=0, until_us=2**62), tables)


def decide(engine: Engine, *customer_ids: str, hours: int) -> None:
    at = engine.snapshot.as_of + hours * HOUR
    engine.decide_many(
        [
            DecisionRequest(customer_id=i, trigger=Trigger.ABANDONED_CART, decided_at=at)
            for i in customer_ids
        ]
    )


def post(store: Store, snapshot: Snapshot, *events: Event, hours: int) -> None:
    at = snapshot.as_of + hours * HOUR
    report = EventReport(events=list(events), known_at=at, find_triggers=False)
    EventDesk(store, takes_callers_time=True).take(report, snapshot, now=at)


def with_row(tables: Tables, name: str, **row: object) -> Tables:
    more = pd.DataFrame([row]).astype({k: tables[name][k].dtype for k in row})
    return {**tables, name: pd.concat([tables[name], more], ignore_index=True)}


def named(report: ParityReport) -> dict[str, FeatureParity]:
    return {feature.feature: feature for feature in report.skewed}


def test_compare_finds_no_difference_where_there_is_none(
    store: Store,
    tables: Tables,
    snapshot: Snapshot,
    engine_of: EngineMaker,
    event: EventMaker,
) -> None:
    """Half of the customers from the snapshot, then all from states, then after news."""
    engine = engine_of(snapshot)
    ids = snapshot.customers.profile["customer_id"].tolist()
    decide(engine, *ids[:30], hours=1)
    rebuild_online(store, tables, as_of=snapshot.as_of)
    decide(engine, *ids, hours=2)
    at = snapshot.as_of + 3 * HOUR
    row = {"customer_id": "c003", "at": at, "kind": "purchase", "value": 70.0}
    post(store, snapshot, event("activity", **row), hours=4)
    decide(engine, *ids, hours=5)
    known_at = snapshot.as_of + 4 * HOUR

    report = compare(store, with_row(tables, "activity", **row, known_at=known_at))

    assert report.skewed == ()
    assert report.n_decisions > 120
    assert report.n_other_features == 0
    assert {f.n_compared for f in report.features} == {report.n_decisions}


def test_compare_finds_a_state_that_dropped_a_late_fact(
    store: Store, tables: Tables, snapshot: Snapshot, engine_of: EngineMaker, event: EventMaker
) -> None:
    """The log has it and the tables too; only the state that was served from does not."""
    rebuild_online(store, tables, as_of=snapshot.as_of)
    with store.reading() as session:
        generation = session.online.current_generation()
        assert generation is not None
        before = session.online.find_states(generation.number, ["c003"])
    late = snapshot.as_of - 20 * HOUR
    row = {"customer_id": "c003", "at": late, "kind": "purchase", "value": 70.0}
    post(store, snapshot, event("activity", **row), hours=4)
    with store.transaction() as session:
        session.online.put_states(generation.number, before.values())
    decide(engine_of(snapshot), "c003", "c004", hours=5)
    known_at = snapshot.as_of + 4 * HOUR

    found = named(compare(store, with_row(tables, "activity", **row, known_at=known_at)))

    purchases = found["purchases_7d"]
    assert (purchases.n_compared, purchases.n_differing, purchases.largest) == (2, 1, 1.0)
    example = purchases.examples[0]
    assert (example.customer_id, example.as_of) == ("c003", snapshot.as_of + 5 * HOUR)
    assert example.served is not None
    assert example.rebuilt == example.served + 1


def test_compare_finds_rows_that_were_changed_without_saying_when(
    store: Store, tables: Tables, snapshot: Snapshot, engine_of: EngineMaker
) -> None:
    rebuild_online(store, tables, as_of=snapshot.as_of)
    decide(engine_of(snapshot), "c002", "c004", hours=1)
    orders = tables["orders"]
    dearer = orders.assign(
        amount_cents=orders["amount_cents"].where(orders["customer_id"] != "c004", 9999)
    )
    moved = tables["customers"].assign(timezone="Europe/Lisbon")

    amounts = named(compare(store, {**tables, "orders": dearer}))
    hours = named(compare(store, {**tables, "customers": moved}))

    assert amounts
    assert all(feature.startswith("order") for feature in amounts)
    assert {e.customer_id for f in amounts.values() for e in f.examples} == {"c004"}
    presence = [feature for feature in hours.values() if feature.set_name == "presence"]
    assert {e.customer_id for f in presence for e in f.examples} == {"c002", "c004"}


def test_compare_says_when_one_side_is_null(
    store: Store, tables: Tables, snapshot: Snapshot, engine_of: EngineMaker
) -> None:
    rebuild_online(store, tables, as_of=snapshot.as_of)
    decide(engine_of(snapshot), "c002", hours=1)

    found = named(compare(store, {k: v for k, v in tables.items() if k != "orders"}))

    count = found["orders_90d"]
    assert count.largest == float("inf")
    assert (count.examples[0].served, count.examples[0].rebuilt) == (1.0, None)


def test_compare_leaves_out_what_other_declarations_made(
    store: Store,
    tables: Tables,
    snapshot: Snapshot,
    engine_of: EngineMaker,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    decide(engine_of(snapshot), "c002", "c003", hours=1)
    monkeypatch.setattr("serving.online.parity.running_features", lambda: "of tomorrow")

    report = compare(store, tables)

    assert (report.n_decisions, report.n_other_features, report.features) == (0, 2, ())
