"""A feature is one entry, and what is wrong with an entry is said in words."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from features.catalogue import describe_features
from features.churn import CHURN_FEATURES
from features.conditions import (
    EVENING,
    WEEKEND,
    Condition,
    in_week_hours,
    is_true,
    not_yet,
    one_of,
    passed,
)
from features.declarations import (
    Aggregate,
    Combination,
    Derived,
    Feature,
    FeatureSet,
    over_windows,
    share_of,
    union_of,
)
from features.engagement import ENGAGEMENT_FEATURES
from features.errors import BadInputError
from features.frames import feature_schema, take_matrix
from features.histograms import HourHistogram, HourSource
from features.online.layout import compile_layout
from features.point_in_time import build_features, make_spine

AS_OF = datetime(2026, 3, 10, 12, 30, tzinfo=UTC)

VISITS = Feature(
    name="cinema_visits",
    table="activity",
    aggregate=Aggregate.COUNT,
    where=(one_of("kind", "cinema"),),
    window_days=14,
    unit="visits",
    description="Visits to the cinema.",
)
SLOPE = replace(VISITS, aggregate=Aggregate.SLOPE, window_days=28, bucket_days=7)
SHARE = Derived(
    name="cinema_share",
    combination=Combination.RATIO,
    left="cinema_visits",
    right="activity_30d",
    unit="share",
    null_means="nothing in 30 days",
    description="Cinema in all activity.",
)


def test_one_more_entry_shows_up_everywhere(make_table: Callable[..., pd.DataFrame]) -> None:
    longer = FeatureSet("churn", (*CHURN_FEATURES.features, VISITS, SHARE))
    rows = [
        {"customer_id": "a", "at": AS_OF - timedelta(days=days), "kind": kind}
        for days, kind in ((1, "cinema"), (14, "cinema"), (15, "cinema"), (2, "login"))
    ]
    tables = {"activity": make_table("activity", *rows)}
    built = build_features(tables, make_spine(["a"], as_of=AS_OF), features=longer)
    assert list(built.columns[-2:]) == ["cinema_visits", "cinema_share"]
    assert (built.loc[0, "cinema_visits"], built.loc[0, "cinema_share"]) == (2.0, 0.5)
    assert longer.digest != CHURN_FEATURES.digest
    assert "| `cinema_visits` | visits | Visits to the cinema. |" in describe_features(longer)
    assert list(feature_schema(longer).columns)[-2:] == ["cinema_visits", "cinema_share"]
    assert take_matrix(built, features=longer)[0, -2:].tolist() == [2.0, 0.5]
    shorter, layout = (compile_layout([s], histogram=None) for s in (CHURN_FEATURES, longer))
    assert shorter.digest != layout.digest
    with pytest.raises(BadInputError, match=r"frame of features churn: .*cinema_visits"):
        take_matrix(built, features=CHURN_FEATURES)


def test_digest_is_the_same_in_every_process() -> None:
    assert FeatureSet("tiny", (VISITS,)).digest == "64df81324db2beca"


@pytest.mark.parametrize(
    "other",
    [
        replace(VISITS, name="cinema"),
        replace(VISITS, aggregate=Aggregate.DAYS_SINCE_LAST),
        replace(VISITS, where=(one_of("kind", "theatre"),)),
        replace(VISITS, where=()),
        replace(VISITS, window_days=15),
        replace(VISITS, window_days=None),
        replace(VISITS, ends_days_ago=1),
        replace(VISITS, table="tickets", where=()),
        replace(VISITS, where=(EVENING,)),
        SLOPE,
        replace(SLOPE, bucket_days=14),
        replace(SLOPE, value="value"),
    ],
)
def test_digest_changes_with_what_decides_the_number(other: Feature) -> None:
    assert FeatureSet("x", (other,)).digest != FeatureSet("x", (VISITS,)).digest


def test_digest_knows_order_and_not_wording() -> None:
    other = replace(VISITS, name="other")
    reworded = replace(VISITS, unit="films", description="Films seen.", null_means="none")
    digest = FeatureSet("x", (VISITS, other)).digest
    assert FeatureSet("y", (reworded, other)).digest == digest
    assert FeatureSet("x", (other, VISITS)).digest != digest


def test_digest_of_a_derived_feature_knows_its_parts() -> None:
    base = (*CHURN_FEATURES.features, VISITS)
    digests = {
        FeatureSet("x", (*base, derived)).digest
        for derived in (
            SHARE,
            replace(SHARE, combination=Combination.DIFFERENCE),
            replace(SHARE, left="activity_30d", right="cinema_visits"),
            replace(SHARE, scale=2.0),
            replace(SHARE, floor=1.0),
            replace(SHARE, combination=Combination.SHARE),
        )
    }
    assert len(digests) == 6


def test_the_two_sets_differ_in_digest() -> None:
    assert CHURN_FEATURES.digest != ENGAGEMENT_FEATURES.digest


def test_over_windows_makes_a_feature_per_window() -> None:
    features = over_windows(VISITS, days=(7, 30))
    assert [(f.name, f.window_days) for f in features] == [
        ("cinema_visits_7d", 7),
        ("cinema_visits_30d", 30),
    ]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "Cinema visits"}, "a name has small letters, digits and _ only"),
        ({"table": "films"}, "table 'films' is not one whose rows have a moment"),
        ({"table": "vendors"}, "table 'vendors' is not one whose rows have a moment"),
        ({"table": "prices"}, "table prices is not about customers"),
        ({"where": (one_of("film", "x"),)}, "cannot be asked of film, which holds None"),
        ({"where": (is_true("kind"),)}, "'kind is true' cannot be asked of kind, which holds text"),
        ({"where": (not_yet("value"),)}, "cannot be asked of value, which holds number"),
        ({"aggregate": Aggregate.SUM}, "sum needs a value"),
        ({"value": "value"}, "count takes no value"),
        ({"aggregate": Aggregate.SUM, "value": "item"}, "sum cannot read activity.item, which"),
        ({"aggregate": Aggregate.LAST, "value": "film"}, "last cannot read activity.film, which"),
        ({"aggregate": Aggregate.DAYS_UNTIL, "value": "value"}, "days_until cannot read"),
        ({"aggregate": Aggregate.DISTINCT, "value": "value"}, "distinct cannot read"),
        ({"aggregate": Aggregate.MIN, "value": "item"}, "min cannot read activity.item, which"),
        ({"aggregate": Aggregate.CODE, "value": "value"}, "code cannot read activity.value, which"),
        ({"aggregate": Aggregate.CODE, "value": "item"}, "code reads open texts of a table with a"),
        (
            {"table": "messages", "where": (), "aggregate": Aggregate.CODE, "value": "channel"},
            "code reads open texts of a table with a key, not messages.channel",
        ),
        ({"aggregate": Aggregate.HOLDS, "where": ()}, "holds needs a condition that can hold"),
        ({"aggregate": Aggregate.SUM, "value": "week_hour"}, "sum cannot read activity.week_hour"),
        ({"bucket_days": 7}, "count has no buckets"),
        ({"aggregate": Aggregate.SLOPE}, "a slope needs a window of two or more whole buckets"),
        ({"aggregate": Aggregate.SLOPE, "bucket_days": 5}, "not 14 of 5 days"),
        ({"aggregate": Aggregate.SLOPE, "bucket_days": 14}, "not 14 of 14 days"),
        (
            {"table": "customers", "where": (EVENING,)},
            "cannot be asked of week_hour, which holds None",
        ),
        (
            {"table": "outcomes", "where": (is_true("machine"),)},
            "cannot be asked of machine, which holds None",
        ),
        ({"window_days": 0}, "a window has at least 1 day, not 0"),
        ({"ends_days_ago": -3}, "a window cannot end 3 days ahead"),
    ],
)
def test_a_wrong_feature_says_what_is_wrong(change: dict[str, object], message: str) -> None:
    with pytest.raises(BadInputError, match=message):
        replace(VISITS, **change)


@pytest.mark.parametrize("values", [(), ("it's",), ("x", "a;b")])
def test_one_of_refuses_what_engines_may_read_differently(values: tuple[str, ...]) -> None:
    with pytest.raises(BadInputError, match="condition on kind: cannot compare with"):
        one_of("kind", *values)


@pytest.mark.parametrize(
    ("features", "message"),
    [
        ((), "declares no feature"),
        ((VISITS, VISITS), "cinema_visits is declared 2 times"),
        ((VISITS, SHARE), "cinema_share needs activity_30d, which is no plain feature of the set"),
        (
            (*CHURN_FEATURES.features, VISITS, SHARE, replace(SHARE, name="x", left=SHARE.name)),
            "x needs cinema_share, which is no plain feature of the set",
        ),
    ],
)
def test_a_wrong_set_says_what_is_wrong(
    features: tuple[Feature | Derived, ...], message: str
) -> None:
    with pytest.raises(BadInputError, match=f"feature set broken: {message}"):
        FeatureSet("broken", features)


def test_a_condition_reads_as_words() -> None:
    condition: Condition = one_of("kind", "login", "session")
    assert str(condition) == "kind is one of login or session"
    assert str(EVENING) == "week_hour is within Monday to Sunday, 18:00 to 23:59"


def test_hours_of_the_week_are_those_between_the_first_and_the_last() -> None:
    assert WEEKEND.week_hours == frozenset(range(120, 168))
    assert in_week_hours(days=(1, 2), hours=(9, 10)).week_hours == {33, 34, 57, 58}
    assert one_of("kind", "login").week_hours == frozenset()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"days": (0, 7)}, "days 0 to 7; expected 0 <= first <= last <= 6"),
        ({"days": (5, 4)}, "days 5 to 4"),
        ({"hours": (-1, 4)}, "hours -1 to 4"),
        ({"hours": (18, 24)}, "hours 18 to 24; expected 0 <= first <= last <= 23"),
    ],
)
def test_hours_that_no_week_has_are_refused(
    wrong: dict[str, tuple[int, int]], message: str
) -> None:
    with pytest.raises(BadInputError, match=message):
        in_week_hours(**wrong)


@pytest.mark.parametrize("floor", [0.0, -1.0])
def test_a_floor_is_above_zero(floor: float) -> None:
    with pytest.raises(BadInputError, match="is for denominators, and above 0"):
        replace(SHARE, floor=floor)


def test_union_of_sets_has_every_feature_once() -> None:
    both = union_of("both", CHURN_FEATURES, ENGAGEMENT_FEATURES)
    assert set(both.names) == {*CHURN_FEATURES.names, *ENGAGEMENT_FEATURES.names}
    assert both.names[: len(CHURN_FEATURES.names)] == CHURN_FEATURES.names
    other = FeatureSet("other", (replace(VISITS, name="activity_30d"),))
    with pytest.raises(BadInputError, match="activity_30d is declared 2 times"):
        union_of("both", CHURN_FEATURES, other)


def test_a_set_reads_the_tables_that_its_features_lean_on() -> None:
    clicked = replace(VISITS, table="outcomes", where=(one_of("outcome", "clicked"),))
    assert FeatureSet("x", (clicked,)).tables == {"outcomes", "messages"}
    assert FeatureSet("x", (replace(VISITS, where=(EVENING,)),)).tables == {"activity", "customers"}


def test_share_of_is_a_share() -> None:
    share = share_of("a", "b", name="c", null_means="no b", description="a in b.")
    assert (share.combination, share.left, share.right) == (Combination.SHARE, "a", "b")


@pytest.mark.parametrize(
    ("source", "days", "message"),
    [
        (HourSource("films"), 56, "table 'films' is not one whose rows have a moment"),
        (HourSource("prices"), 56, "table prices is not about customers"),
        (HourSource("customers"), 56, "table customers has no hours of the week"),
        (HourSource("activity", (is_true("kind"),)), 56, "'kind is true' cannot be asked of kind"),
        (HourSource("invoices", (passed("due_at"),)), 56, "is not one of the row alone"),
        (HourSource("activity", (EVENING,)), 56, "is not one of the row alone"),
        (HourSource("activity"), 0, "a half-life has at least 1 day, not 0"),
    ],
)
def test_a_wrong_histogram_says_what_is_wrong(source: HourSource, days: int, message: str) -> None:
    with pytest.raises(BadInputError, match=f"histogram broken: .*{message}"):
        HourHistogram("broken", (source,), days, "")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.assign(cinema_visits=1), "cinema_visits dtype"),
        (lambda f: f.assign(cinema_visits=float("inf")), "cinema_visits finite inf"),
        (lambda f: f.drop(columns="cinema_visits"), "cinema_visits"),
        (lambda f: f.assign(more=1.0), "more"),
        (lambda f: f[["as_of", "customer_id", "cinema_visits"]], "column_ordered"),
    ],
)
def test_a_frame_of_other_features_is_refused(
    change: Callable[[pd.DataFrame], pd.DataFrame], message: str
) -> None:
    features = FeatureSet("tiny", (VISITS,))
    frame = make_spine(["a"], as_of=AS_OF).assign(cinema_visits=float("nan"))
    assert take_matrix(frame, features=features).shape == (1, 1)
    with pytest.raises(BadInputError, match=f"frame of features tiny: .*{message}"):
        take_matrix(change(frame), features=features)
