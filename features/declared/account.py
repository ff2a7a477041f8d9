"""What customers pay for: tenure, subscription, use of its limit, invoices."""

from typing import Final

from features.conditions import after_or_not_yet, is_true, not_yet, one_of, passed
from features.declarations import Aggregate, Combination, Derived, Feature, share_of

_NO_SUBSCRIPTION = "never subscribed"

TENURE: Final = Feature(
    name="tenure_days",
    table="customers",
    aggregate=Aggregate.DAYS_SINCE_FIRST,
    unit="days",
    null_means="not signed up yet",
    description="Time since signing up.",
)

SEGMENT: Final = Feature(
    name="segment_code",
    table="customers",
    aggregate=Aggregate.CODE,
    value="segment",
    unit="code",
    null_means="no segment known",
    description="A number that stands for the segment (see above); models take it as a category.",
)

SUBSCRIPTION_ACTIVE: Final = Feature(
    name="subscription_active",
    table="subscriptions",
    aggregate=Aggregate.HOLDS,
    where=(one_of("status", "active"),),
    unit="0 or 1",
    null_means=_NO_SUBSCRIPTION,
    description="Whether the subscription is active.",
)

SUBSCRIPTION: Final[tuple[Feature | Derived, ...]] = (
    Feature(
        name="mrr_cents",
        table="subscriptions",
        aggregate=Aggregate.LAST,
        value="mrr_cents",
        unit="cents a month",
        null_means=_NO_SUBSCRIPTION,
        description="Price of the subscription.",
    ),
    Feature(
        name="mrr_cents_90d_ago",
        table="subscriptions",
        aggregate=Aggregate.LAST,
        value="mrr_cents",
        ends_days_ago=90,
        unit="cents a month",
        null_means="not yet subscribed then",
        description="Price of the subscription 90 days ago.",
    ),
    Derived(
        name="mrr_change_90d",
        combination=Combination.DIFFERENCE,
        left="mrr_cents",
        right="mrr_cents_90d_ago",
        unit="cents a month",
        null_means="not yet subscribed then",
        description="Change of the price within 90 days.",
    ),
    Feature(
        name="days_to_card_expiry",
        table="subscriptions",
        aggregate=Aggregate.DAYS_UNTIL,
        value="card_expires_on",
        unit="days",
        null_means="no card on file",
        description="Time until the card expires; negative when it has.",
    ),
    Feature(
        name="plan_limit",
        table="subscriptions",
        aggregate=Aggregate.LAST,
        value="plan_limit",
        unit="units of the plan",
        null_means="a plan without a limit",
        description="Limit of the plan.",
    ),
    Feature(
        name="plan_used",
        table="usage",
        aggregate=Aggregate.LAST,
        value="used",
        unit="units of the plan",
        null_means="no use reported",
        description="Units used in the period, as last reported.",
    ),
    Derived(
        name="plan_used_share",
        combination=Combination.RATIO,
        left="plan_used",
        right="plan_limit",
        unit="share",
        null_means="no limit or no use reported",
        description="Used share of the plan's limit.",
    ),
)

_LATE = (passed("due_at"), after_or_not_yet("paid_at", "due_at"))

INVOICES: Final[tuple[Feature | Derived, ...]] = (
    Feature(
        name="invoices_late_90d",
        table="invoices",
        aggregate=Aggregate.COUNT,
        where=_LATE,
        window_days=90,
        unit="invoices",
        description="Invoices paid after they were due, or due and not paid.",
    ),
    Feature(
        name="invoices_late_90d_before",
        table="invoices",
        aggregate=Aggregate.COUNT,
        where=_LATE,
        window_days=90,
        ends_days_ago=90,
        unit="invoices",
        description="Invoices of 180 to 90 days ago paid after they were due, or not at all.",
    ),
    Derived(
        name="invoices_late_change",
        combination=Combination.DIFFERENCE,
        left="invoices_late_90d",
        right="invoices_late_90d_before",
        unit="invoices",
        null_means="",
        description="Late invoices of the last 90 days, less those of the 90 before.",
    ),
    Feature(
        name="invoices_late",
        table="invoices",
        aggregate=Aggregate.COUNT,
        where=_LATE,
        unit="invoices",
        description="Invoices ever paid after they were due, or due and not paid.",
    ),
    Feature(
        name="invoices",
        table="invoices",
        aggregate=Aggregate.COUNT,
        unit="invoices",
        description="Invoices ever issued.",
    ),
    share_of(
        "invoices_late",
        "invoices",
        name="invoices_late_share",
        null_means="no invoice yet",
        description="Share of all invoices that were late.",
    ),
    Feature(
        name="days_since_late_invoice",
        table="invoices",
        aggregate=Aggregate.DAYS_SINCE_LAST,
        where=_LATE,
        unit="days",
        null_means="never late",
        description="Time since the last invoice was issued that was paid late or is overdue.",
    ),
    Feature(
        name="invoices_unpaid",
        table="invoices",
        aggregate=Aggregate.COUNT,
        where=(not_yet("paid_at"),),
        unit="invoices",
        description="Invoices not paid yet.",
    ),
    Feature(
        name="oldest_unpaid_invoice_days",
        table="invoices",
        aggregate=Aggregate.DAYS_SINCE_FIRST,
        where=(not_yet("paid_at"),),
        unit="days",
        null_means="none unpaid",
        description="Time since the oldest invoice was issued that is not paid.",
    ),
    Feature(
        name="invoices_disputed_90d",
        table="invoices",
        aggregate=Aggregate.COUNT,
        where=(is_true("disputed"),),
        window_days=90,
        unit="invoices",
        description="Invoices in dispute.",
    ),
    Feature(
        name="days_since_dispute",
        table="invoices",
        aggregate=Aggregate.DAYS_SINCE_LAST,
        where=(is_true("disputed"),),
        unit="days",
        null_means="never disputed",
        description="Time since the last invoice was issued that is in dispute.",
    ),
)
