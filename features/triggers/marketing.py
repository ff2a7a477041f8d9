"""Triggers about what a customer looked at and did not buy, or about their silence."""

from typing import Final

from features.point_in_time.spine import MICROS_PER_DAY
from features.triggers.rules import NONE, TriggerRule, grade, micros
from features.triggers.settings import TriggerSettings
from features.vocabulary import Trigger

_DAY = f"{MICROS_PER_DAY}e0"


def _abandoned_cart(at: int, settings: TriggerSettings) -> str:
    """Items put into the cart since the last purchase; the last one stands for the cart."""
    return f"""
    WITH bought AS (SELECT customer_id, MAX(t) AS t FROM purchases GROUP BY customer_id),
    cart AS (
        SELECT a.customer_id, a.item, MAX(a.t) AS added_at
        FROM recent_activity a LEFT JOIN bought b ON b.customer_id = a.customer_id
        WHERE a.kind = 'cart_add' AND a.t >= {at - micros(settings.cart_lookback_days)}
            AND (b.t IS NULL OR a.t > b.t)
        GROUP BY a.customer_id, a.item
    )
    SELECT customer_id, COALESCE(item, 'cart') AS subject, {NONE} AS urgency,
        added_at AS began_at, added_at + {micros(settings.cart_lookback_days)} AS expires_at,
        added_at AS preference, item,
        COUNT(item) OVER (PARTITION BY customer_id) AS n_items
    FROM cart
    """


def _browse_abandonment(at: int, settings: TriggerSettings) -> str:
    """The item viewed last, with neither a purchase nor anything put into the cart since."""
    return f"""
    WITH moves AS (
        SELECT customer_id, t FROM purchases
        UNION ALL SELECT customer_id, t FROM recent_activity WHERE kind = 'cart_add'
    ), went_on AS (SELECT customer_id, MAX(t) AS t FROM moves GROUP BY customer_id)
    SELECT a.customer_id, a.item AS subject, {NONE} AS urgency, MAX(a.t) AS began_at,
        MAX(a.t) + {micros(settings.view_lookback_days)} AS expires_at,
        MAX(a.t) AS preference, a.item
    FROM recent_activity a LEFT JOIN went_on w ON w.customer_id = a.customer_id
    WHERE a.kind = 'page_view' AND a.item IS NOT NULL AND (w.t IS NULL OR a.t > w.t)
        AND a.t >= {at - micros(settings.view_lookback_days)}
    GROUP BY a.customer_id, a.item
    """


def _price_drop(at: int, settings: TriggerSettings) -> str:
    """Items that now cost less than when last viewed, their last change of price a fall.

    Repeated reports of one price are one price. What was bought since is left out.
    """
    return f"""
    WITH reports AS (
        SELECT item, t, price_cents, LAG(price_cents) OVER (PARTITION BY item ORDER BY t) AS before
        FROM prices
    ), changes AS (
        SELECT item, t, price_cents, before,
            ROW_NUMBER() OVER (PARTITION BY item ORDER BY t DESC) AS place
        FROM reports WHERE before IS NULL OR price_cents <> before
    ), falls AS (
        SELECT item, t, price_cents FROM changes
        WHERE place = 1 AND price_cents < before
            AND t >= {at - micros(settings.price_lookback_days)}
    ), views AS (
        SELECT a.customer_id, f.item, f.t, f.price_cents,
            MAX(CASE WHEN a.kind <> 'purchase' AND a.t < f.t THEN a.t END) AS viewed_at,
            MAX(CASE WHEN a.kind = 'purchase' THEN a.t END) AS bought_at
        FROM recent_activity a JOIN falls f ON f.item = a.item
        WHERE a.kind IN ('page_view', 'cart_add', 'purchase')
            AND a.t >= f.t - {micros(settings.viewed_before_days)}
        GROUP BY a.customer_id, f.item, f.t, f.price_cents
    ), seen AS (
        SELECT v.customer_id, v.item, v.t, v.price_cents, MAX(r.t) AS changed_at
        FROM views v JOIN changes r ON r.item = v.item AND r.t <= v.viewed_at
        WHERE v.bought_at IS NULL OR v.bought_at < v.viewed_at
        GROUP BY v.customer_id, v.item, v.t, v.price_cents
    )
    SELECT s.customer_id, s.item AS subject, {NONE} AS urgency, s.t AS began_at,
        s.t + {micros(settings.price_lookback_days)} AS expires_at,
        r.price_cents - s.price_cents AS preference, s.item,
        r.price_cents AS old_price_cents, s.price_cents AS new_price_cents
    FROM seen s JOIN changes r ON r.item = s.item AND r.t = s.changed_at
    WHERE s.price_cents < r.price_cents
    """


def _inactivity(at: int, settings: TriggerSettings) -> str:
    """Nothing done, since signing up at the latest, for a week and not yet for a month.

    Whoever has canceled is not inactive but gone.
    """
    urgency = grade(
        significant=f"since >= {micros(settings.inactive_significant_days)}",
        moderate=f"since >= {micros(settings.inactive_moderate_days)}",
    )
    return f"""
    WITH signs AS (
        SELECT customer_id, t FROM recent_activity UNION ALL SELECT customer_id, t FROM orders
        UNION ALL SELECT customer_id, t FROM customers
    ), quiet AS (SELECT customer_id, {at} - MAX(t) AS since FROM signs GROUP BY customer_id)
    SELECT q.customer_id, {NONE} AS subject, {urgency} AS urgency,
        {at} - since + {micros(settings.inactive_from_days)} AS began_at,
        {at} - since + {micros(settings.inactive_up_to_days)} AS expires_at, 0 AS preference,
        CAST(FLOOR(since / {_DAY}) AS BIGINT) AS days_inactive
    FROM quiet q
        LEFT JOIN subscription_now s ON s.customer_id = q.customer_id AND s.status = 'canceled'
    WHERE since >= {micros(settings.inactive_from_days)}
        AND since <= {micros(settings.inactive_up_to_days)}
        AND s.customer_id IS NULL
    """


MARKETING_RULES: Final = (
    TriggerRule(Trigger.ABANDONED_CART, ("activity",), _abandoned_cart, one_per_customer=True),
    TriggerRule(
        Trigger.BROWSE_ABANDONMENT, ("activity",), _browse_abandonment, one_per_customer=True
    ),
    TriggerRule(Trigger.PRICE_DROP, ("activity", "prices"), _price_drop, one_per_customer=True),
    TriggerRule(Trigger.INACTIVITY, ("activity",), _inactivity),
)
