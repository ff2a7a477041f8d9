"""Random histories of many customers: ties, late rows, repeats, corrections."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import numpy as np
import pandas as pd
import pytest

from features.churn import CHURN_FEATURES
from features.contracts import CONTRACTS, DTYPES, KNOWN_AT
from features.declared.hours import PRESENCE
from features.engagement import ENGAGEMENT_FEATURES
from features.online import Layout, compile_layout
from features.tables import Tables
from features.vocabulary import Channel, Outcome, Trigger

AROUND = datetime(2026, 3, 30, 9, 30, 15, 250, tzinfo=UTC)  # the day after Europe's clocks moved
ZONES = ("Europe/Berlin", "America/New_York", "Asia/Kolkata", "Asia/Almaty")
REMEMBERED = timedelta(days=90)
TICK = timedelta(microseconds=1)
MIDNIGHT = AROUND.replace(hour=0, minute=0, second=0, microsecond=0)
CHANGE_OF_CLOCKS = datetime(2026, 3, 29, 1, tzinfo=UTC)
_EDGES = (
    *(
        start - timedelta(days=days) + tick
        for start in (AROUND, MIDNIGHT)
        for days in (0, 1, 7, 30, 84, 90)
        for tick in (-TICK, timedelta(0), TICK)
    ),
    CHANGE_OF_CLOCKS - TICK,
    CHANGE_OF_CLOCKS,
    CHANGE_OF_CLOCKS + timedelta(minutes=30),
)
T = TypeVar("T")
Row = dict[str, object]


class History:
    """One customer's rows, drawn at random."""

    def __init__(self, customer_id: str, rng: np.random.Generator) -> None:
        self.customer_id, self.rng = customer_id, rng
        self.rows: dict[str, list[Row]] = {name: [] for name in CONTRACTS}
        self.used: list[datetime] = []

    def chance(self, p: float) -> bool:
        return bool(self.rng.random() < p)

    def pick(self, values: Sequence[T]) -> T:
        return values[int(self.rng.integers(len(values)))]

    def number(self, low: int, high: int) -> int:
        return int(self.rng.integers(low, high))

    def moment(self) -> datetime:
        """On an edge, on an earlier row's moment, or anywhere within 200 days."""
        what = self.rng.random()
        if what < 0.35:
            moment = self.pick(_EDGES)
        elif what < 0.5 and self.used:
            moment = self.pick(self.used)
        else:
            days = float(self.pick((-200.0, -100.0, -30.0, -3.0, 20.0))) * self.rng.random()
            moment = AROUND + timedelta(microseconds=round(days * 86_400e6))
        self.used.append(moment)
        return moment

    def after(self, begin: datetime) -> datetime:
        later = [edge for edge in _EDGES if edge >= begin]
        if later and self.chance(0.4):
            return self.pick(later)
        return begin + timedelta(seconds=self.number(0, 40 * 86_400))

    def told(self, moment: datetime) -> datetime | None:
        """When a row is told: mostly at once, else late, and sometimes before its moment."""
        what = self.rng.random()
        if what < 0.6:
            return None
        return moment - timedelta(days=self.number(0, 3)) if what < 0.7 else self.after(moment)

    def add(self, table: str, row: Row) -> None:
        moment = _moment(row[CONTRACTS[table].moment])
        row["customer_id"] = self.customer_id
        if table != "messages":
            row.setdefault(KNOWN_AT, self.told(moment))
        if table == "outcomes":
            del row["customer_id"]
        self.rows[table].append(row)

    def add_versions(self, table: str, row: Row, *, change: Row) -> None:
        """A row, and sometimes a later version that says something else."""
        self.add(table, row)
        for _ in range(self.number(0, 3) if self.chance(0.4) else 0):
            known = self.after(self.pick([*self.used]))
            self.add(table, {**row, **change, KNOWN_AT: known})

    def add_event(self, table: str, row: Row, *, n: int) -> None:
        """A row without a key; sometimes it has an identity, and comes again, or says otherwise.

        It comes again within the time for which a state remembers it.
        """
        event_id = f"{self.customer_id}-e{n}" if self.chance(0.5) else None
        first: Row = {**row, "event_id": event_id}
        self.add(table, first)
        if event_id is None or not self.chance(0.4):
            return
        again = {**first, "at": self.moment()} if self.chance(0.3) else dict(first)
        again[KNOWN_AT] = self.told(_moment(again["at"]))
        known = [max(_moment(r["at"]), _moment(r[KNOWN_AT] or r["at"])) for r in (first, again)]
        if abs(known[0] - known[1]) <= REMEMBERED:
            self.add(table, again)


def _moment(value: object) -> datetime:
    assert isinstance(value, datetime)
    return value


def _draw_customer(history: History) -> None:
    signed_up_at = history.moment()
    row: Row = {
        "signed_up_at": signed_up_at,
        "language": "en",
        "timezone": history.pick(ZONES),
        "segment": history.pick((None, "family", "семья")),
    }
    moves: Row = {
        "timezone": history.pick(ZONES),
        "signed_up_at": history.moment(),
        "segment": "retired",
    }
    history.add_versions("customers", row, change=moves)


