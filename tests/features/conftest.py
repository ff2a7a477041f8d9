"""Small tables by hand, and random histories of every table around a moment."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

import numpy as np
import pandas as pd
import pytest

from features.contracts import CONTRACTS, DTYPES, EVENT_ID, KNOWN_AT, Column, Kind
from features.vocabulary import Channel, Outcome, Trigger

Row = Mapping[str, object]
Frames = dict[str, pd.DataFrame]

_BY_KIND: Mapping[Kind, object] = {
    Kind.ID: "x",
    Kind.TEXT: "x",
    Kind.CENTS: 100,
    Kind.COUNT: 1,
    Kind.NUMBER: 0.5,
    Kind.FLAG: False,
    Kind.CONSENT: None,
    Kind.HOUR: 0,
}
_BY_NAME: Mapping[str, object] = {
    "timezone": "UTC",
    "language": "en",
    "channel": "email",
    "trigger": "inactivity",
    "arm": "random",
    "outcome": "opened",
    "status": "active",
    "signed_up_at": datetime.fromisoformat("2020-01-01T00:00:00+00:00"),
}


def _fill(column: Column, row: Row) -> object:
    if column.name in row:
        return row[column.name]
    if column.optional:
        return None
    return _BY_NAME.get(column.name, _BY_KIND.get(column.kind))


@pytest.fixture(scope="session")
def make_table() -> Callable[..., pd.DataFrame]:
    """A conformed frame from rows that name only what matters: `make_table("usage", {...})`."""

    def make(name: str, *rows: Row) -> pd.DataFrame:
        columns = CONTRACTS[name].columns
        for row in rows:
            assert set(row) <= {column.name for column in columns}, f"{name} has no such column"
        return pd.DataFrame(
            {
                c.name: pd.Series([_fill(c, row) for row in rows], dtype=DTYPES[c.kind])
                for c in columns
            }
        )

    return make


_TICK = timedelta(microseconds=1)
_EDGE_DAYS = (0, 1, 2, 3, 7, 14, 30, 60, 90)
T = TypeVar("T")


class Dice:
    """Random values; half of the moments lie exactly on an edge.

    Edges are a moment, its midnight, and both less the lengths of windows, each also one
    microsecond before and after.
    """

    def __init__(self, seed: int, *, around: datetime) -> None:
        self.rng = np.random.default_rng(seed)
        self.around = around
        midnight = around.replace(hour=0, minute=0, second=0, microsecond=0)
        self.edges = [
            start - timedelta(days=days) + tick
            for start in (around, midnight)
            for days in _EDGE_DAYS
            for tick in (-_TICK, timedelta(0), _TICK)
        ]

    def pick(self, values: Sequence[T]) -> T:
        return values[int(self.rng.integers(len(values)))]

    def chance(self, p: float) -> bool:
        return bool(self.rng.random() < p)

    def number(self, low: int, high: int) -> int:
        return int(self.rng.integers(low, high))

    def customer(self) -> str:
        """Mostly c0, seldom c9."""
        return f"c{min(self.number(0, 10), self.number(0, 10))}"

    def item(self) -> str | None:
        return self.pick(["tea", "salt", "soap", None])

    def moment(self) -> datetime:
        if self.chance(0.5):
            return self.pick(self.edges)
        days = self.pick([-100.0, -20.0, -4.0, 10.0, 10.0]) * self.rng.random()
        return self.around + timedelta(seconds=round(days * 86_400))

    def after(self, begin: datetime) -> datetime:
        later = [edge for edge in self.edges if edge >= begin]
        if later and self.chance(0.4):
            return self.pick(later)
        return begin + timedelta(seconds=self.number(0, 20 * 86_400))

    def maybe_late(self) -> datetime | None:
        """When a row became known; mostly it does not say."""
        return self.moment() if self.chance(0.4) else None

    def maybe_after(self, begin: datetime) -> datetime | None:
        return self.after(begin) if self.chance(0.7) else None


def _draw_customer(dice: Dice, n: int) -> Row:
    return {
        "customer_id": f"c{n}",
        "signed_up_at": dice.moment(),
        "timezone": dice.pick(["Asia/Almaty", "Europe/Berlin", "America/New_York"]),
        "region": dice.pick(["north", "south"]),
        "segment": ("family", "семья", None)[n % 3],
    }


def _draw_activity(dice: Dice, n: int) -> Row:
    kinds = ["login", "session", "feature_use", "page_view", "cart_add", "purchase"]
    return {
        "customer_id": dice.customer(),
        "at": dice.moment(),
        "kind": dice.pick([*kinds, "page_view", "onboarding_step"]),
        "value": dice.pick([None, round(float(dice.rng.normal(20.0, 9.0)), 3)]),
        "item": dice.item(),
        "location": dice.pick(["Almaty", "Astana", "Oral", None]),
    }


def _draw_order(dice: Dice, n: int) -> Row:
    at = dice.moment()
    return {
        "order_id": f"o{n}",
        "customer_id": dice.customer(),
        "tracking_id": f"t{n}",
        "ordered_at": at,
        "promised_at": dice.maybe_after(at),
        "delivered_at": dice.maybe_after(at),
        "amount_cents": dice.number(0, 9_999),
    }


def _draw_shipment(dice: Dice, n: int) -> Row:
    at = dice.moment()
    return {
        "tracking_id": f"t{dice.number(0, 40)}",
        "updated_at": at,
        "estimated_at": dice.after(at),
        "status": dice.pick(["created", "moving", "moving", "delivered"]),
    }


def _draw_subscription(dice: Dice, n: int) -> Row:
    at = dice.moment()
    day = at.replace(hour=0, minute=0, second=0, microsecond=0)
    return {
        "customer_id": dice.customer(),
        "valid_from": at,
        "mrr_cents": dice.number(0, 5_000),
        "plan_limit": dice.pick([None, 0.0, 100.0, 100.0]),
        "status": dice.pick(["active", "active", "canceled"]),
        "card_expires_on": dice.pick([None, day + timedelta(days=dice.number(0, 120))]),
        "upsell_shown": dice.chance(0.3),
    }


def _draw_usage(dice: Dice, n: int) -> Row:
    used = dice.pick([80.0, 90.0, 100.0, 95.5, 10.0])
    return {"customer_id": dice.customer(), "at": dice.moment(), "used": used}


def _draw_invoice(dice: Dice, n: int) -> Row:
    at = dice.moment()
    due_at = dice.after(at)
    return {
        "invoice_id": f"i{n}",
        "customer_id": dice.customer(),
        "issued_at": at,
        "due_at": due_at,
        "paid_at": dice.pick([dice.maybe_after(at), due_at]),
        "disputed": dice.chance(0.3),
    }


def _draw_ticket(dice: Dice, n: int) -> Row:
    at = dice.moment()
    return {
        "ticket_id": f"k{n}",
        "customer_id": dice.customer(),
        "opened_at": at,
        "resolved_at": dice.maybe_after(at),
        "escalated": dice.chance(0.3),
    }


def _draw_survey(dice: Dice, n: int) -> Row:
    return {"customer_id": dice.customer(), "at": dice.moment(), "nps": dice.number(0, 11)}


def _draw_price(dice: Dice, n: int) -> Row:
    price = dice.pick([900, 500, 100])
    return {"item": dice.item() or "tea", "at": dice.moment(), "price_cents": price}


def _draw_disruption(dice: Dice, n: int) -> Row:
    at = dice.moment()
    return {
        "disruption_id": f"d{n}",
        "region": dice.pick(["north", "south", "west"]),
        "starts_at": at,
        "ends_at": dice.maybe_after(at),
    }


def _draw_message(dice: Dice, n: int) -> Row:
    return {
        "message_id": f"m{n}",
        "customer_id": dice.customer(),
        "trigger": dice.pick(tuple(Trigger)),
        "channel": dice.pick(tuple(Channel)),
        "sent_at": dice.moment(),
    }


def _draw_outcome(dice: Dice, n: int) -> Row:
    return {
        "message_id": f"m{dice.number(0, 100)}",
        "outcome": dice.pick((Outcome.OPENED, Outcome.CLICKED, *Outcome)),
        "at": dice.moment(),  # may lie before its message: known when both are
        "machine": dice.chance(0.2),
    }


def _draw_inbound(dice: Dice, n: int) -> Row:
    return {"inbound_id": f"b{n}", "customer_id": dice.customer(), "at": dice.moment()}


def _draw_decision(dice: Dice, n: int) -> Row:
    return {
        "decision_id": f"e{n}",
        "customer_id": dice.customer(),
        "trigger": dice.pick(tuple(Trigger)),
        "channel": dice.pick([None, *Channel]),
        "decided_at": dice.moment(),
        **{f"p_{channel}": dice.pick([0.0, 0.1]) for channel in Channel},
    }


_DRAWN: Mapping[str, tuple[int, Callable[[Dice, int], Row]]] = {
    "customers": (16, _draw_customer),
    "activity": (400, _draw_activity),
    "orders": (40, _draw_order),
    "shipments": (70, _draw_shipment),
    "subscriptions": (60, _draw_subscription),
    "usage": (100, _draw_usage),
    "invoices": (80, _draw_invoice),
    "tickets": (80, _draw_ticket),
    "surveys": (300, _draw_survey),
    "prices": (60, _draw_price),
    "disruptions": (20, _draw_disruption),
    "messages": (100, _draw_message),
    "outcomes": (300, _draw_outcome),
    "inbound": (20, _draw_inbound),
    "decisions": (60, _draw_decision),
}


@pytest.fixture(scope="session")
def draw_history(make_table: Callable[..., pd.DataFrame]) -> Callable[..., Frames]:
    """Random rows of every table that tells of customers, before and after a moment."""

    def draw(seed: int, *, around: datetime) -> Frames:
        dice = Dice(seed, around=around)
        frames = {}
        for name, (n_rows, draw_row) in _DRAWN.items():
            frame = make_table(name, *(draw_row(dice, n) for n in range(n_rows)))
            key = list(CONTRACTS[name].key)
            frames[name] = frame.drop_duplicates(key, ignore_index=True) if key else frame
        return frames

    return draw


def _make_late(name: str, frame: pd.DataFrame, dice: Dice) -> pd.DataFrame:
    """The frame with rows that became known late, corrections by key and repeats by event_id."""
    contract = CONTRACTS[name]
    if KNOWN_AT not in frame:
        return frame
    known = pd.Series([dice.maybe_late() for _ in range(len(frame))], dtype=DTYPES[Kind.TIME])
    first = frame.assign(known_at=known)
    if not contract.corrected and EVENT_ID not in frame:
        return first
    again = first.loc[dice.rng.random(len(first)) < 0.4]
    again = again.assign(known_at=[dice.moment() for _ in range(len(again))])
    if EVENT_ID in frame:
        ids = [f"e{n}" if dice.chance(0.6) else None for n in range(len(first))]
        first = first.assign(event_id=pd.Series(ids, dtype="str"))
        again = again.assign(event_id=first["event_id"]).dropna(subset=EVENT_ID)
    else:
        stays = {*contract.key, "customer_id", KNOWN_AT}
        other = first.sample(len(again), random_state=dice.number(0, 999)).set_axis(again.index)
        again = again.assign(**{c: other[c] for c in again.columns if c not in stays})
    whole = pd.concat([first, again], ignore_index=True).astype(first.dtypes)
    whole = whole.drop_duplicates([*contract.identity, KNOWN_AT] if contract.key else None)
    return whole.sample(frac=1.0, random_state=1).reset_index(drop=True)


@pytest.fixture(scope="session")
def make_late() -> Callable[..., Frames]:
    """Histories in which some rows come late and some come again."""

    def make(frames: Frames, seed: int, *, around: datetime) -> Frames:
        dice = Dice(seed, around=around)
        return {name: _make_late(name, frame, dice) for name, frame in frames.items()}

    return make
