"""What customers do: activity of every kind, and the features of the product they use."""

from dataclasses import replace
from typing import Final

from features.conditions import EVENING, WEEKEND, Condition, one_of
from features.declarations import (
    Aggregate,
    Combination,
    Derived,
    Feature,
    over_windows,
    share_of,
)

_WINDOWS = (7, 30, 90)
_WINDOWS_OF_LENGTH = (7, 14, 30)
_WINDOWS_OF_SHORTEST = (14, 30)


def _count(name: str, *kinds: str) -> Feature:
    return Feature(
        name=name,
        table="activity",
        aggregate=Aggregate.COUNT,
        where=(one_of("kind", *kinds),) if kinds else (),
        unit="events",
        description=f"Activity: {' or '.join(kinds) or 'rows of any kind'}.",
    )


def _recency(name: str, *kinds: str) -> Feature:
    return Feature(
        name=name,
        table="activity",
        aggregate=Aggregate.DAYS_SINCE_LAST,
        where=(one_of("kind", *kinds),) if kinds else (),
        unit="days",
        null_means="never seen",
        description=f"Time since the last {' or '.join(kinds) or 'activity of any kind'}.",
    )


def _before(feature: Feature) -> Feature:
    """The same, 90 to 30 days ago."""
    return replace(
        feature,
        name=f"{feature.name}_60d_before",
        window_days=60,
        ends_days_ago=30,
        description=f"{feature.description[:-1]}, 90 to 30 days ago.",
    )


def _trend(name: str, count: Feature) -> tuple[Feature | Derived, ...]:
    """The last 30 days against the 60 days before them, per day; needs `<count>_30d`."""
    before = _before(count)
    trend = Derived(
        name=name,
        combination=Combination.RATIO,
        left=f"{count.name}_30d",
        right=before.name,
        scale=2.0,
        unit="ratio",
        null_means="nothing before to compare with",
        description=f"{count.description[:-1]}, last 30 days over the 60 before, per day.",
    )
    return before, trend


def _part(name: str, condition: Condition, when: str) -> tuple[Feature | Derived, ...]:
    """Activity of some hours of the week, and its share in all; needs `activity_90d`."""
    count = Feature(
        name=f"{name}_activity_90d",
        table="activity",
        aggregate=Aggregate.COUNT,
        where=(condition,),
        window_days=90,
        unit="events",
        description=f"Activity {when} on the customer's own clock.",
    )
    share = share_of(
        count.name,
        "activity_90d",
        name=f"{name}_share_90d",
        null_means="nothing in the window",
        description=f"Share of activity {when}.",
    )
    return count, share


_ACTIVITY = _count("activity")
_LOGINS = _count("logins", "login")
_SESSIONS = _count("sessions", "session")
_PURCHASES = _count("purchases", "purchase")
_FEATURE_USE = _count("feature_use", "feature_use")

_SESSION_MINUTES = Feature(
    name="session_minutes",
    table="activity",
    aggregate=Aggregate.MEAN,
    value="value",
    where=(one_of("kind", "session"),),
    unit="minutes",
    null_means="no session of known length",
    description="Mean length of a session (value of session).",
)

_SHORTEST_SESSION = Feature(
    name="shortest_session_minutes",
    table="activity",
    aggregate=Aggregate.MIN,
    value="value",
    where=(one_of("kind", "session"),),
    unit="minutes",
    null_means="no session of known length",
    description="Length of the shortest session (value of session).",
)

DAYS_SINCE_ACTIVITY: Final = _recency("days_since_last_activity")

ACTIVITY_COUNTS: Final = over_windows(_ACTIVITY, days=_WINDOWS)

