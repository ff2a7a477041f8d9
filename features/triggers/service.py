"""Triggers about a customer's own orders, payments, limits and safety."""

from typing import Final

from features.point_in_time.compile import write_double
from features.point_in_time.spine import MICROS_PER_DAY
from features.triggers.rules import NONE, TriggerRule, micros
from features.triggers.settings import TriggerSettings
from features.vocabulary import Trigger, Urgency

_DAY = f"{MICROS_PER_DAY}e0"


def _delivery_delay(at: int, settings: TriggerSettings) -> str:
    """Undelivered orders whose last estimate is late; they began with the first late one."""
    late = micros(settings.late_from_days)
    return f"""
    WITH estimates AS (
        SELECT o.order_id, o.customer_id, o.promised_at, e.estimated_at, e.status, e.t,
            e.estimated_at - o.promised_at AS delay
        FROM orders o JOIN shipments e ON e.tracking_id = o.tracking_id
        WHERE o.delivered_at IS NULL AND o.promised_at IS NOT NULL
    ), spans AS (
        SELECT order_id, MAX(t) AS latest, MIN(CASE WHEN delay >= {late} THEN t END) AS began_at
        FROM estimates GROUP BY order_id
    )
    SELECT e.customer_id, e.order_id AS subject,
        CASE WHEN e.delay <= {micros(settings.minor_up_to_days)} THEN '{Urgency.MINOR}'
            WHEN e.delay <= {micros(settings.moderate_up_to_days)} THEN '{Urgency.MODERATE}'
            ELSE '{Urgency.SIGNIFICANT}' END AS urgency,
        p.began_at, 0 AS preference, e.order_id, e.promised_at AS promised_on,
        e.estimated_at AS estimated_on, CAST(CEIL(e.delay / {_DAY}) AS BIGINT) AS delay_days
    FROM estimates e JOIN spans p ON p.order_id = e.order_id AND p.latest = e.t
    WHERE e.delay >= {late} AND LOWER(e.status) <> 'delivered'
        AND p.began_at >= {at - micros(settings.delay_lookback_days)}
    """


def _payment_failure_risk(at: int, settings: TriggerSettings) -> str:
    """Active subscriptions whose card expires soon; a card is good on its last day."""
    today = at - at % MICROS_PER_DAY
    warning = micros(settings.card_within_days)
    return f"""
    SELECT customer_id, {NONE} AS subject, {NONE} AS urgency,
        card_expires_on - {warning} AS began_at, 0 AS preference, card_expires_on, plan
    FROM subscription_now
    WHERE status = 'active' AND card_expires_on >= {today} AND card_expires_on <= {today + warning}
    """


def _service_disruption(at: int, settings: TriggerSettings) -> str:
    """Customers of a region where a disruption has not ended."""
    return f"""
    SELECT k.customer_id, d.disruption_id AS subject, {NONE} AS urgency, d.t AS began_at,
        0 AS preference, d.service, d.region, d.t AS started_at
    FROM customers k JOIN disruptions d ON d.region = k.region
    WHERE d.ends_at IS NULL AND d.t >= {at - micros(settings.disruption_lookback_days)}
    """


def _subscription_limit(at: int, settings: TriggerSettings) -> str:
    """Active plans nearly used up; it began with the first report above since the last below."""
    above, below = write_double(settings.used_above), write_double(settings.used_below)
    return f"""
    WITH plans AS (
        SELECT customer_id, plan_limit FROM subscription_now
        WHERE status = 'active' AND plan_limit > 0 AND NOT upsell_shown
    ), shares AS (
        SELECT u.customer_id, u.t, u.used, p.plan_limit, u.used / p.plan_limit AS used_share
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
    SELECT s.customer_id, {NONE} AS subject, {NONE} AS urgency, x.began_at, 0 AS preference,
        CAST(FLOOR(s.used) AS BIGINT) AS used, CAST(ROUND(s.plan_limit) AS BIGINT) AS plan_limit,
        CAST(FLOOR(1e2 * s.used / s.plan_limit) AS BIGINT) AS used_percent
    FROM shares s JOIN crossings x ON x.customer_id = s.customer_id AND x.latest = s.t
    WHERE s.used_share < {below} AND s.t >= {at - micros(settings.usage_lookback_days)}
    """


def _account_anomaly(at: int, settings: TriggerSettings) -> str:
    """First login ever from a place, by someone whose logins had a place before."""
    return f"""
    WITH places AS (
        SELECT customer_id, location, MIN(t) AS first_at FROM activity
        WHERE kind = 'login' AND location IS NOT NULL GROUP BY customer_id, location
    ), homes AS (
        SELECT customer_id, MIN(first_at) AS first_at FROM places GROUP BY customer_id
    )
    SELECT p.customer_id, p.location AS subject, {NONE} AS urgency, p.first_at AS began_at,
        0 AS preference, p.location, p.first_at AS login_at
    FROM places p JOIN homes h ON h.customer_id = p.customer_id AND h.first_at < p.first_at
    WHERE p.first_at >= {at - micros(settings.login_lookback_days)}
    """


def _order_shipped(at: int, settings: TriggerSettings) -> str:
    """Undelivered orders whose shipment has just been created."""
    return f"""
    WITH created AS (
        SELECT tracking_id, MIN(t) AS began_at, MAX(t) AS latest FROM shipments GROUP BY tracking_id
    )
    SELECT o.customer_id, o.order_id AS subject, {NONE} AS urgency, s.began_at, 0 AS preference,
        o.order_id, o.tracking_id, e.estimated_at AS estimated_on
    FROM created s JOIN shipments e ON e.tracking_id = s.tracking_id AND e.t = s.latest
        JOIN orders o ON o.tracking_id = s.tracking_id
    WHERE o.delivered_at IS NULL AND LOWER(e.status) <> 'delivered'
        AND s.began_at >= {at - micros(settings.shipped_lookback_days)}
    """


SERVICE_RULES: Final = (
    TriggerRule(Trigger.DELIVERY_DELAY, ("orders", "shipments"), _delivery_delay),
    TriggerRule(
        Trigger.PAYMENT_FAILURE_RISK,
        ("subscriptions",),
        _payment_failure_risk,
        whole_days=frozenset({"card_expires_on"}),
    ),
    TriggerRule(Trigger.SERVICE_DISRUPTION, ("disruptions",), _service_disruption),
    TriggerRule(Trigger.SUBSCRIPTION_LIMIT, ("subscriptions", "usage"), _subscription_limit),
    TriggerRule(Trigger.ACCOUNT_ANOMALY, ("activity",), _account_anomaly),
    TriggerRule(Trigger.ORDER_SHIPPED, ("orders", "shipments"), _order_shipped),
)
