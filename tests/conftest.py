"""What several test folders share."""

import os
from pathlib import Path

import pandas as pd
import pytest

from features.checks import require_valid

Frames = dict[str, pd.DataFrame]

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of public data sets; tests that need it are skipped where it is absent."""
    folder = Path(os.environ.get("OPPORTUNE_SHARED_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no public data sets at {folder}; set OPPORTUNE_SHARED_DATA")
    return folder


@pytest.fixture
def clean_tables(_clean_tables: Frames) -> Frames:
    """Every table of the contracts, 20 rows each, valid and known before 2024-03-01."""
    return {name: frame.copy() for name, frame in _clean_tables.items()}


@pytest.fixture(scope="session")
def _clean_tables() -> Frames:
    n = 20
    rows = range(n)
    at = pd.Series(pd.date_range("2024-01-01", periods=n, freq="1D", tz="UTC", unit="us"))
    day = pd.Timedelta(days=1)
    customer_id = [f"c{row}" for row in rows]
    half = pd.Series([row % 2 == 0 for row in rows])
    raw = {
        "customers": {
            "customer_id": customer_id,
            "signed_up_at": at,
            "first_name": ["Айгүл" if row % 2 else None for row in rows],
            "language": "kk",
            "timezone": "Asia/Almaty",
            "preferred_channel": ["push" if row % 2 else None for row in rows],
            **{
                f"consent_{channel}": pd.Series([True, None, False, True] * 5, dtype="boolean")
                for channel in ("email", "sms", "push", "in_app", "whatsapp")
            },
            "active_from_hour": pd.Series([9, None] * 10, dtype="Int64"),
        },
        "activity": {
            "customer_id": customer_id,
            "at": at + day,
            "kind": "page_view",
            "value": [1.5, None] * 10,
            "item": "tea",
        },
        "orders": {
            "order_id": [f"o{row}" for row in rows],
            "customer_id": customer_id,
            "ordered_at": at + day,
            "delivered_at": (at + 3 * day).where(half),
            "amount_cents": range(100, 100 + n),
        },
        "shipments": {
            "tracking_id": [f"t{row // 2}" for row in rows],
            "updated_at": at,
            "estimated_at": at + day,
            "status": "on its way",
        },
        "subscriptions": {
            "customer_id": customer_id,
            "valid_from": at,
            "plan": "basic",
            "mrr_cents": 990,
            "status": "active",
            "card_expires_on": pd.Timestamp("2025-06-30", tz="UTC"),
            "upsell_shown": half,
        },
        "usage": {"customer_id": customer_id, "at": at, "used": 3.5},
        "invoices": {
            "invoice_id": [f"i{row}" for row in rows],
            "customer_id": customer_id,
            "issued_at": at,
            "due_at": at + 14 * day,
            "paid_at": (at + day).where(half),
            "amount_cents": 990,
            "disputed": half,
        },
        "tickets": {
            "ticket_id": [f"k{row}" for row in rows],
            "customer_id": customer_id,
            "opened_at": at,
            "resolved_at": (at + day).where(half),
            "escalated": ~half,
        },
        "surveys": {"customer_id": customer_id, "at": at, "nps": [row % 11 for row in rows]},
        "prices": {"item": "tea", "at": at, "price_cents": 250},
        "disruptions": {
            "disruption_id": [f"d{row}" for row in rows],
            "region": "north",
            "starts_at": at,
            "ends_at": (at + day).where(half),
            "service": "internet",
        },
        "messages": {
            "message_id": [f"m{row}" for row in rows],
            "decision_id": [f"x{row}" for row in rows],
            "customer_id": customer_id,
            "trigger": "price_drop",
            "channel": "email",
            "sent_at": at,
            "arm": "random",
            "propensity": 0.25,
            "cost_cents": 0.1,
        },
        "outcomes": {
            "message_id": [f"m{row}" for row in rows],
            "outcome": "opened",
            "at": at + pd.Timedelta(hours=6),
            "machine": half,
        },
        "inbound": {
            "inbound_id": [f"b{row}" for row in rows],
            "at": at,
            "customer_id": [f"c{row}" if row % 2 else None for row in rows],
            "source": "whatsapp",
            "text": 'Where is "it", please?\nThanks',
        },
        "vendors": {
            "vendor_id": [f"v{row}" for row in rows],
            "kind": "plumber",
            "name": "Aqua",
            "region": "north",
            "rating": 4.5,
            "eta_minutes": 30.0,
            "whatsapp": half,
            "rate_cents": 5000,
        },
    }
    return dict(require_valid({name: pd.DataFrame(table) for name, table in raw.items()}))
