"""The builder against a slow reference in plain Python, and its edges."""

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from hashlib import md5
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.churn import CHURN_FEATURES
from features.contracts import CONTRACTS
from features.declarations import FeatureSet, union_of
from features.engagement import ENGAGEMENT_FEATURES
from features.point_in_time import build, build_features, make_spine
from features.point_in_time.compile import compile_features
from features.point_in_time.relations import select_rows
from features.vocabulary import Channel

AS_OF = datetime(2026, 3, 30, 9, 30, 15, 250, tzinfo=UTC)
DAY = timedelta(days=1)
TICK = timedelta(microseconds=1)
ALL = union_of("all", CHURN_FEATURES, ENGAGEMENT_FEATURES)

Row = Mapping[str, object]
Frames = dict[str, pd.DataFrame]
MakeTable = Callable[..., pd.DataFrame]


class Reference:
    """Features of one customer at one moment, each written out by hand."""

    def __init__(self, records: Mapping[str, list[Row]], *, customer_id: str, at: datetime) -> None:
        self.at = at
        self.midnight = at.replace(hour=0, minute=0, second=0, microsecond=0)
        self.records = records
        self.customer_id = customer_id

    def rows(self, table: str, known_at: str, **equal: object) -> list[Row]:
        return [
            {**row, "t": row[known_at]}
            for row in self.records[table]
            if row["customer_id"] == self.customer_id
            and row[known_at] < self.at
            and all(row[column] == value for column, value in equal.items())
        ]

    def within(self, rows: Iterable[Row], days: int, *, until: int = 0) -> list[Row]:
        begin = self.midnight - days * DAY
        end = self.midnight - until * DAY if until else self.at
        return [row for row in rows if begin <= row["t"] < end]

    def days_since(self, moments: Iterable[datetime], *, which: Callable = max) -> float:
        found = list(moments)
        return (self.at - which(found)) / DAY if found else np.nan

    def latest(self, rows: list[Row], column: str) -> float:
        last = max((row["t"] for row in rows), default=None)
        values = [row[column] for row in rows if row["t"] == last and not pd.isna(row[column])]
        return float(max(values)) if values else np.nan

    def activity(self) -> dict[str, float]:
        everything = self.rows("activity", "at")
        of_kind = {
            "activity": everything,
            "logins": [row for row in everything if row["kind"] == "login"],
            "sessions": [row for row in everything if row["kind"] == "session"],
            "purchases": [row for row in everything if row["kind"] == "purchase"],
            "feature_use": [row for row in everything if row["kind"] == "feature_use"],
        }
        found = {
            f"{name}_{days}d": len(self.within(of_kind[name], days))
            for name in ("activity", "logins", "sessions", "purchases")
            for days in (7, 30, 90)
        }
        before = len(self.within(everything, 90, until=30))
        used = {row["item"] for row in self.within(of_kind["feature_use"], 30)}
        minutes = [row["value"] for row in self.within(of_kind["sessions"], 30)]
        minutes = [value for value in minutes if not pd.isna(value)]
        recent = [row["value"] for row in self.within(of_kind["sessions"], 14)]
        return found | {
            "days_since_last_activity": self.days_since(row["t"] for row in everything),
            "days_since_last_login": self.days_since(row["t"] for row in of_kind["logins"]),
            "days_since_last_purchase": self.days_since(r["t"] for r in of_kind["purchases"]),
            "activity_60d_before": before,
            "activity_trend": 2 * found["activity_30d"] / before if before else np.nan,
            "activity_slope_12w": self.slope(everything, n_weeks=12),
            **self.parts_of_week(self.within(everything, 90)),
            "features_used_30d": len({item for item in used if not pd.isna(item)}),
            "onboarding_share": self.latest(
                self.rows("activity", "at", kind="onboarding_step"), "value"
            ),
            "session_minutes_30d": sum(minutes) / len(minutes) if minutes else np.nan,
            "shortest_session_minutes_30d": min(minutes, default=np.nan),
            "shortest_session_minutes_14d": min(
                (value for value in recent if not pd.isna(value)), default=np.nan
            ),
        }

    def slope(self, rows: list[Row], *, n_weeks: int) -> float:
        """By the textbook: covariance with the number of the week over its variance."""
        begins = [self.midnight - 7 * (n_weeks - n) * DAY for n in range(n_weeks)]
        counts = [len([r for r in rows if at <= r["t"] < at + 7 * DAY]) for at in begins]
        return float(np.polyfit(np.arange(n_weeks), counts, 1)[0])

    def parts_of_week(self, rows: list[Row]) -> dict[str, float]:
        customer = [r for r in self.records["customers"] if r["customer_id"] == self.customer_id]
        local = [
            row["t"].astimezone(ZoneInfo(customer[0]["timezone"]))
            for row in rows
            if customer and customer[0]["signed_up_at"] <= row["t"]
        ]
        parts = {
            "evening": len([at for at in local if at.hour >= 18]),
            "weekend": len([at for at in local if at.weekday() >= 5]),
        }
        counts = {f"{name}_activity_90d": n for name, n in parts.items()}
        shares = {f"{k}_share_90d": n / len(rows) if rows else np.nan for k, n in parts.items()}
        return counts | shares

    def orders(self) -> dict[str, float]:
        orders = self.rows("orders", "ordered_at")
        moments = sorted(row["t"] for row in orders)
        gap = (moments[-1] - moments[0]) / DAY / (len(moments) - 1) if moments[1:] else np.nan
        recency = self.days_since(moments)
        return {
            "orders_30d": len(self.within(orders, 30)),
            "order_cents_90d": sum(row["amount_cents"] for row in self.within(orders, 90)),
            "days_since_last_order": recency,
            "order_gap_days": gap,
            "order_recency_over_gap": recency / np.maximum(gap, 1.0),
        }

    def account(self) -> dict[str, float]:
        plans = self.rows("subscriptions", "valid_from")
        then = [row for row in plans if row["t"] < self.midnight - 90 * DAY]
        last = max(plans, key=lambda row: row["t"], default=None)
        expires = last["card_expires_on"] if last else None
        limit = self.latest(plans, "plan_limit")
        used = self.latest(self.rows("usage", "at"), "used")
        mrr, mrr_then = self.latest(plans, "mrr_cents"), self.latest(then, "mrr_cents")
        invoices = self.rows("invoices", "issued_at")
        paid = [r for r in invoices if not pd.isna(r["paid_at"]) and r["paid_at"] < self.at]
        paid_in_time = {r["invoice_id"] for r in paid if r["paid_at"] <= r["due_at"]}
        late = [
            row
            for row in invoices
            if row["due_at"] < self.at and row["invoice_id"] not in paid_in_time
        ]
        customers = self.rows("customers", "signed_up_at")
        segment = customers[0]["segment"] if customers else None
        return {
            "segment_code": (
                np.nan if pd.isna(segment) else int(md5(str(segment).encode()).hexdigest()[:3], 16)
            ),
            "tenure_days": self.days_since(r["t"] for r in self.rows("customers", "signed_up_at")),
            "subscription_active": float(last["status"] == "active") if last else np.nan,
            "mrr_cents": mrr,
            "mrr_change_90d": mrr - mrr_then,
            "days_to_card_expiry": np.nan if pd.isna(expires) else (expires - self.at) / DAY,
            "plan_used_share": used / limit if limit else np.nan,
            "invoices_late_90d": len(self.within(late, 90)),
            "invoices_unpaid": len(invoices) - len(paid),
            "invoices_disputed_90d": len(
                self.within(self.rows("invoices", "issued_at", disputed=True), 90)
            ),
        }

    def support(self) -> dict[str, float]:
        tickets = self.rows("tickets", "opened_at")
        still_open = [
            row for row in tickets if pd.isna(row["resolved_at"]) or row["resolved_at"] >= self.at
        ]
        return {
            "tickets_30d": len(self.within(tickets, 30)),
            "tickets_open": len(still_open),
            "oldest_open_ticket_days": self.days_since((r["t"] for r in still_open), which=min),
            "escalations_90d": len(
                self.within(self.rows("tickets", "opened_at", escalated=True), 90)
            ),
            "nps": self.latest(self.rows("surveys", "at"), "nps"),
        }

    def messages(self) -> dict[str, float]:
        sent = {row["message_id"]: row for row in self.rows("messages", "sent_at")}
        first: dict[tuple[str, str], datetime] = {}
        for row in self.records["outcomes"]:
            message = sent.get(row["message_id"])
            if message and not row["machine"]:
                key = (row["message_id"], row["outcome"])
                known_at = max(row["at"], message["sent_at"])
                first[key] = min(first.get(key, known_at), known_at)
        did = [
            {"t": at, "outcome": outcome, "channel": sent[message_id]["channel"]}
            for (message_id, outcome), at in first.items()
            if at < self.at
        ]
        opened = [row for row in did if row["outcome"] == "opened"]
        clicked = [row for row in did if row["outcome"] == "clicked"]
        everything = [{**m, "t": m["sent_at"]} for m in sent.values()]
        by_channel: dict[str, float] = {}
        for channel in Channel:
            n_sent, n_opened = (
                len([row for row in self.within(rows, 90) if row["channel"] == channel])
                for rows in (everything, opened)
            )
            share = min(1.0, n_opened / n_sent) if n_sent else np.nan
            by_channel[f"{channel}_messages_90d"] = n_sent
            by_channel[f"{channel}_opened_90d"] = n_opened
            by_channel[f"{channel}_opened_share_90d"] = share
        return by_channel | {
            "messages_7d": len(self.within(everything, 7)),
            "messages_30d": len(self.within(everything, 30)),
            "opened_30d": len(self.within(opened, 30)),
            "sms_clicked_30d": len(
                [row for row in self.within(clicked, 30) if row["channel"] == "sms"]
            ),
            "days_since_last_opened": self.days_since(row["t"] for row in opened),
            "days_since_last_clicked": self.days_since(row["t"] for row in clicked),
            "days_since_last_message": self.days_since(row["t"] for row in everything),
        }

    def features(self) -> dict[str, float]:
        parts = (self.activity(), self.orders(), self.account(), self.support(), self.messages())
        return {name: value for part in parts for name, value in part.items()}