ACTIVITY: Final[tuple[Feature | Derived, ...]] = (
    DAYS_SINCE_ACTIVITY,
    _recency("days_since_last_login", "login"),
    _recency("days_since_last_feature_use", "feature_use"),
    _recency("days_since_last_purchase", "purchase"),
    *ACTIVITY_COUNTS,
    *over_windows(_LOGINS, days=_WINDOWS),
    *over_windows(_SESSIONS, days=(*_WINDOWS, 14)),
    share_of(
        "sessions_14d",
        "sessions_90d",
        name="sessions_14d_share",
        null_means="nothing in the window",
        description="Share of the sessions of 90 days that fell into the last 14.",
    ),
    *over_windows(_PURCHASES, days=_WINDOWS),
    *_trend("activity_trend", _ACTIVITY),
    *_trend("login_trend", _LOGINS),
    *_trend("session_trend", _SESSIONS),
    *_trend("purchase_trend", _PURCHASES),
    *over_windows(_FEATURE_USE, days=(30,)),
    *_trend("feature_use_trend", _FEATURE_USE),
    Feature(
        name="features_used_30d",
        table="activity",
        aggregate=Aggregate.DISTINCT,
        value="item",
        where=(one_of("kind", "feature_use"),),
        window_days=30,
        unit="features",
        description="Different features of the product used (item of feature_use).",
    ),
    *over_windows(_SESSION_MINUTES, days=_WINDOWS_OF_LENGTH),
    _before(_SESSION_MINUTES),
    Derived(
        name="session_minutes_trend",
        combination=Combination.RATIO,
        left="session_minutes_30d",
        right=_before(_SESSION_MINUTES).name,
        unit="ratio",
        null_means="no session of known length now or before",
        description="Mean length of a session, last 30 days over the 60 before.",
    ),
    *over_windows(_SHORTEST_SESSION, days=_WINDOWS_OF_SHORTEST),
    Feature(
        name="last_session_minutes",
        table="activity",
        aggregate=Aggregate.LAST,
        value="value",
        where=(one_of("kind", "session"),),
        unit="minutes",
        null_means="no session of known length",
        description="Length of the last session.",
    ),
    _recency("days_since_last_session", "session"),
    Feature(
        name="session_gap_days",
        table="activity",
        aggregate=Aggregate.MEAN_GAP_DAYS,
        where=(one_of("kind", "session"),),
        unit="days",
        null_means="fewer than two sessions",
        description="Mean time between two sessions, since the first.",
    ),
    Derived(
        name="session_recency_over_gap",
        combination=Combination.RATIO,
        left="days_since_last_session",
        right="session_gap_days",
        floor=1.0,
        unit="ratio",
        null_means="fewer than two sessions",
        description="Time since the last session over the usual gap (or a day).",
    ),
    Feature(
        name="session_slope_8w",
        table="activity",
        aggregate=Aggregate.SLOPE,
        where=(one_of("kind", "session"),),
        window_days=56,
        bucket_days=14,
        unit="sessions in 14 days, per 14 days",
        description="Change of the sessions of 14 days over the last 8 whole weeks.",
    ),
    Feature(
        name="onboarding_share",
        table="activity",
        aggregate=Aggregate.LAST,
        value="value",
        where=(one_of("kind", "onboarding_step"),),
        unit="share",
        null_means="no step done",
        description="Share of the introduction done (value of the last onboarding_step).",
    ),
    Feature(
        name="activity_slope_12w",
        table="activity",
        aggregate=Aggregate.SLOPE,
        window_days=84,
        bucket_days=7,
        unit="events a week, per week",
        description="Change of weekly activity over the last 12 whole weeks.",
    ),
    *_part("evening", EVENING, "from 18:00 to midnight"),
    *_part("weekend", WEEKEND, "on Saturday and Sunday"),
    *over_windows(
        Feature(
            name="exports",
            table="activity",
            aggregate=Aggregate.COUNT,
            where=(one_of("item", "export", "exports", "data_export"),),
            unit="events",
            description="Exports of the customer's own data (item of any activity).",
        ),
        days=(30,),
    ),
    *over_windows(
        Feature(
            name="pricing_views",
            table="activity",
            aggregate=Aggregate.COUNT,
            where=(one_of("item", "pricing", "plans", "cancellation"),),
            unit="events",
            description="Looks at prices, plans or how to leave (item of any activity).",
        ),
        days=(30,),
    ),
)
