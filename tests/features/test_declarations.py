"""A feature is one entry, and what is wrong with an entry is said in words."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from features.catalogue import describe_features
from features.churn import CHURN_FEATURES
from features.conditions import Condition, is_true, not_yet, one_of
from features.declarations import (
    Aggregate,
    Combination,
    Derived,
    Feature,
    FeatureSet,
    over_windows,
)
from features.engagement import ENGAGEMENT_FEATURES
from features.errors import BadInputError
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


def test_digest_is_the_same_in_every_process() -> None:
    assert FeatureSet("tiny", (VISITS,)).digest == "b0c8088f36bf66f9"


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
        )
    }
    assert len(digests) == 4


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
        ({"aggregate": Aggregate.HOLDS, "where": ()}, "holds needs a condition that can hold"),
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
