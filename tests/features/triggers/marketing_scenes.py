"""Scenes of what was looked at and not bought, and of silence."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from features.vocabulary import Trigger
from tests.features.triggers.scenes import DAY, HOUR, NOW, TICK, Row, Rows, Scenes

T = Trigger

_TRIGGERS = (T.ABANDONED_CART, T.BROWSE_ABANDONMENT, T.PRICE_DROP, T.INACTIVITY)


def acted(*events: tuple[str, timedelta, str | None], **more: Sequence[Row]) -> Rows:
    """Events are (kind, how long ago, item or place)."""
    rows = [
        {"kind": kind, "at": NOW - ago, "location" if kind == "login" else "item": thing}
        for kind, ago, thing in events
    ]
    return {"activity": rows, **more}


def priced(*prices: tuple[float, int], view: timedelta = 2 * DAY, **more: Sequence[Row]) -> Rows:
    """Prices of tea are (days ago, cents); it was viewed `view` ago."""
    rows = [{"item": "tea", "at": NOW - ago * DAY, "price_cents": cents} for ago, cents in prices]
    return acted(("page_view", view, "tea"), prices=rows, **more)


_SCENARIOS: Mapping[str, tuple[Trigger, Rows, bool]] = {
    "cart": (T.ABANDONED_CART, acted(("cart_add", 3 * DAY, "tea")), True),
    "cart of long ago": (T.ABANDONED_CART, acted(("cart_add", 3 * DAY + TICK, "tea")), False),
    "cart at the moment": (T.ABANDONED_CART, acted(("cart_add", 0 * DAY, "tea")), False),
    "cart bought": (
        T.ABANDONED_CART,
        acted(("cart_add", 2 * HOUR, "tea"), ("purchase", 2 * HOUR, None)),
        False,
    ),
    "cart ordered": (
        T.ABANDONED_CART,
        acted(("cart_add", 2 * HOUR, "tea"), orders=[{"order_id": "o", "ordered_at": NOW - HOUR}]),
        False,
    ),
    "cart between purchases": (
        T.ABANDONED_CART,
        acted(
            ("purchase", 3 * HOUR, None), ("cart_add", 2 * HOUR, "tea"), ("purchase", HOUR, None)
        ),
        False,
    ),
    "cart after a purchase": (
        T.ABANDONED_CART,
        acted(("purchase", 3 * HOUR, None), ("cart_add", 2 * HOUR, "tea")),
        True,
    ),
    "cart of something without a name": (
        T.ABANDONED_CART,
        acted(("cart_add", HOUR, None)),
        True,
    ),
    "view": (T.BROWSE_ABANDONMENT, acted(("page_view", 2 * DAY, "tea")), True),
    "view of long ago": (
        T.BROWSE_ABANDONMENT,
        acted(("page_view", 2 * DAY + TICK, "tea")),
        False,
    ),
    "view at the moment": (T.BROWSE_ABANDONMENT, acted(("page_view", 0 * DAY, "tea")), False),
    "view of no item": (T.BROWSE_ABANDONMENT, acted(("page_view", HOUR, None)), False),
    "view, then bought": (
        T.BROWSE_ABANDONMENT,
        acted(("page_view", 2 * HOUR, "tea"), ("purchase", HOUR, None)),
        False,
    ),
    "view, then put into the cart": (
        T.BROWSE_ABANDONMENT,
        acted(("page_view", 2 * HOUR, "tea"), ("cart_add", HOUR, "tea")),
        False,
    ),
    "view, at once bought": (
        T.BROWSE_ABANDONMENT,
        acted(("page_view", HOUR, "tea"), ("purchase", HOUR, None)),
        False,
    ),
    "view between purchases": (
        T.BROWSE_ABANDONMENT,
        acted(
            ("purchase", 3 * HOUR, None), ("page_view", 2 * HOUR, "tea"), ("purchase", HOUR, None)
        ),
        False,
    ),
    "view after a purchase": (
        T.BROWSE_ABANDONMENT,
        acted(("purchase", 2 * HOUR, None), ("page_view", HOUR, "tea")),
        True,
    ),
    "price fell": (T.PRICE_DROP, priced((9, 900), (1, 800)), True),
    "price rose": (T.PRICE_DROP, priced((9, 800), (1, 900)), False),
    "price fell 3 days ago": (T.PRICE_DROP, priced((9, 900), (3, 800), view=4 * DAY), True),
    "price fell long ago": (T.PRICE_DROP, priced((9, 900), (3.1, 800), view=4 * DAY), False),
    "price falls at the moment": (T.PRICE_DROP, priced((9, 900), (0, 800)), False),
    "price fell, repeated since": (T.PRICE_DROP, priced((9, 900), (1, 800), (0.5, 800)), True),
    "price fell long ago, repeated since": (
        T.PRICE_DROP,
        priced((9, 900), (4, 800), (0.5, 800), view=5 * DAY),
        False,
    ),
    "price fell, only seen since": (T.PRICE_DROP, priced((9, 900), (1, 800), view=DAY), False),
    "price fell, seen 30 days before": (
        T.PRICE_DROP,
        priced((99, 900), (1, 800), view=31 * DAY),
        True,
    ),
    "price fell, seen longer before": (
        T.PRICE_DROP,
        priced((99, 900), (1, 800), view=31 * DAY + TICK),
        False,
    ),
    "price rose and fell back": (T.PRICE_DROP, priced((9, 800), (1.9, 900), (1, 800)), False),
    "price rose, fell to less than seen": (
        T.PRICE_DROP,
        priced((9, 800), (1.9, 900), (1, 700)),
        True,
    ),
    "price fell below that of the moment it was seen": (
        T.PRICE_DROP,
        priced((9, 800), (2, 900), (1, 850)),
        True,
    ),
    "price fell, item bought when seen": (
        T.PRICE_DROP,
        {
            **priced((9, 900), (1, 800)),
            **acted(("page_view", 2 * DAY, "tea"), ("purchase", 2 * DAY, "tea")),
        },
        False,
    ),
    "price fell, item bought before and since": (
        T.PRICE_DROP,
        {
            **priced((9, 900), (1, 800)),
            **acted(
                ("purchase", 3 * DAY, "tea"),
                ("page_view", 2 * DAY, "tea"),
                ("purchase", HOUR, "tea"),
            ),
        },
        False,
    ),
    "price fell, item bought": (
        T.PRICE_DROP,
        {
            **priced((9, 900), (1, 800)),
            **acted(("page_view", 2 * DAY, "tea"), ("purchase", HOUR, "tea")),
        },
        False,
    ),
    "price fell, something else bought": (
        T.PRICE_DROP,
        {
            **priced((9, 900), (1, 800)),
            **acted(("page_view", 2 * DAY, "tea"), ("purchase", HOUR, "salt")),
        },
        True,
    ),
    "inactive for 7 days": (T.INACTIVITY, acted(("login", 7 * DAY, None)), True),
    "inactive for less": (T.INACTIVITY, acted(("login", 7 * DAY - TICK, None)), False),
    "inactive for 30 days": (T.INACTIVITY, acted(("login", 30 * DAY, None)), True),
    "inactive for longer": (T.INACTIVITY, acted(("login", 30 * DAY + TICK, None)), False),
    "inactive, and canceled": (
        T.INACTIVITY,
        acted(
            ("login", 9 * DAY, None),
            subscriptions=[{"valid_from": NOW - 60 * DAY, "status": "canceled"}],
        ),
        False,
    ),
    "inactive, and canceled before, but came back": (
        T.INACTIVITY,
        acted(
            ("login", 9 * DAY, None),
            subscriptions=[
                {"valid_from": NOW - 60 * DAY, "status": "canceled"},
                {"valid_from": NOW - 40 * DAY, "status": "active"},
            ],
        ),
        True,
    ),
    "inactive, but ordered": (
        T.INACTIVITY,
        acted(("login", 9 * DAY, None), orders=[{"order_id": "o", "ordered_at": NOW - DAY}]),
        False,
    ),
}

# Of each trigger a scenario: when its problem began, subject, urgency, evidence in Almaty (+5).
_TOLD: Mapping[str, tuple[datetime, str, str | None, dict[str, object]]] = {
    "cart": (NOW - 3 * DAY, "tea", None, {"item": "tea", "n_items": 1}),
    "view": (NOW - 2 * DAY, "tea", None, {"item": "tea"}),
    "price rose, fell to less than seen": (
        NOW - DAY,
        "tea",
        None,
        {"item": "tea", "old_price_cents": 800, "new_price_cents": 700},
    ),
    "inactive for 30 days": (NOW - 23 * DAY, "2026-02-15", "significant", {"days_inactive": 30}),
}

MARKETING = Scenes(_TRIGGERS, _SCENARIOS, _TOLD)
