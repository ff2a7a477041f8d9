"""The closed sets that every part of Opportune speaks in.

Members are strings, so they can be stored, compared and sent as they are:

>>> Channel.EMAIL == "email"
True
>>> Trigger.DELIVERY_DELAY.is_service, Trigger.PRICE_DROP.is_service
(True, False)
"""

from enum import StrEnum


class Channel(StrEnum):
    """Where a message can be read."""

    EMAIL = "email"
    SMS = "sms"
    PUSH = "push"
    IN_APP = "in_app"
    WHATSAPP = "whatsapp"


class Trigger(StrEnum):
    """Why a customer might be written to."""

    DELIVERY_DELAY = "delivery_delay"
    PAYMENT_FAILURE_RISK = "payment_failure_risk"
    SERVICE_DISRUPTION = "service_disruption"
    SUBSCRIPTION_LIMIT = "subscription_limit"
    ACCOUNT_ANOMALY = "account_anomaly"
    ORDER_SHIPPED = "order_shipped"
    INCIDENT_UPDATE = "incident_update"
    ABANDONED_CART = "abandoned_cart"
    BROWSE_ABANDONMENT = "browse_abandonment"
    PRICE_DROP = "price_drop"
    INACTIVITY = "inactivity"
    CHURN_RISK = "churn_risk"

    @property
    def is_service(self) -> bool:
        """Whether the customer has a problem or an order of their own in it (not marketing)."""
        return self in SERVICE_TRIGGERS


SERVICE_TRIGGERS = frozenset(
    {
        Trigger.DELIVERY_DELAY,
        Trigger.PAYMENT_FAILURE_RISK,
        Trigger.SERVICE_DISRUPTION,
        Trigger.SUBSCRIPTION_LIMIT,
        Trigger.ACCOUNT_ANOMALY,
        Trigger.ORDER_SHIPPED,
        Trigger.INCIDENT_UPDATE,
    }
)


class Priority(StrEnum):
    """How urgent a trigger is; critical service messages pass marketing limits."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class Urgency(StrEnum):
    """How pressing a case is; of a late delivery: up to 1 day, up to 3 days, more."""

    PREDICTED = "predicted"  # has not happened: a model expects it
    MINOR = "minor"
    MODERATE = "moderate"
    SIGNIFICANT = "significant"


class Outcome(StrEnum):
    """What came of a message."""

    DELIVERED = "delivered"
    BOUNCED = "bounced"
    OPENED = "opened"
    CLICKED = "clicked"
    CONVERTED = "converted"
    UNSUBSCRIBED = "unsubscribed"
    COMPLAINED = "complained"
    CONTACTED_SUPPORT = "contacted_support"


class Tier(StrEnum):
    """Churn risk tier, from the score."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class Arm(StrEnum):
    """By which rule a customer is decided for; fixed per customer and experiment."""

    LEARNED = "learned"
    RANDOM = "random"
    RULES = "rules"
    HOLDOUT = "holdout"


class Factor(StrEnum):
    """Why customers leave, as the playbook has it."""

    LOW_USAGE = "low_usage"
    SUPPORT_ISSUES = "support_issues"
    BILLING_CONCERNS = "billing_concerns"
    DECLINING_USAGE = "declining_usage"
    COMPETITOR_EVALUATION = "competitor_evaluation"
    RELATIONSHIP = "relationship"
    ONBOARDING = "onboarding"


class UpliftGroup(StrEnum):
    """What a message does to a customer."""

    PERSUADABLE = "persuadable"  # acts because of it
    SURE_THING = "sure_thing"  # acts anyway
    LOST_CAUSE = "lost_cause"  # does not act, with or without it
    DO_NOT_DISTURB = "do_not_disturb"  # acts unless written to
