"""Triggers about a customer's own payments, limits and service."""

from typing import Final

from features.point_in_time.expressions import write_double
from features.point_in_time.spine import MICROS_PER_DAY
from features.triggers.rules import NONE, TriggerRule, grade, micros
from features.triggers.settings import TriggerSettings
from features.vocabulary import Trigger

_MANY_UNITS: Final = 100
"""Of a limit: a part of one of so many is less than a percent."""


def _payment_failure_risk(at: int, settings: TriggerSettings) -> str:
    """Active subscriptions whose card expires soon; a card is good on its last day."""
    today = at - at % MICROS_PER_DAY
    warning = micros(settings.card_within_days)
    urgency = grade(
        significant=f"card_expires_on <= {today + micros(settings.card_significant_days)}",
        moderate=f"card_expires_on <= {today + micros(settings.card_moderate_days)}",
    )
    return f"""
    SELECT customer_id, {NONE} AS subject, {urgency} AS urgency,
        card_expires_on - {warning} AS began_at,
        card_expires_on + {MICROS_PER_DAY - 1} AS expires_at, 0 AS preference, card_expires_on, plan
    FROM subscription_now
    WHERE status = 'active' AND card_expires_on >= {today} AND card_expires_on <= {today + warning}
    """


def _service_disruption(at: int, settings: TriggerSettings) -> str:
    """Customers of a region where a disruption has not ended; not those who have canceled."""
    urgency = grade(
        significant=f"d.t <= {at - micros(settings.disruption_significant_days)}",
        moderate=f"d.t <= {at - micros(settings.disruption_moderate_days)}",
    )
    return f"""
    SELECT k.customer_id, d.disruption_id AS subject, {urgency} AS urgency, d.t AS began_at,
        d.t + {micros(settings.disruption_lookback_days)} AS expires_at,
        0 AS preference, d.service, d.region, d.t AS started_at
    FROM customers k JOIN disruptions d ON d.region = k.region
        LEFT JOIN subscription_now s ON s.customer_id = k.customer_id AND s.status = 'canceled'
    WHERE d.ends_at IS NULL AND d.t >= {at - micros(settings.disruption_lookback_days)}
        AND s.customer_id IS NULL
    """


def _subscription_limit(at: int, settings: TriggerSettings) -> str:
    """Active plans nearly used up; it began with the first report above since the last below."""
    above, below = write_double(settings.used_above), write_double(settings.used_below)
    urgency = grade(
        significant=f"s.used_share >= {write_double(settings.used_significant)}",
        moderate=f"s.used_share >= {write_double(settings.used_moderate)}",
    )
    lookback = micros(settings.usage_lookback_days)
    # A text names whole numbers: 4.7 of 5 would read as 4 of 5. Then it names none.
    is_told = f"""p.plan_limit = FLOOR(p.plan_limit)
        AND (u.used = FLOOR(u.used) OR p.plan_limit >= {_MANY_UNITS})"""
    return f"""
    WITH plans AS (
        SELECT customer_id, plan_limit FROM subscription_now
        WHERE status = 'active' AND plan_limit > 0 AND NOT upsell_shown
    ), shares AS (
        SELECT u.customer_id, u.t, u.used, p.plan_limit, u.used / p.plan_limit AS used_share,
            {is_told} AS is_told
        FROM usage u JOIN plans p ON p.customer_id = u.customer_id
    ), spans AS (
        SELECT customer_id, MAX(t) AS latest,
            COALESCE(MAX(CASE WHEN used_share <= {above} THEN t END), MIN(t) - 1) AS last_below
        FROM shares GROUP BY customer_id
    ), crossings AS (
        SELECT s.customer_id, p.latest, MIN(s.t) AS began_at
        FROM shares s JOIN spans p ON p.customer_id = s.customer_id AND s.t > p.last_below
        GROUP BY s.customer_id, p.latest
    )
    SELECT s.customer_id, {NONE} AS subject, {urgency} AS urgency, x.began_at,
        s.t + {lookback} AS expires_at, 0 AS preference,
        CASE WHEN s.is_told THEN CAST(FLOOR(s.used) AS BIGINT) END AS used,
        CASE WHEN s.is_told THEN CAST(s.plan_limit AS BIGINT) END AS plan_limit,
        CASE WHEN s.is_told THEN CAST(FLOOR(1e2 * s.used / s.plan_limit) AS BIGINT) END
            AS used_percent
    FROM shares s JOIN crossings x ON x.customer_id = s.customer_id AND x.latest = s.t
    WHERE s.used_share < {below} AND s.t >= {at - lookback}
    """


ACCOUNT_RULES: Final = (
    TriggerRule(
        Trigger.PAYMENT_FAILURE_RISK,
        ("subscriptions",),
        _payment_failure_risk,
        whole_days=frozenset({"card_expires_on"}),
    ),
    TriggerRule(
        Trigger.SERVICE_DISRUPTION, ("disruptions",), _service_disruption, told_by_subject=True
    ),
    TriggerRule(Trigger.SUBSCRIPTION_LIMIT, ("subscriptions", "usage"), _subscription_limit),
)
