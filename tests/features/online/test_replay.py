"""States made from tables at once are those that facts would have made one by one."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from features.churn import CHURN_FEATURES
from features.engagement import ENGAGEMENT_FEATURES
from features.online import CustomerState, Layout, compile_layout, read_facts, replay
from features.point_in_time.spine import to_micros
from features.tables import Tables

MakeTable = Callable[..., pd.DataFrame]

BEFORE = datetime(2026, 3, 30, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def by_customer(tables: Tables, layout: Layout) -> dict[str, CustomerState]:
    return {state.customer_id: state for state in replay(tables, layout=layout, before=BEFORE)}


def number(state: CustomerState, name: str, *, at: datetime) -> float:
    features = CHURN_FEATURES if name in CHURN_FEATURES.names else ENGAGEMENT_FEATURES
    return float(state.features(to_micros(at), features)[features.names.index(name)])


def test_rows_may_stand_in_any_order_and_under_any_index(
    draw_tables: Callable[..., Tables], layout: Layout
) -> None:
    tables = draw_tables(20, seed=4)
    shuffled = {
        name: frame.sample(frac=1.0, random_state=1).set_axis(np.arange(len(frame)) // 2)
        for name, frame in tables.items()
    }
    states, again = by_customer(tables, layout), by_customer(shuffled, layout)
    assert list(states) == sorted(states) == list(again)
    at = to_micros(BEFORE)
    for customer_id, state in states.items():
        for features in (CHURN_FEATURES, ENGAGEMENT_FEATURES):
            there = again[customer_id].features(at, features)
            np.testing.assert_array_equal(state.features(at, features), there)
        np.testing.assert_array_equal(state.hours(at), again[customer_id].hours(at))


def test_an_order_that_moves_leaves_its_first_customer(
    make_table: MakeTable, layout: Layout
) -> None:
    placed = {"order_id": "o", "customer_id": "a", "ordered_at": BEFORE - 5 * HOUR}
    moved = {**placed, "customer_id": "b", "known_at": BEFORE - HOUR}
    later = {
        **moved,
        "customer_id": "c",
        "ordered_at": BEFORE + HOUR,
        "known_at": BEFORE - HOUR / 2,
    }
    tables = {"orders": make_table("orders", placed, moved, later)}
    states = by_customer(tables, layout)
    assert [number(states[who], "orders_30d", at=BEFORE) for who in "abc"[1:]] == [1.0, 0.0]
    then = BEFORE + 2 * HOUR  # the last version, told already, is known by then
    assert [number(states[who], "orders_30d", at=then) for who in "bc"] == [0.0, 1.0]


def test_what_was_told_and_is_not_known_waits(make_table: MakeTable, layout: Layout) -> None:
    sent = {"message_id": "m", "customer_id": "a", "sent_at": BEFORE + HOUR, "channel": "push"}
    tables = {
        "messages": make_table("messages", sent),
        "outcomes": make_table("outcomes", {"message_id": "m", "at": BEFORE - HOUR}),
        "activity": make_table(
            "activity",
            {"customer_id": "a", "at": BEFORE + HOUR, "kind": "login", "known_at": BEFORE - HOUR},
            {"customer_id": "a", "at": BEFORE - HOUR, "kind": "login", "known_at": BEFORE + HOUR},
        ),
    }
    state = by_customer(tables, layout)["a"]
    assert {fact.table for fact in state.waiting} == {"outcomes", "activity"}
    assert number(state, "logins_7d", at=BEFORE + 2 * HOUR) == 1.0
    for owned in read_facts(tables, layout=layout):
        if owned.fact.told_us >= to_micros(BEFORE):
            state.apply(owned.fact)
    assert number(state, "logins_7d", at=BEFORE + 2 * HOUR) == 2.0
    assert number(state, "opened_7d", at=BEFORE + 2 * HOUR) == 1.0


def test_tables_may_be_missing_or_empty(make_table: MakeTable, layout: Layout) -> None:
    assert by_customer({}, layout) == {}
    assert by_customer({"activity": make_table("activity")}, layout) == {}
    outcomes = make_table("outcomes", {"message_id": "m", "at": BEFORE - HOUR})
    assert by_customer({"outcomes": outcomes}, layout) == {}
    activity = make_table("activity", {"customer_id": "a", "at": BEFORE - HOUR, "kind": "login"})
    state = by_customer({"activity": activity}, layout)["a"]
    assert number(state, "logins_7d", at=BEFORE) == 1.0
    assert not state.hours(to_micros(BEFORE)).any()  # nobody knows the zone


def test_a_replayed_state_takes_no_fact_of_before(make_table: MakeTable) -> None:
    layout = compile_layout((CHURN_FEATURES,), histogram=None)
    tables = {"customers": make_table("customers", {"customer_id": "a"})}
    state = by_customer(tables, layout)["a"]
    assert state.known_us == to_micros(BEFORE)
    assert number(state, "tenure_days", at=BEFORE) == pytest.approx(2280.5)
