"""The features that are measured: 40 of every kind that models of churn are fed with."""

from typing import Final

from features.conditions import EVENING, WEEKEND, Condition, after_or_not_yet, one_of, passed
from features.declarations import (
    Aggregate,
    Combination,
    Derived,
    Feature,
    FeatureSet,
    over_windows,
    share_of,
)

_WINDOWS = (7, 30, 90)
COUNTED: Final = {
    "logins": "login",
    "sessions": "session",
    "feature_uses": "feature_use",
    "page_views": "page_view",
    "cart_adds": "cart_add",
    "purchases": "purchase",
}
"""Name of a count, and the kind of activity that it counts."""


def _count(
    name: str, table: str, *where: Condition, days: int | None = None, ends_days_ago: int = 0
) -> Feature:
    return Feature(
        name=name,
        table=table,
        aggregate=Aggregate.COUNT,
        where=where,
        window_days=days,
        ends_days_ago=ends_days_ago,
        unit="rows",
        description=f"Rows of {table}.",
    )


def _recency(name: str, table: str, *where: Condition) -> Feature:
    return Feature(
        name=name,
        table=table,
        aggregate=Aggregate.DAYS_SINCE_LAST,
        where=where,
        unit="days",
        null_means="never",
        description=f"Time since the last row of {table}.",
    )


def _share(part: str, whole: str, *, name: str) -> Derived:
    return share_of(
        part, whole, name=name, null_means="none in the window", description=f"{part} of {whole}."
    )


_ACTIVITY: tuple[Feature | Derived, ...] = (
    *(
        feature
        for name, kind in COUNTED.items()
        for feature in over_windows(_count(name, "activity", one_of("kind", kind)), days=_WINDOWS)
    ),
    _count("activity_90d", "activity", days=90),
    _count("logins_60d_before", "activity", one_of("kind", "login"), days=60, ends_days_ago=30),
    Derived(
        name="login_trend",
        combination=Combination.RATIO,
        left="logins_30d",
        right="logins_60d_before",
        scale=2.0,
        unit="ratio",
        null_means="nothing before",
        description="Logins of the last 30 days over the 60 before, per day.",
    ),
    Feature(
        name="activity_slope_12w",
        table="activity",
        aggregate=Aggregate.SLOPE,
        window_days=84,
        bucket_days=7,
        unit="rows a week",
        description="Change of the rows of a week, over 12 weeks.",
    ),
    _recency("days_since_last_login", "activity", one_of("kind", "login")),
    _recency("days_since_last_activity", "activity"),
    Feature(
        name="features_used_30d",
        table="activity",
        aggregate=Aggregate.DISTINCT,
        value="item",
        where=(one_of("kind", "feature_use"),),
        window_days=30,
        unit="features",
        description="Different features of the product.",
    ),
    Feature(
        name="session_minutes_30d",
        table="activity",
        aggregate=Aggregate.MEAN,
        value="value",
        where=(one_of("kind", "session"),),
        window_days=30,
        unit="minutes",
        null_means="no session",
        description="Mean length of a session.",
    ),
    _count("evening_activity_90d", "activity", EVENING, days=90),
    _share("evening_activity_90d", "activity_90d", name="evening_share_90d"),
    _count("weekend_activity_90d", "activity", WEEKEND, days=90),
    _share("weekend_activity_90d", "activity_90d", name="weekend_share_90d"),
)

_OTHERS: tuple[Feature | Derived, ...] = (
    Feature(
        name="order_cents_90d",
        table="orders",
        aggregate=Aggregate.SUM,
        value="amount_cents",
        window_days=90,
        unit="cents",
        description="Amount of the orders.",
    ),
    _recency("days_since_last_order", "orders"),
    _count("tickets_90d", "tickets", days=90),
    _recency("days_since_last_ticket", "tickets"),
    _count(
        "invoices_late_90d",
        "invoices",
        passed("due_at"),
        after_or_not_yet("paid_at", "due_at"),
        days=90,
    ),
    Feature(
        name="nps",
        table="surveys",
        aggregate=Aggregate.LAST,
        value="nps",
        unit="0 to 10",
        null_means="never answered",
        description="Last answer to whether one would recommend us.",
    ),
    _count("messages_90d", "messages", days=90),
    _count("opened_90d", "outcomes", one_of("outcome", "opened"), days=90),
    _share("opened_90d", "messages_90d", name="opened_share_90d"),
    _count("clicked_90d", "outcomes", one_of("outcome", "clicked"), days=90),
)

BENCH_FEATURES: Final = FeatureSet("bench", (*_ACTIVITY, *_OTHERS))
"""What ours and every rival compute."""
