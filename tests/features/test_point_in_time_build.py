"""What the builder promises beyond its numbers: rows, nulls, edges, refusals."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from features.churn import CHURN_FEATURES
from features.conditions import one_of
from features.declarations import Aggregate, Combination, Derived, Feature, FeatureSet, union_of
from features.engagement import ENGAGEMENT_FEATURES
from features.errors import BadInputError
from features.point_in_time import build_features, make_spine
from features.tables import empty_table

AS_OF = datetime(2026, 3, 30, 9, 30, 15, 250, tzinfo=UTC)
DAY = timedelta(days=1)
TICK = timedelta(microseconds=1)
ALL = union_of("all", CHURN_FEATURES, ENGAGEMENT_FEATURES)

MakeTable = Callable[..., pd.DataFrame]


def test_build_features_keeps_rows_order_and_index_of_the_spine(make_table: MakeTable) -> None:
    at = [AS_OF - 3 * DAY, AS_OF - 2 * DAY]
    activity = make_table("activity", *({"customer_id": "a", "at": t, "kind": "login"} for t in at))
    spine = pd.concat(
        [make_spine(["b", "a"], as_of=AS_OF), make_spine(["a", "a"], as_of=AS_OF - 2 * DAY)]
    ).set_axis([7, 3, 5, 9])
    built = build_features({"activity": activity}, spine, features=CHURN_FEATURES)
    assert list(built.columns) == ["customer_id", "as_of", *CHURN_FEATURES.names]
    pd.testing.assert_frame_equal(built[["customer_id", "as_of"]], spine)
    assert built["logins_7d"].to_list() == [0.0, 2.0, 1.0, 1.0]
    assert set(built[list(CHURN_FEATURES.names)].dtypes) == {np.dtype("float64")}


def test_build_features_of_an_empty_spine_is_empty(make_table: MakeTable) -> None:
    built = build_features(
        {"activity": empty_table("activity")}, make_spine([], as_of=AS_OF), features=CHURN_FEATURES
    )
    assert built.shape == (0, 2 + len(CHURN_FEATURES.names))


def test_features_of_absent_tables_are_null_and_of_empty_ones_zero() -> None:
    spine = make_spine(["a"], as_of=AS_OF)
    absent = build_features({}, spine, features=ALL)
    assert absent[list(ALL.names)].isna().all(axis=None)
    empty = build_features({"tickets": empty_table("tickets")}, spine, features=ALL).iloc[0]
    assert (empty["tickets_30d"], empty["tickets_open"]) == (0.0, 0.0)
    assert pd.isna(empty["oldest_open_ticket_days"])
    assert pd.isna(empty["orders_30d"])


def test_outcomes_without_messages_are_null(make_table: MakeTable) -> None:
    outcomes = make_table("outcomes", {"message_id": "m", "at": AS_OF - DAY})
    built = build_features({"outcomes": outcomes}, make_spine(["a"], as_of=AS_OF), features=ALL)
    assert pd.isna(built.loc[0, "opened_30d"])


def test_a_message_opened_twice_counts_once(make_table: MakeTable) -> None:
    tables = {
        "messages": make_table(
            "messages", {"message_id": "m", "customer_id": "a", "sent_at": AS_OF - 9 * DAY}
        ),
        "outcomes": make_table(
            "outcomes",
            {"message_id": "m", "at": AS_OF - 9 * DAY, "machine": True},
            {"message_id": "m", "at": AS_OF - 8 * DAY},
            {"message_id": "m", "at": AS_OF - 2 * DAY},
        ),
    }
    built = build_features(tables, make_spine(["a"], as_of=AS_OF), features=ENGAGEMENT_FEATURES)
    row = built.iloc[0]
    assert (row["email_opened_30d"], row["opened_30d"], row["opened_7d"]) == (1.0, 1.0, 0.0)
    assert row["days_since_last_opened"] == 8.0


def test_a_share_is_never_above_one(make_table: MakeTable) -> None:
    sent = [95, 94, 9]
    messages = (
        {"message_id": f"m{days}", "customer_id": "a", "sent_at": AS_OF - days * DAY}
        for days in sent
    )
    opens = ({"message_id": f"m{days}", "at": AS_OF - 80 * DAY} for days in sent[:2])
    tables = {
        "messages": make_table("messages", *messages),
        "outcomes": make_table("outcomes", *opens),
    }
    built = build_features(tables, make_spine(["a"], as_of=AS_OF), features=ENGAGEMENT_FEATURES)
    row = built.iloc[0]
    assert (row["opened_90d"], row["messages_90d"], row["opened_share_90d"]) == (2.0, 1.0, 1.0)


def test_sums_do_not_depend_on_the_order_of_rows(make_table: MakeTable) -> None:
    rng = np.random.default_rng(5)
    rows = [
        {"customer_id": "a", "at": AS_OF - DAY, "kind": "session", "value": value}
        for value in rng.lognormal(0.0, 3.0, 500)
    ]
    spine = make_spine(["a"], as_of=AS_OF)
    means = {
        build_features(
            {"activity": make_table("activity", *(rows[n] for n in rng.permutation(500)))},
            spine,
            features=CHURN_FEATURES,
        ).loc[0, "session_minutes_30d"]
        for _ in range(3)
    }
    assert len(means) == 1


@pytest.mark.parametrize("value", [np.inf, 1e300])
def test_build_features_refuses_numbers_it_cannot_add(make_table: MakeTable, value: float) -> None:
    row = {"customer_id": "a", "at": AS_OF - DAY, "kind": "session", "value": value}
    with pytest.raises(BadInputError, match="features churn: a number is not finite or beyond"):
        build_features(
            {"activity": make_table("activity", row)},
            make_spine(["a"], as_of=AS_OF),
            features=CHURN_FEATURES,
        )


def test_a_moment_before_1970_has_its_own_midnight(make_table: MakeTable) -> None:
    at = datetime(1969, 7, 20, 20, 17, tzinfo=UTC)
    edge = datetime(1969, 7, 13, tzinfo=UTC)
    rows = [{"customer_id": "a", "at": moment} for moment in (edge, edge - TICK)]
    built = build_features(
        {"activity": make_table("activity", *rows)},
        make_spine(["a"], as_of=at),
        features=CHURN_FEATURES,
    )
    assert built.loc[0, "activity_7d"] == 1.0


def draw_slope(make_table: MakeTable, *rows: dict[str, object], **change: object) -> float:
    """The slope of three weeks of activity up to AS_OF."""
    slope = Feature(
        name="slope",
        table="activity",
        aggregate=Aggregate.SLOPE,
        window_days=21,
        bucket_days=7,
        unit="events a week, per week",
        description="Slope.",
    )
    tables = {"activity": make_table("activity", *({"customer_id": "a", **row} for row in rows))}
    features = FeatureSet("tiny", (replace(slope, **change),))
    built = build_features(tables, make_spine(["a"], as_of=AS_OF), features=features)
    return float(built.loc[0, "slope"])


def test_a_slope_is_the_change_from_bucket_to_bucket(make_table: MakeTable) -> None:
    midnight = AS_OF.replace(hour=0, minute=0, second=0, microsecond=0)
    oldest, newest = {"at": midnight - 21 * DAY}, {"at": midnight - TICK}
    outside = ({"at": midnight - 21 * DAY - TICK}, {"at": midnight}, {"at": AS_OF - TICK})
    assert draw_slope(make_table) == 0.0
    assert draw_slope(make_table, *outside) == 0.0
    assert draw_slope(make_table, oldest, *outside) == -0.5
    assert draw_slope(make_table, newest, newest, *outside) == 1.0
    assert draw_slope(make_table, {"at": midnight - 7 * DAY}) == 0.5
    assert draw_slope(make_table, {"at": midnight - 7 * DAY - TICK}) == 0.0


def test_a_slope_of_a_number_is_that_of_its_sums(make_table: MakeTable) -> None:
    at = AS_OF - 5 * DAY
    rows = ({"at": at, "value": 0.25}, {"at": at, "value": 0.5}, {"at": at, "value": None})
    assert draw_slope(make_table, *rows, value="value") == 0.375
    moved = tuple({**row, "at": at - 3 * DAY} for row in rows)
    assert draw_slope(make_table, *moved, value="value", ends_days_ago=3) == 0.375


def test_a_ratio_over_zero_is_null_and_a_scale_is_exact(make_table: MakeTable) -> None:
    count = Feature(
        name="visits",
        table="activity",
        aggregate=Aggregate.COUNT,
        unit="visits",
        description="Visits.",
    )
    never = Feature(
        name="never",
        table="activity",
        aggregate=Aggregate.COUNT,
        where=(one_of("kind", "never"),),
        unit="visits",
        description="None.",
    )
    parts = {"unit": "x", "null_means": "x", "description": "x", "scale": 1 / 3}
    ratio = Derived(
        name="ratio", combination=Combination.RATIO, left="visits", right="never", **parts
    )
    difference = Derived(
        name="less", combination=Combination.DIFFERENCE, left="visits", right="never", **parts
    )
    built = build_features(
        {"activity": make_table("activity", {"customer_id": "a", "at": AS_OF - DAY})},
        make_spine(["a"], as_of=AS_OF),
        features=FeatureSet("tiny", (count, never, ratio, difference)),
    )
    assert pd.isna(built.loc[0, "ratio"])
    assert built.loc[0, "less"] == 1 / 3


def test_make_spine_keeps_order_and_repeats() -> None:
    spine = make_spine(["b", "a", "b"], as_of=AS_OF)
    assert spine["customer_id"].to_list() == ["b", "a", "b"]
    assert dict(spine.dtypes.astype("str")) == {
        "customer_id": "str",
        "as_of": "datetime64[us, UTC]",
    }
    assert set(spine["as_of"]) == {pd.Timestamp(AS_OF)}


def test_make_spine_refuses_a_naive_moment() -> None:
    with pytest.raises(BadInputError, match="no time zone"):
        make_spine(["a"], as_of=AS_OF.replace(tzinfo=None))


@pytest.mark.parametrize(
    ("spine", "message"),
    [
        (pd.DataFrame({"customer_id": ["a"]}), "no column as_of"),
        (
            pd.DataFrame({"customer_id": ["a"], "as_of": [datetime(2026, 1, 1)]}),
            r"holds datetime64\[us\]",
        ),
        (
            pd.DataFrame({"customer_id": ["a", None], "as_of": [AS_OF, AS_OF]}),
            "customer_id is null in row 1",
        ),
    ],
)
def test_build_features_refuses_what_is_no_spine(spine: pd.DataFrame, message: str) -> None:
    with pytest.raises(BadInputError, match=message):
        build_features({}, spine, features=CHURN_FEATURES)
