"""What customers order, how much for, and how regularly."""

from typing import Final

from features.declarations import Aggregate, Combination, Derived, Feature, over_windows

ORDER_COUNTS: Final = over_windows(
    Feature(
        name="orders",
        table="orders",
        aggregate=Aggregate.COUNT,
        unit="orders",
        description="Orders placed.",
    ),
    days=(30, 90),
)

_AMOUNT = Feature(
    name="order_cents",
    table="orders",
    aggregate=Aggregate.SUM,
    value="amount_cents",
    unit="cents",
    description="Amount of the orders placed.",
)

DAYS_SINCE_ORDER: Final = Feature(
    name="days_since_last_order",
    table="orders",
    aggregate=Aggregate.DAYS_SINCE_LAST,
    unit="days",
    null_means="never ordered",
    description="Time since the last order.",
)

ORDERS: Final[tuple[Feature | Derived, ...]] = (
    *ORDER_COUNTS,
    *over_windows(_AMOUNT, days=(30, 90)),
    DAYS_SINCE_ORDER,
    Feature(
        name="order_gap_days",
        table="orders",
        aggregate=Aggregate.MEAN_GAP_DAYS,
        unit="days",
        null_means="fewer than two orders",
        description="Mean time between two orders, since the first.",
    ),
    Derived(
        name="order_recency_over_gap",
        combination=Combination.RATIO,
        left="days_since_last_order",
        right="order_gap_days",
        floor=1.0,
        unit="ratio",
        null_means="fewer than two orders",
        description="Time since the last order over the usual gap (or a day); above 1 is overdue.",
    ),
)
