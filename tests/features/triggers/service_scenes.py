"""Scenes of orders, payments, limits and service."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from features.vocabulary import Trigger
from tests.features.triggers.scenes import DAY, HOUR, NOW, TICK, TODAY, Row, Rows, Scenes

T = Trigger

_TRIGGERS = (
    T.DELIVERY_DELAY,
    T.ORDER_SHIPPED,
    T.PAYMENT_FAILURE_RISK,
    T.SERVICE_DISRUPTION,
    T.SUBSCRIPTION_LIMIT,
    T.ACCOUNT_ANOMALY,
)


def order(
    delay: timedelta = 2 * DAY,
    *,
    delivered_at: datetime | None = None,
    late_at: datetime = NOW - 3 * DAY,
    later: Sequence[Row] = (),
) -> Rows:
    """An order promised for yesterday evening, its estimate late since `late_at`."""
    promised_at = NOW - DAY
    estimate = {"tracking_id": "t", "updated_at": late_at, "estimated_at": promised_at + delay}
    row = {"order_id": "o", "tracking_id": "t", "ordered_at": NOW - 20 * DAY}
    return {
        "orders": [{**row, "promised_at": promised_at, "delivered_at": delivered_at}],
        "shipments": [estimate, *({"tracking_id": "t", **row} for row in later)],
    }


def shipped(
    created_at: datetime, *, later: Sequence[Row] = (), delivered_at: datetime | None = None
) -> Rows:
    row = {"order_id": "o", "tracking_id": "t", "ordered_at": NOW - 5 * DAY}
    first = {"tracking_id": "t", "updated_at": created_at, "estimated_at": NOW + 2 * DAY}
    return {
        "orders": [{**row, "delivered_at": delivered_at}],
        "shipments": [first, *({"tracking_id": "t", **row} for row in later)],
    }


def card(expires_on: datetime | None, *, status: str = "active", then: Sequence[Row] = ()) -> Rows:
    row = {"valid_from": NOW - 99 * DAY, "plan": "basic", "status": status}
    return {"subscriptions": [{**row, "card_expires_on": expires_on}, *then]}


def disruption(
    *, region: str = "north", starts_at: datetime = NOW - TICK, ends_at: datetime | None = None
) -> Rows:
    row = {"disruption_id": "d", "region": region, "service": "internet"}
    return {"disruptions": [{**row, "starts_at": starts_at, "ends_at": ends_at}]}


def usage(
    *reports: tuple[float, float], limit: float | None = 100.0, **subscription: object
) -> Rows:
    """Reports are (days ago, used)."""
    row = {"valid_from": NOW - 200 * DAY, "plan_limit": limit, "plan": "basic"}
    return {
        "subscriptions": [{**row, **subscription}],
        "usage": [{"at": NOW - ago * DAY, "used": used} for ago, used in reports],
    }


def acted(*events: tuple[str, timedelta, str | None], **more: Sequence[Row]) -> Rows:
    """Events are (kind, how long ago, item or place)."""
    rows = [
        {"kind": kind, "at": NOW - ago, "location" if kind == "login" else "item": thing}
        for kind, ago, thing in events
    ]
    return {"activity": rows, **more}


_SCENARIOS: Mapping[str, tuple[Trigger, Rows, bool]] = {
    "2 days late": (T.DELIVERY_DELAY, order(), True),
    "1 day late": (T.DELIVERY_DELAY, order(DAY), True),
    "not quite 1 day late": (T.DELIVERY_DELAY, order(DAY - TICK), False),
    "late and delivered": (T.DELIVERY_DELAY, order(delivered_at=NOW - TICK), False),
    "late, delivered at the moment": (T.DELIVERY_DELAY, order(delivered_at=NOW), True),
    "late, estimate known at the moment": (T.DELIVERY_DELAY, order(late_at=NOW), False),
    "late, then in time again": (
        T.DELIVERY_DELAY,
        order(later=[{"updated_at": NOW - DAY, "estimated_at": NOW - DAY}]),
        False,
    ),
    "late, then said to be delivered": (
        T.DELIVERY_DELAY,
        order(later=[{"updated_at": NOW - DAY, "estimated_at": NOW + DAY, "status": "delivered"}]),
        False,
    ),
    "late for 14 days": (T.DELIVERY_DELAY, order(late_at=NOW - 14 * DAY), True),
    "late for longer": (T.DELIVERY_DELAY, order(late_at=NOW - 14 * DAY - TICK), False),
    "card expires in 30 days": (T.PAYMENT_FAILURE_RISK, card(TODAY + 30 * DAY), True),
    "card expires in 31 days": (T.PAYMENT_FAILURE_RISK, card(TODAY + 31 * DAY), False),
    "card expires today": (T.PAYMENT_FAILURE_RISK, card(TODAY), True),
    "card expired yesterday": (T.PAYMENT_FAILURE_RISK, card(TODAY - DAY), False),
    "no card": (T.PAYMENT_FAILURE_RISK, card(None), False),
    "card expires, canceled": (
        T.PAYMENT_FAILURE_RISK,
        card(TODAY + DAY, status="canceled"),
        False,
    ),
    "card expires, new card on file": (
        T.PAYMENT_FAILURE_RISK,
        card(TODAY + DAY, then=[{"valid_from": NOW - DAY, "card_expires_on": TODAY + 900 * DAY}]),
        False,
    ),
    "card expires, new card at the moment": (
        T.PAYMENT_FAILURE_RISK,
        card(TODAY + DAY, then=[{"valid_from": NOW, "card_expires_on": TODAY + 900 * DAY}]),
        True,
    ),
    "region is down": (T.SERVICE_DISRUPTION, disruption(), True),
    "another region is down": (T.SERVICE_DISRUPTION, disruption(region="south"), False),
    "region went down at the moment": (T.SERVICE_DISRUPTION, disruption(starts_at=NOW), False),
    "region is up again": (
        T.SERVICE_DISRUPTION,
        disruption(starts_at=NOW - DAY, ends_at=NOW - TICK),
        False,
    ),
    "region comes up at the moment": (T.SERVICE_DISRUPTION, disruption(ends_at=NOW), True),
    "region is down for 7 days": (
        T.SERVICE_DISRUPTION,
        disruption(starts_at=NOW - 7 * DAY),
        True,
    ),
    "region is down for longer": (
        T.SERVICE_DISRUPTION,
        disruption(starts_at=NOW - 7 * DAY - TICK),
        False,
    ),
    "used 80 %": (T.SUBSCRIPTION_LIMIT, usage((1, 80.0)), False),
    "used a little more than 80 %": (T.SUBSCRIPTION_LIMIT, usage((1, 80.0001)), True),
    "used a little less than all": (T.SUBSCRIPTION_LIMIT, usage((1, 99.9999)), True),
    "used all": (T.SUBSCRIPTION_LIMIT, usage((1, 100.0)), False),
    "used 240 of 300": (T.SUBSCRIPTION_LIMIT, usage((1, 240.0), limit=300.0), False),
    "used 90 %, upsell shown": (
        T.SUBSCRIPTION_LIMIT,
        usage((1, 90.0), upsell_shown=True),
        False,
    ),
    "used 90 %, canceled": (T.SUBSCRIPTION_LIMIT, usage((1, 90.0), status="canceled"), False),
    "used 90 of no limit": (T.SUBSCRIPTION_LIMIT, usage((1, 90.0), limit=None), False),
    "used 90 of nothing": (T.SUBSCRIPTION_LIMIT, usage((1, 90.0), limit=0.0), False),
    "used 90 %, new period": (T.SUBSCRIPTION_LIMIT, usage((3, 90.0), (1, 5.0)), False),
    "used 90 %, reported at the moment": (T.SUBSCRIPTION_LIMIT, usage((0, 90.0)), False),
    "used 90 %, reported 31 days ago": (T.SUBSCRIPTION_LIMIT, usage((31, 90.0)), True),
    "used 90 %, reported before that": (T.SUBSCRIPTION_LIMIT, usage((31.1, 90.0)), False),
    "login from a new place": (
        T.ACCOUNT_ANOMALY,
        acted(("login", 9 * DAY, "Almaty"), ("login", DAY, "Oral")),
        True,
    ),
    "login from a new place, long ago": (
        T.ACCOUNT_ANOMALY,
        acted(("login", 9 * DAY, "Almaty"), ("login", DAY + TICK, "Oral")),
        False,
    ),
    "login from a new place at the moment": (
        T.ACCOUNT_ANOMALY,
        acted(("login", 9 * DAY, "Almaty"), ("login", 0 * DAY, "Oral")),
        False,
    ),
    "first login ever": (T.ACCOUNT_ANOMALY, acted(("login", HOUR, "Oral")), False),
    "first login with a place": (
        T.ACCOUNT_ANOMALY,
        acted(("login", 9 * DAY, None), ("login", HOUR, "Oral")),
        False,
    ),
    "login from a known place": (
        T.ACCOUNT_ANOMALY,
        acted(("login", 9 * DAY, "Oral"), ("login", 8 * DAY, "Almaty"), ("login", HOUR, "Oral")),
        False,
    ),
    "shipment created": (T.ORDER_SHIPPED, shipped(NOW - DAY), True),
    "shipment created long ago": (T.ORDER_SHIPPED, shipped(NOW - DAY - TICK), False),
    "shipment created at the moment": (T.ORDER_SHIPPED, shipped(NOW), False),
    "shipment created and delivered": (
        T.ORDER_SHIPPED,
        shipped(NOW - DAY, delivered_at=NOW - HOUR),
        False,
    ),
    "shipment moved on": (
        T.ORDER_SHIPPED,
        shipped(NOW - 2 * DAY, later=[{"updated_at": NOW - HOUR, "estimated_at": NOW}]),
        False,
    ),
}

# Of each trigger a scenario: when its problem began, subject, urgency, evidence in Almaty (+5).
_TOLD: Mapping[str, tuple[datetime, str, str | None, dict[str, object]]] = {
    "2 days late": (
        NOW - 3 * DAY,
        "o",
        "moderate",
        {
            "order_id": "o",
            "promised_on": "2026-03-10",
            "estimated_on": "2026-03-12",
            "delay_days": 2,
            "urgency": "moderate",
        },
    ),
    "card expires in 30 days": (
        TODAY,
        "2026-03-10",
        "minor",
        {"card_expires_on": "2026-04-09", "plan": "basic"},
    ),
    "region is down for 7 days": (
        NOW - 7 * DAY,
        "d",
        "significant",
        {"service": "internet", "region": "north", "started_at": "2026-03-04T01:30:00+05:00"},
    ),
    "used a little less than all": (
        NOW - DAY,
        "2026-03-09",
        "significant",
        {"used": 99, "plan_limit": 100, "used_percent": 99},
    ),
    "login from a new place": (
        NOW - DAY,
        "Oral",
        "moderate",
        {
            "location": "Oral",
            "login_at": "2026-03-10T01:30:00+05:00",
            "signs": "new place",
            "n_places": 1,
        },
    ),
    "shipment created": (
        NOW - DAY,
        "o",
        None,
        {"order_id": "o", "tracking_id": "t", "estimated_on": "2026-03-13"},
    ),
}

SERVICE = Scenes(_TRIGGERS, _SCENARIOS, _TOLD)
