"""Triggers about orders on their way: late ones, those expected to be late, and new parcels."""

from typing import Final

from features.point_in_time.expressions import write_double
from features.point_in_time.spine import MICROS_PER_DAY
from features.triggers.rules import NONE, TriggerRule, end_of_day, grade, micros
from features.triggers.settings import TriggerSettings
from features.vocabulary import Trigger, Urgency

_DAY = f"{MICROS_PER_DAY}e0"


def _delivery_delay(at: int, settings: TriggerSettings) -> str:
    """Undelivered orders whose last estimate is late, and those that a model expects to be.

    A delay began with the first late estimate after the last one in time: an order that is late,
    in time again and then late again has two problems. An estimate whose day is over is told no
    more. An expected delay began with the order; it is one only before the promised moment, and
    where no estimate says so already.
    """
    late = micros(settings.late_from_days)
    ends_at = f"{{began}} + {micros(settings.delay_lookback_days)}"
    estimated_until = end_of_day("e.estimated_at")
    urgency = grade(
        significant=f"e.delay > {micros(settings.moderate_up_to_days)}",
        moderate=f"e.delay > {micros(settings.minor_up_to_days)}",
    )
    return f"""
    WITH estimates AS (
        SELECT o.order_id, o.customer_id, o.promised_at, e.estimated_at, e.status, e.t,
            e.estimated_at - o.promised_at AS delay
        FROM orders o JOIN shipments e ON e.tracking_id = o.tracking_id
        WHERE o.delivered_at IS NULL AND o.promised_at IS NOT NULL
    ), spans AS (
        SELECT order_id, MAX(t) AS latest,
            COALESCE(MAX(CASE WHEN delay < {late} THEN t END), MIN(t) - 1) AS last_in_time
        FROM estimates GROUP BY order_id
    ), turns AS (
        SELECT e.order_id, p.latest, MIN(e.t) AS began_at
        FROM estimates e JOIN spans p ON p.order_id = e.order_id AND e.t > p.last_in_time
        GROUP BY e.order_id, p.latest
    ), late AS (
        SELECT e.*, p.began_at FROM estimates e
        JOIN turns p ON p.order_id = e.order_id AND p.latest = e.t
        WHERE LOWER(e.status) <> 'delivered'
    )
    SELECT e.customer_id, e.order_id AS subject, {urgency} AS urgency, e.began_at,
        CASE WHEN {estimated_until} >= {at}
            THEN LEAST({estimated_until}, {ends_at.format(began="e.began_at")})
            ELSE {ends_at.format(began="e.began_at")} END AS expires_at,
        0 AS preference, e.order_id, e.promised_at AS promised_on,
        CASE WHEN {estimated_until} >= {at} THEN e.estimated_at END AS estimated_on,
        CAST(CEIL(e.delay / {_DAY}) AS BIGINT) AS delay_days,
        CAST(NULL AS BIGINT) AS late_percent, CAST(NULL AS BIGINT) AS expected_on
    FROM late e WHERE e.began_at >= {at - micros(settings.delay_lookback_days)}
    UNION ALL
    SELECT o.customer_id, o.order_id, '{Urgency.PREDICTED}', o.t, o.promised_at - 1,
        0, o.order_id, o.promised_at, CAST(NULL AS BIGINT), CAST(NULL AS BIGINT),
        CAST(ROUND(1e2 * p.p_late) AS BIGINT), p.expected_at
    FROM orders o JOIN predictions p ON p.order_id = o.order_id
        LEFT JOIN turns l ON l.order_id = o.order_id
    WHERE o.delivered_at IS NULL AND o.promised_at > {at} AND l.order_id IS NULL
        AND p.p_late >= {write_double(settings.predicted_from)}
    """


def _order_shipped(at: int, settings: TriggerSettings) -> str:
    """Undelivered orders whose shipment has just been created; no day is named that has passed."""
    estimated_until = end_of_day("e.estimated_at")
    return f"""
    WITH created AS (
        SELECT tracking_id, MIN(t) AS began_at, MAX(t) AS latest FROM shipments GROUP BY tracking_id
    )
    SELECT o.customer_id, o.order_id AS subject, {NONE} AS urgency, s.began_at,
        s.began_at + {micros(settings.shipped_lookback_days)} AS expires_at, 0 AS preference,
        o.order_id, o.tracking_id,
        CASE WHEN {estimated_until} >= {at} THEN e.estimated_at END AS estimated_on
    FROM created s JOIN shipments e ON e.tracking_id = s.tracking_id AND e.t = s.latest
        JOIN orders o ON o.tracking_id = s.tracking_id
    WHERE o.delivered_at IS NULL AND LOWER(e.status) <> 'delivered'
        AND s.began_at >= {at - micros(settings.shipped_lookback_days)}
    """


DELIVERY_RULES: Final = (
    TriggerRule(
        Trigger.DELIVERY_DELAY, ("orders", "shipments"), _delivery_delay, told_by_subject=True
    ),
    TriggerRule(
        Trigger.ORDER_SHIPPED, ("orders", "shipments"), _order_shipped, told_by_subject=True
    ),
)