def _draw_activity(history: History) -> None:
    kinds = ("login", "session", "feature_use", "page_view", "purchase", "onboarding_step")
    for n in range(history.number(0, 30)):
        value = round(float(history.rng.normal(20.0, 9.0)), 7)
        row: Row = {
            "at": history.moment(),
            "kind": history.pick(kinds),
            "value": history.pick((None, value, 0.5)),
            "item": history.pick(("tea", "salt", "soap", "exports", "pricing", None)),
        }
        history.add_event("activity", row, n=n)
    for n in range(history.number(0, 6)):
        history.add_event("surveys", {"at": history.moment(), "nps": history.number(0, 11)}, n=n)


def _draw_orders(history: History) -> None:
    for n in range(history.number(0, 4)):
        at = history.moment()
        row: Row = {
            "order_id": f"{history.customer_id}-o{n}",
            "ordered_at": at,
            "amount_cents": history.number(0, 9_999),
        }
        change: Row = {"amount_cents": history.number(0, 9_999), "ordered_at": history.moment()}
        history.add_versions("orders", row, change=change)


def _draw_account(history: History) -> None:
    for moment in {history.moment() for _ in range(history.number(0, 5))}:
        day = moment.replace(hour=0, minute=0, second=0, microsecond=0)
        row: Row = {
            "valid_from": moment,
            "plan": history.pick(("basic", "plus")),
            "mrr_cents": history.number(0, 5_000),
            "plan_limit": history.pick((None, 0.0, 100.0)),
            "status": history.pick(("active", "canceled")),
            "card_expires_on": history.pick((None, day + timedelta(days=history.number(0, 120)))),
            "upsell_shown": False,
        }
        change: Row = {"mrr_cents": history.number(0, 5_000), "status": "canceled"}
        history.add_versions("subscriptions", row, change=change)
    for moment in {history.moment() for _ in range(history.number(0, 8))}:
        used = float(history.pick((80.0, 90.5, 10.0)))
        history.add_versions("usage", {"at": moment, "used": used}, change={"used": 33.3})
    for n in range(history.number(0, 4)):
        at = history.moment()
        due_at = history.after(at)
        row = {
            "invoice_id": f"{history.customer_id}-i{n}",
            "issued_at": at,
            "due_at": due_at,
            "paid_at": history.pick((None, due_at, history.after(at))),
            "amount_cents": 100,
            "disputed": history.chance(0.3),
        }
        change = {"paid_at": history.after(at), "disputed": True}
        history.add_versions("invoices", row, change=change)


def _draw_tickets(history: History) -> None:
    for n in range(history.number(0, 4)):
        at = history.moment()
        row: Row = {
            "ticket_id": f"{history.customer_id}-k{n}",
            "opened_at": at,
            "resolved_at": history.pick((None, history.after(at))),
            "escalated": history.chance(0.3),
            "topic": history.pick((None, "billing", "delivery_delay")),
        }
        change: Row = {"resolved_at": history.after(at), "escalated": True}
        history.add_versions("tickets", row, change=change)


def _draw_messages(history: History) -> None:
    for n in range(history.number(0, 8)):
        message_id = f"{history.customer_id}-m{n}"
        row: Row = {
            "message_id": message_id,
            "decision_id": message_id,
            "trigger": history.pick(tuple(Trigger)),
            "channel": history.pick(tuple(Channel)),
            "sent_at": history.moment(),
            "arm": "random",
            "propensity": 0.5,
            "cost_cents": 0.0,
        }
        history.add("messages", row)
        for _ in range(history.number(0, 5)):
            what = (Outcome.OPENED, Outcome.CLICKED, Outcome.OPENED, *Outcome)
            outcome: Row = {
                "message_id": message_id,
                "outcome": history.pick(what),
                "at": history.moment(),  # may lie before its message
                "machine": history.chance(0.2),
            }
            history.add("outcomes", outcome)


DrawTables = Callable[..., Tables]


@pytest.fixture(scope="session")
def layout() -> Layout:
    """What is kept for the features of both sets and for the hours of the week."""
    return compile_layout((CHURN_FEATURES, ENGAGEMENT_FEATURES), histogram=PRESENCE)


@pytest.fixture(scope="session")
def draw_tables() -> DrawTables:
    """Histories of so many customers, c0 and on, as conformed tables."""
    return _draw_tables


def _draw_tables(n_customers: int, *, seed: int) -> Tables:
    rng = np.random.default_rng(seed)
    rows: dict[str, list[Row]] = {name: [] for name in CONTRACTS}
    for n in range(n_customers):
        history = History(f"c{n}", rng)
        for draw in (
            _draw_customer,
            _draw_activity,
            _draw_orders,
            _draw_account,
            _draw_tickets,
            _draw_messages,
        ):
            draw(history)
        for name, drawn in history.rows.items():
            rows[name] += drawn
    return {name: _to_frame(name, drawn) for name, drawn in rows.items() if drawn}


def _to_frame(name: str, rows: list[Row]) -> pd.DataFrame:
    columns = {
        column.name: pd.Series([row.get(column.name) for row in rows], dtype=DTYPES[column.kind])
        for column in CONTRACTS[name].columns
    }
    return pd.DataFrame(columns)
