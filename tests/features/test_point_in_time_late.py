"""Rows that become known late, corrections and repeats: what holds at a moment, and nothing else.

The oracle is a second way: throw away what was not known, keep one row of each, and look at what is
left as if nothing had ever come late.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.churn import CHURN_FEATURES, churn_labels, eligible_customers
from features.contracts import CONTRACTS, EVENT_ID, KNOWN_AT
from features.declarations import FeatureSet, union_of
from features.engagement import ENGAGEMENT_FEATURES
from features.engines import DUCKDB
from features.point_in_time import (
    EveryCustomer,
    build,
    build_features,
    count_hours_of_week,
    facts,
    make_spine,
)
from features.point_in_time.relations import select_rows
from features.tables import find_known, known_before
from features.vocabulary import Outcome

AS_OF = datetime(2026, 3, 30, 9, 30, 15, 250, tzinfo=UTC)
DAY = timedelta(days=1)
TICK = timedelta(microseconds=1)
ALL = union_of("all", CHURN_FEATURES, ENGAGEMENT_FEATURES)
WITHOUT_HOURS = FeatureSet(
    "without hours", tuple(f for f in ALL.features if not f.name.startswith(("evening", "weekend")))
)
IDS = [f"c{n}" for n in range(17)]  # nobody is c16

Frames = dict[str, pd.DataFrame]
MakeTable = Callable[..., pd.DataFrame]


def draw_late(
    draw_history: Callable[..., Frames], make_late: Callable[..., Frames], seed: int
) -> Frames:
    late = make_late(draw_history(seed, around=AS_OF), seed, around=AS_OF)
    few = "m" + (late["outcomes"].index % 12).astype("str")  # so that one is opened time and again
    return late | {"outcomes": late["outcomes"].assign(message_id=few)}


def forget_lateness(tables: Frames) -> Frames:
    """The same rows, as if each had been known at its own moment."""
    return {
        name: frame.assign(**{c: None for c in (KNOWN_AT, EVENT_ID) if c in frame}).astype(
            frame.dtypes
        )
        for name, frame in tables.items()
    }


def find_differences(late: Frames) -> set[str]:
    """Features for which the whole history and what was known of it say different things."""
    spine = make_spine(IDS, as_of=AS_OF)
    plain = forget_lateness(known_before(late, pd.Timestamp(AS_OF)))
    found = build_features(late, spine, features=WITHOUT_HOURS)
    expected = build_features(plain, spine, features=WITHOUT_HOURS)
    return {n for n in WITHOUT_HOURS.names if not found[n].equals(expected[n])}


@settings(max_examples=4, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32 - 1))
def test_build_features_agrees_with_what_was_known_of_late_rows(
    draw_history: Callable[..., Frames], make_late: Callable[..., Frames], seed: int
) -> None:
    assert find_differences(draw_late(draw_history, make_late, seed)) == set()


def test_late_histories_have_every_kind_of_lateness(
    draw_history: Callable[..., Frames], make_late: Callable[..., Frames]
) -> None:
    afterwards, beforehand, again, corrected = set(), set(), set(), set()
    for seed in range(4):
        for name, frame in draw_late(draw_history, make_late, seed).items():
            contract = CONTRACTS[name]
            if KNOWN_AT not in frame:
                continue
            moments, known = frame[contract.moment], find_known(frame, contract)
            seen = frame.loc[known < AS_OF]
            holding = known_before({name: frame}, pd.Timestamp(AS_OF))[name]
            afterwards |= {name} if ((moments < AS_OF) & (known >= AS_OF)).any() else set()
            beforehand |= {name} if (frame[KNOWN_AT] < moments).any() else set()
            again |= {name} if len(holding) < len(seen) else set()
            corrected |= {name} if (holding[KNOWN_AT] > holding[contract.moment]).any() else set()
    dated = set(CONTRACTS) - {"vendors", "messages"}
    assert afterwards == beforehand == corrected == dated
    assert again == dated - {"outcomes"}


MUTANTS = {
    "inclusive knowledge": (build, "compile_features", "e.k < s.c", "e.k <= s.c"),
    "known when it happened": (build, "compile_features", "e.k < s.c", "e.t < s.c"),
    "replaced too late": (build, "compile_features", "e.x >= s.c", "e.x > s.c - 1000000"),
    "never replaced": (build, "compile_features", "(e.x IS NULL OR e.x >= s.c)", "1 = 1"),
    "known_at ignored": (facts, "select_rows", "COALESCE(b.known_at, b.", "COALESCE(b.t_, b."),
    "known before it happened": (facts, "select_rows", "GREATEST(b.", "COALESCE(b.known_at, b."),
    "first version holds": (facts, "select_rows", "ORDER BY n.k,", "ORDER BY n.k DESC,"),
    "repeats count": (facts, "select_rows", "n.place = 1", "n.place >= 1"),
    "earlier outcome never counts": (facts, "select_rows", "OR e.t < e.earlier", ""),
    "every outcome counts": (facts, "select_rows", "OR e.t < e.earlier", "OR 1 = 1"),
}


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_wrong_rule_for_late_rows_is_caught(
    draw_history: Callable[..., Frames],
    make_late: Callable[..., Frames],
    monkeypatch: pytest.MonkeyPatch,
    mutant: str,
) -> None:
    module, function, right, wrong = MUTANTS[mutant]
    original, n_changed = getattr(module, function), 0

    def mutate(*args: object, **kwargs: object) -> str:
        nonlocal n_changed
        text = original(*args, **kwargs)
        n_changed += right in text
        changed = text.replace(right, wrong)
        return changed.replace("b.t_", "NULL") if "b.t_" in changed else changed

    monkeypatch.setattr(module, function, mutate)
    seeds = (1, 2, 3)
    assert any(find_differences(draw_late(draw_history, make_late, seed)) for seed in seeds)
    assert n_changed


@settings(max_examples=3, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32 - 1))
def test_what_becomes_known_later_changes_nothing(
    draw_history: Callable[..., Frames], make_late: Callable[..., Frames], seed: int
) -> None:
    late = draw_late(draw_history, make_late, seed)
    known = {
        name: frame.loc[find_known(frame, CONTRACTS[name]) < AS_OF] for name, frame in late.items()
    }
    spine = make_spine(IDS, as_of=AS_OF)
    then, now = (build_features(tables, spine, features=ALL) for tables in (known, late))
    pd.testing.assert_frame_equal(then, now)
    hours_then, hours_now = (count_hours_of_week(tables, spine) for tables in (known, late))
    assert np.array_equal(hours_then, hours_now)
    assert eligible_customers(known, as_of=AS_OF).equals(eligible_customers(late, as_of=AS_OF))


def test_moments_of_one_query_each_see_what_was_known_by_then(
    draw_history: Callable[..., Frames], make_late: Callable[..., Frames]
) -> None:
    late = draw_late(draw_history, make_late, 3)
    moments = [AS_OF - 7 * DAY, AS_OF, AS_OF + TICK, AS_OF + 3 * DAY]
    parts = [make_spine(IDS, as_of=at) for at in moments]
    together = build_features(late, pd.concat(parts, ignore_index=True), features=ALL)
    apart = [build_features(late, part, features=ALL) for part in parts]
    pd.testing.assert_frame_equal(together, pd.concat(apart, ignore_index=True))


def count(make_table: MakeTable, table: str, *rows: dict[str, object], feature: str) -> list[float]:
    """The feature a tick before, at and a tick after AS_OF + 1 day."""
    spine = pd.concat(
        [make_spine(["a"], as_of=AS_OF + DAY + tick) for tick in (-TICK, 0 * TICK, TICK)]
    )
    tables = {
        "customers": make_table("customers", {"customer_id": "a"}),
        table: make_table(table, *rows),
    }
    return build_features(tables, spine, features=ALL)[feature].to_list()


def test_a_late_row_counts_in_its_own_window_from_when_it_is_known(make_table: MakeTable) -> None:
    row = {"customer_id": "a", "at": AS_OF, "known_at": AS_OF + DAY}
    assert count(make_table, "activity", row, feature="activity_7d") == [0.0, 0.0, 1.0]
    old = {"customer_id": "a", "at": AS_OF - 20 * DAY, "known_at": AS_OF + DAY}
    assert count(make_table, "activity", old, feature="activity_7d") == [0.0, 0.0, 0.0]
    assert count(make_table, "activity", old, feature="activity_30d") == [0.0, 0.0, 1.0]


def test_a_row_told_of_beforehand_counts_when_it_happens(make_table: MakeTable) -> None:
    row = {"customer_id": "a", "at": AS_OF + DAY, "known_at": AS_OF - DAY}
    assert count(make_table, "activity", row, feature="activity_7d") == [0.0, 0.0, 1.0]


def test_a_correction_holds_from_when_it_is_known(make_table: MakeTable) -> None:
    order = {"order_id": "o", "customer_id": "a", "ordered_at": AS_OF, "amount_cents": 500}
    corrected = {**order, "amount_cents": 70, "known_at": AS_OF + DAY}
    found = count(make_table, "orders", order, corrected, feature="order_cents_30d")
    assert found == [500.0, 500.0, 70.0]
    assert count(make_table, "orders", corrected, order, feature="orders_30d") == [1.0, 1.0, 1.0]


def test_a_correction_may_be_known_before_the_first_version(make_table: MakeTable) -> None:
    order = {"order_id": "o", "customer_id": "a", "ordered_at": AS_OF, "amount_cents": 500}
    first = {**order, "known_at": AS_OF + DAY}
    early = {**order, "amount_cents": 70, "known_at": AS_OF + DAY - 2 * TICK}
    found = count(make_table, "orders", first, early, feature="order_cents_30d")
    assert found == [70.0, 70.0, 500.0]


def test_the_same_event_again_counts_once(make_table: MakeTable) -> None:
    event = {"customer_id": "a", "at": AS_OF, "event_id": "e"}
    again = {**event, "known_at": AS_OF + DAY}
    other = {**event, "event_id": None}
    found = count(make_table, "activity", again, event, other, other, feature="activity_7d")
    assert found == [3.0, 3.0, 3.0]


def test_an_earlier_open_known_later_takes_the_place_of_the_first(make_table: MakeTable) -> None:
    sent = {"message_id": "m", "customer_id": "a", "sent_at": AS_OF - 20 * DAY}
    seen = {"message_id": "m", "outcome": Outcome.OPENED, "at": AS_OF - DAY}
    earlier = {**seen, "at": AS_OF - 10 * DAY, "known_at": AS_OF}
    tables = {
        "messages": make_table("messages", sent),
        "outcomes": make_table("outcomes", seen, earlier),
    }
    spine = pd.concat([make_spine(["a"], as_of=at) for at in (AS_OF, AS_OF + TICK)])
    built = build_features(tables, spine, features=ENGAGEMENT_FEATURES)
    assert built["opened_7d"].to_list() == [1.0, 0.0]
    assert built["opened_30d"].to_list() == [1.0, 1.0]


def test_hours_are_read_in_the_zone_known_when_the_event_became_known(
    make_table: MakeTable,
) -> None:
    monday = datetime(2026, 3, 23, tzinfo=UTC)
    customer = {"customer_id": "a", "signed_up_at": monday, "timezone": "UTC"}
    moved = {**customer, "timezone": "Asia/Almaty", "known_at": monday + 2 * DAY}
    events = (
        {"at": monday + timedelta(hours=1)},  # in UTC
        {"at": monday + timedelta(hours=2), "known_at": monday + 2 * DAY},  # told of in Almaty
        {"at": monday + 2 * DAY - TICK},
        {"at": monday + 2 * DAY},
        {"at": monday - TICK},  # nobody knew a zone
        {"at": monday - TICK, "known_at": monday},
    )
    tables = {
        "customers": make_table("customers", customer, moved),
        "activity": make_table("activity", *({"customer_id": "a", **event} for event in events)),
    }
    hours = count_hours_of_week(tables, make_spine(["a"], as_of=AS_OF))[0]
    assert np.flatnonzero(hours).tolist() == [1, 7, 47, 53, 167]
    built = build_features(tables, make_spine(["a"], as_of=AS_OF), features=ALL).iloc[0]
    assert (built["evening_activity_90d"], built["weekend_activity_90d"]) == (2.0, 1.0)
    assert built["activity_90d"] == 6.0


def test_labels_see_what_was_known_at_the_end_of_the_horizon(make_table: MakeTable) -> None:
    begins = AS_OF - 30 * DAY
    status = {"customer_id": "a", "valid_from": begins - DAY, "status": "active"}
    wrong = {**status, "status": "canceled", "known_at": AS_OF}
    tables = {
        "customers": make_table("customers", {"customer_id": "a"}),
        "subscriptions": make_table("subscriptions", status, wrong),
    }
    spine = pd.concat([make_spine(["a"], as_of=at) for at in (begins, begins + TICK)])
    labels = churn_labels(tables, spine, known_until=AS_OF + DAY)
    assert labels.to_list() == [False, True]


def test_every_customer_is_whoever_was_known_before(make_table: MakeTable) -> None:
    rows = (
        {"customer_id": "b", "signed_up_at": AS_OF - TICK},
        {"customer_id": "a", "signed_up_at": AS_OF - DAY},
        {"customer_id": "a", "signed_up_at": AS_OF - DAY, "known_at": AS_OF - TICK},
        {"customer_id": "c", "signed_up_at": AS_OF},
        {"customer_id": "d", "signed_up_at": AS_OF - DAY, "known_at": AS_OF},
    )
    tables = {"customers": make_table("customers", *rows)}
    built = build_features(tables, EveryCustomer(AS_OF), features=ALL)
    assert built["customer_id"].to_list() == ["a", "b"]
    assert set(built["as_of"]) == {pd.Timestamp(AS_OF)}
    assert built["tenure_days"].notna().all()


@pytest.mark.parametrize("name", sorted(set(CONTRACTS) - {"vendors", "messages"}))
def test_rows_without_lateness_read_the_same_either_way(
    draw_history: Callable[..., Frames], name: str
) -> None:
    tables = draw_history(2, around=AS_OF)
    names = {name, "messages"}
    with DUCKDB.open(tables, names=names) as relations:
        quick, careful = (
            relations.query(f"SELECT * FROM ({select_rows(name, late=late)}) ORDER BY ALL")
            for late in (False, True)
        )
    pd.testing.assert_frame_equal(quick, careful[quick.columns], check_dtype=False)