def draw_spine(seed: int) -> pd.DataFrame:
    """Arbitrary moments per row, many on edges, with a repeated row."""
    rng = np.random.default_rng(seed)
    midnight = AS_OF.replace(hour=0, minute=0, second=0, microsecond=0)
    moments = [AS_OF, AS_OF + TICK, AS_OF - 7 * DAY, midnight, midnight - TICK, midnight + TICK]
    rows = [(f"c{n % 11}", moments[rng.integers(len(moments))]) for n in range(40)]
    spines = [make_spine([who], as_of=at) for who, at in (*rows, rows[0])]
    return pd.concat(spines, ignore_index=True)


def find_differences(tables: Frames, spine: pd.DataFrame) -> dict[str, float]:
    """Largest difference by feature; infinite where one side alone is null."""
    records = {name: frame.to_dict("records") for name, frame in tables.items()}
    expected = pd.DataFrame(
        Reference(records, customer_id=row.customer_id, at=row.as_of).features()
        for row in spine.itertuples()
    ).astype("float64")
    built = build_features(tables, spine, features=ALL)[expected.columns]
    gaps = (built - expected).abs().mask(built.isna() & expected.isna(), 0.0).fillna(np.inf)
    return {name: gap for name, gap in gaps.max().items() if gap > 1e-9}


