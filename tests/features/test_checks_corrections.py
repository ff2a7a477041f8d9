"""Rows that come again: corrections, moved rows, repeated events, and what is known when."""

from collections.abc import Callable
from datetime import UTC, datetime

import pandas as pd

from features.checks import Rule, check_tables
from features.declarations import Aggregate, Feature, FeatureSet
from features.point_in_time import build_features, make_spine
from features.tables import known_before

Frames = dict[str, pd.DataFrame]

AS_OF = pd.Timestamp("2024-03-01T00:00:00Z")
LATER = pd.Timestamp("2024-02-01T00:00:00Z")


def with_correction(frame: pd.DataFrame, row: int, **changes: object) -> pd.DataFrame:
    """The frame with one of its rows again, changed."""
    again = frame.iloc[[row]].assign(**changes)
    return pd.concat([frame, again], ignore_index=True)


def test_check_tables_takes_a_correction_that_says_when_it_became_known(
    clean_tables: Frames,
) -> None:
    orders = clean_tables["orders"]
    clean_tables["orders"] = with_correction(orders, 4, amount_cents=1, known_at=LATER)
    checked = check_tables(clean_tables, as_of=AS_OF)
    assert checked.violations == ()
    assert checked.notes == ()
    before = known_before(checked.tables, LATER)["orders"]
    after = known_before(checked.tables, LATER + pd.Timedelta(microseconds=1))["orders"]
    assert len(before) == len(after) == len(orders)
    assert before["amount_cents"][4] == orders["amount_cents"][4]
    assert set(after.loc[after["order_id"] == "o4", "amount_cents"]) == {1}


def test_check_tables_takes_a_known_at_before_the_row_itself(clean_tables: Frames) -> None:
    usage = clean_tables["usage"]
    early = pd.Timestamp("2023-06-01T00:00:00Z")
    clean_tables["usage"] = with_correction(usage, 4, used=1.0, known_at=early)
    assert check_tables(clean_tables, as_of=AS_OF).violations == ()


def test_check_tables_refuses_two_corrections_known_at_one_moment(clean_tables: Frames) -> None:
    once = with_correction(clean_tables["orders"], 4, amount_cents=1, known_at=LATER)
    clean_tables["orders"] = with_correction(once, 4, amount_cents=2, known_at=LATER)
    (violation,) = check_tables(clean_tables, as_of=AS_OF).violations
    assert (violation.column, violation.rule) == ("order_id", Rule.DUPLICATE_KEY)
    assert violation.expected == "one row for each order_id known at one moment"
    assert violation.examples == ("row 21: order_id=o4",)


def test_check_tables_refuses_a_correction_that_moves_a_row(clean_tables: Frames) -> None:
    clean_tables["orders"] = with_correction(
        clean_tables["orders"], 4, customer_id="c5", known_at=LATER
    )
    (violation,) = check_tables(clean_tables, as_of=AS_OF).violations
    assert (violation.column, violation.rule) == ("customer_id", Rule.MOVED_ROW)
    assert violation.examples == ("row 20 (order_id=o4): customer_id=c5",)


def test_check_tables_refuses_what_becomes_known_in_the_future(clean_tables: Frames) -> None:
    known_at = pd.Series([None] * 19 + [AS_OF + pd.Timedelta(days=9)], dtype="datetime64[us, UTC]")
    clean_tables["activity"] = clean_tables["activity"].assign(known_at=known_at)
    (violation,) = check_tables(clean_tables, as_of=AS_OF).violations
    assert (violation.column, violation.rule) == ("known_at", Rule.FUTURE_ROW)


def test_check_tables_counts_events_that_come_again(clean_tables: Frames) -> None:
    events = [f"e{n}" for n in range(20)]
    activity = clean_tables["activity"].assign(event_id=events)
    clean_tables["activity"] = with_correction(activity, 4, known_at=LATER)
    checked = check_tables(clean_tables, as_of=AS_OF)
    assert checked.violations == ()
    assert [str(note) for note in checked.notes] == [
        "activity: 1 row with the event_id of another, each event counts once"
    ]


def test_check_tables_refuses_an_event_that_changes(clean_tables: Frames) -> None:
    events = [f"e{n}" for n in range(20)]
    activity = clean_tables["activity"].assign(event_id=events)
    clean_tables["activity"] = with_correction(activity, 4, kind="login", item=None)
    (violation,) = check_tables(clean_tables, as_of=AS_OF).violations
    assert (violation.column, violation.rule) == ("event_id", Rule.CHANGED_EVENT)
    assert violation.examples == ("row 20 (customer_id=c4): event_id=e4",)


def test_check_tables_lets_null_event_ids_be(clean_tables: Frames) -> None:
    activity = clean_tables["activity"]
    clean_tables["activity"] = with_correction(activity, 4)
    assert check_tables(clean_tables, as_of=AS_OF).violations == ()


def test_build_features_sees_a_correction_from_when_it_is_known(
    make_table: Callable[..., pd.DataFrame],
) -> None:
    at, told = "2024-01-01T00:00:00+00:00", "2024-01-20T00:00:00+00:00"
    tables = {
        "customers": make_table("customers", {"customer_id": "ann"}),
        "orders": make_table(
            "orders",
            {"order_id": "o", "customer_id": "ann", "ordered_at": at, "amount_cents": 500},
            {
                "order_id": "o",
                "customer_id": "ann",
                "ordered_at": at,
                "amount_cents": 900,
                "known_at": told,
            },
        ),
    }
    assert check_tables(tables).violations == ()
    spent = Feature(
        name="spent",
        table="orders",
        aggregate=Aggregate.SUM,
        value="amount_cents",
        window_days=90,
        unit="cents",
        description="Money spent.",
    )
    spine = pd.concat(
        [
            make_spine(["ann"], as_of=datetime(2024, 1, 20, tzinfo=UTC)),
            make_spine(["ann"], as_of=datetime(2024, 1, 20, 0, 0, 0, 1, tzinfo=UTC)),
        ]
    )
    built = build_features(tables, spine, features=FeatureSet("test", (spent,)))
    assert built["spent"].to_list() == [500.0, 900.0]
