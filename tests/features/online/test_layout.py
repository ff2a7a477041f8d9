"""What is kept follows from the declarations alone."""

from dataclasses import replace

import pytest

from features.churn import CHURN_FEATURES
from features.conditions import in_week_hours, one_of, passed
from features.declarations import Aggregate, Feature, FeatureSet
from features.declared.hours import PRESENCE
from features.engagement import ENGAGEMENT_FEATURES
from features.errors import BadInputError
from features.histograms import HourSource
from features.online import CustomerState, Fact, compile_layout
from features.online.measures import Take
from features.point_in_time.spine import MICROS_PER_DAY

CINEMA = Feature(
    name="cinema_visits_14d",
    table="activity",
    aggregate=Aggregate.COUNT,
    where=(one_of("kind", "cinema"),),
    window_days=14,
    unit="visits",
    description="Visits to the cinema.",
)
DAY = MICROS_PER_DAY


def only(*features: Feature) -> FeatureSet:
    return FeatureSet("only", features)


def read(feature: Feature, *facts: Fact, at: int) -> float:
    """The feature's number for customer c after these facts."""
    features = only(feature)
    state = CustomerState(compile_layout((features,), histogram=None), "c")
    for fact in facts:
        state.apply(fact)
    return float(state.features(at, features)[0])


def seen(kind: str, at: int, **cells: float | str) -> Fact:
    return Fact("activity", {"customer_id": "c", "at": at, "kind": kind, **cells})


def test_one_more_entry_is_kept_and_changes_the_digest() -> None:
    longer = FeatureSet("churn", (*CHURN_FEATURES.features, CINEMA))
    layout = compile_layout((longer,), histogram=PRESENCE)
    assert layout.digest != compile_layout((CHURN_FEATURES,), histogram=PRESENCE).digest
    state = CustomerState(layout, "c")
    for day in (1, 2, 16):
        state.apply(seen("cinema", day * DAY))
    assert state.features(17 * DAY, longer)[-1] == 1.0
    assert state.features(16 * DAY + 1, longer)[-1] == 2.0


def test_the_digest_is_of_definitions_in_order_and_of_the_histogram() -> None:
    digests = {
        compile_layout(sets, histogram=histogram).digest
        for sets in (
            (CHURN_FEATURES,),
            (ENGAGEMENT_FEATURES,),
            (CHURN_FEATURES, ENGAGEMENT_FEATURES),
        )
        for histogram in (PRESENCE, None, replace(PRESENCE, half_life_days=28))
    }
    assert len(digests) == 9
    renamed = FeatureSet("other", CHURN_FEATURES.features)
    layouts = [compile_layout((one,), histogram=None) for one in (renamed, CHURN_FEATURES)]
    assert layouts[0].digest == layouts[1].digest


def test_tables_are_those_that_features_hours_and_outcomes_need() -> None:
    assert compile_layout((only(CINEMA),), histogram=None).tables == {"activity"}
    evening = replace(CINEMA, where=(in_week_hours(hours=(18, 23)),))
    assert compile_layout((only(evening),), histogram=None).tables == {"activity", "customers"}
    opened = replace(CINEMA, table="outcomes", where=())
    assert compile_layout((only(opened),), histogram=None).tables == {"outcomes", "messages"}


def test_a_condition_of_the_moment_on_daily_sums_is_refused() -> None:
    late = replace(CINEMA, where=(passed("at"),))
    with pytest.raises(BadInputError, match="activity is kept by day, where 'at has passed'"):
        compile_layout((only(late),), histogram=None)


def test_a_table_that_is_a_source_of_hours_twice_is_refused() -> None:
    twice = replace(PRESENCE, sources=(HourSource("activity"), HourSource("activity")))
    with pytest.raises(BadInputError, match="activity is a source of the histogram twice"):
        compile_layout((), histogram=twice)


def test_a_foreign_feature_set_is_refused() -> None:
    state = CustomerState(compile_layout((CHURN_FEATURES,), histogram=None), "c")
    with pytest.raises(BadInputError, match="only is not one that online states keep: churn"):
        state.features(0, only(CINEMA))


def test_features_share_what_they_are_made_of() -> None:
    both = compile_layout((CHURN_FEATURES, ENGAGEMENT_FEATURES), histogram=None)
    alone = compile_layout((CHURN_FEATURES,), histogram=None)
    assert len(both.demands) < len(alone.demands) + len(ENGAGEMENT_FEATURES.plain)
    assert sum(m.take is Take.SUM and m.value is None for m in both.tiles.days.sums) == 9


RECENT = (seen("cinema", 10 * DAY + 5), seen("cinema", 10 * DAY + 9), seen("play", 12 * DAY))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"aggregate": Aggregate.DAYS_SINCE_LAST, "window_days": 3}, (3 * DAY - 9) / DAY),
        ({"aggregate": Aggregate.DAYS_SINCE_FIRST, "window_days": 3}, (3 * DAY - 5) / DAY),
        ({"aggregate": Aggregate.DAYS_SINCE_LAST, "window_days": 2}, None),
        ({"aggregate": Aggregate.MEAN_GAP_DAYS, "window_days": 9}, 4 / DAY),
        ({"aggregate": Aggregate.COUNT, "window_days": None}, 2.0),
        ({"aggregate": Aggregate.COUNT, "window_days": None, "ends_days_ago": 2}, 2.0),
        ({"aggregate": Aggregate.COUNT, "window_days": None, "ends_days_ago": 3}, 0.0),
        ({"aggregate": Aggregate.HOLDS, "window_days": 3}, 0.0),
        ({"aggregate": Aggregate.HOLDS, "window_days": 2, "ends_days_ago": 2}, 1.0),
        ({"aggregate": Aggregate.DISTINCT, "value": "kind", "where": ()}, 2.0),
        ({"aggregate": Aggregate.DISTINCT, "value": "kind", "where": (), "window_days": None}, 2.0),
        ({"aggregate": Aggregate.SLOPE, "window_days": 4, "bucket_days": 2}, -2.0),
    ],
)
def test_every_aggregate_over_any_window_of_daily_tiles(
    changes: dict[str, object], expected: float | None
) -> None:
    number = read(replace(CINEMA, **changes), *RECENT, at=13 * DAY)
    assert number == pytest.approx(expected) if expected is not None else number != number


def test_values_of_the_latest_row_over_a_window_of_daily_tiles() -> None:
    last = replace(CINEMA, aggregate=Aggregate.LAST, value="value", window_days=2)
    facts = (seen("cinema", 2 * DAY, value=9.0), seen("cinema", 4 * DAY, value=2.5),
             seen("cinema", 4 * DAY, value=1.5))  # fmt: skip
    assert read(last, *facts, at=5 * DAY) == 2.5
    assert read(replace(last, ends_days_ago=1), *facts, at=5 * DAY) == 9.0


def test_the_smallest_value_over_a_window_of_daily_tiles() -> None:
    least = replace(CINEMA, aggregate=Aggregate.MIN, value="value", window_days=2)
    facts = (seen("cinema", 2 * DAY, value=-1.0), seen("cinema", 4 * DAY, value=2.5),
             seen("play", 4 * DAY, value=0.5), seen("cinema", 4 * DAY + 1, value=None))  # fmt: skip
    assert read(least, *facts, at=5 * DAY) == 2.5
    assert read(replace(least, window_days=None), *facts, at=5 * DAY) == -1.0
    unknown = read(least, seen("cinema", 4 * DAY, value=None), at=5 * DAY)
    assert unknown != unknown  # no value is not the smallest