@settings(max_examples=5, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32 - 1))
def test_build_features_agrees_with_the_reference(
    draw_history: Callable[..., Frames], seed: int
) -> None:
    tables = draw_history(seed, around=AS_OF)
    assert find_differences(tables, draw_spine(seed)) == {}


SKEWS = {
    "window one microsecond short": (">= s.midnight", "> s.midnight"),
    "window from the moment instead of midnight": ("s.midnight - 6048", "s.c - 6048"),
    "window ends late": ("e.t < s.midnight", "e.t <= s.midnight"),
    "inclusive cutoff": ("e.t < s.c", "e.t <= s.c"),
    "first instead of last": ("MAX(e.t) AS t", "MIN(e.t) AS t"),
    "smallest of tied answers": ("MAX(e.nps)", "MIN(e.nps)"),
    "week of the moment instead of midnight": ("e.t - s.midnight + 72576", "e.t - s.c + 72576"),
    "rows since midnight in the trend": ("e.t < s.midnight - 0", "e.t < s.c"),
    "evening begins early": ("e.week_hour % 24 >= 18", "e.week_hour % 24 >= 17"),
    "clock of UTC": ("e.t + z.offset_us", "e.t + 0 * z.offset_us"),
    "clocks never change": ("AND e.t < z.until_us", ""),
    "clock before the customer is known": ("z.known_from <= e.k", "z.known_from <= e.k + 1"),
    "every share is whole": ("> 1e0 THEN 1e0", "> 0e0 THEN 1e0"),
    "gap of no time": ("order_gap_days < 1.0e0", "order_gap_days < 0.0e0"),
    "payment on the due day is late": ("e.paid_at > e.due_at", "e.paid_at >= e.due_at"),
    "null where nothing was done": (
        "COALESCE(orders_windows.orders_30d, 0)",
        "orders_windows.orders_30d",
    ),
}


@pytest.mark.parametrize(("right", "wrong"), SKEWS.values(), ids=SKEWS)
def test_the_reference_catches_a_skew(
    draw_history: Callable[..., Frames], monkeypatch: pytest.MonkeyPatch, right: str, wrong: str
) -> None:
    original = build.compile_features

    def skew(features: FeatureSet, **options: object) -> str:
        text = original(features, **options)
        assert right in text
        return text.replace(right, wrong)

    monkeypatch.setattr(build, "compile_features", skew)
    assert find_differences(draw_history(1, around=AS_OF), draw_spine(1))


def test_the_compiled_text_keeps_to_its_closed_set() -> None:
    text = compile_features(ALL, present=ALL.tables)
    functions = set(re.findall(r"\b([A-Za-z_]+)\(", text))
    numbers = {"COALESCE", "COUNT", "SUM", "MIN", "MAX", "ROUND", "FLOOR", "CAST"}
    assert functions <= numbers | {"MD5", "SUBSTR", "INSTR"}
    assert re.findall(r"\d\.\d+(?!\d*e)", text) == []
    assert not re.search(r"\b(INTERVAL|TIMESTAMP|DATE|OVER|QUALIFY|ASOF)\b|//|\"", text)


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("name", sorted(set(CONTRACTS) - {"vendors", "messages"}))
def test_the_text_of_a_table_keeps_to_its_closed_set(name: str, late: bool) -> None:
    text = select_rows(name, late=late)
    functions = set(re.findall(r"\b([A-Z_]+)\(", text))
    assert functions <= {"COALESCE", "GREATEST", "CAST", "MIN", "LEAD", "ROW_NUMBER"}
    assert not re.search(r"\b(INTERVAL|TIMESTAMP|DATE|QUALIFY|ASOF|VARCHAR)\b|//|\"", text)
