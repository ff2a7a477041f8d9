"""The builder against a slow reference in plain Python, and its edges."""

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.churn import CHURN_FEATURES
from features.conditions import one_of
from features.declarations import Aggregate, Combination, Derived, Feature, FeatureSet
from features.engagement import ENGAGEMENT_FEATURES
from features.errors import BadInputError
from features.point_in_time import build, build_features, make_spine
from features.point_in_time.compile import compile_features
from features.tables import empty_table

AS_OF = datetime(2026, 3, 30, 9, 30, 15, 250, tzinfo=UTC)
DAY = timedelta(days=1)
TICK = timedelta(microseconds=1)
ALL = FeatureSet(
    "all", tuple(dict.fromkeys((*CHURN_FEATURES.features, *ENGAGEMENT_FEATURES.features)))
)

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
        return found | {
            "days_since_last_activity": self.days_since(row["t"] for row in everything),
            "days_since_last_login": self.days_since(row["t"] for row in of_kind["logins"]),
            "days_since_last_purchase": self.days_since(r["t"] for r in of_kind["purchases"]),
            "activity_60d_before": before,
            "activity_trend": 2 * found["activity_30d"] / before if before else np.nan,
            "features_used_30d": len({item for item in used if not pd.isna(item)}),
            "onboarding_share": self.latest(
                self.rows("activity", "at", kind="onboarding_step"), "value"
            ),
            "session_minutes_30d": sum(minutes) / len(minutes) if minutes else np.nan,
        }

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
            "order_recency_over_gap": recency / gap if gap else np.nan,
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
        return {
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
        mails = [{**m, "t": m["sent_at"]} for m in sent.values() if m["channel"] == "email"]
        everything = [{**m, "t": m["sent_at"]} for m in sent.values()]
        mails_90d, opens_90d = len(self.within(mails, 90)), self.within(opened, 90)
        mail_opens = len([row for row in opens_90d if row["channel"] == "email"])
        return {
            "messages_7d": len(self.within(everything, 7)),
            "messages_30d": len(self.within(everything, 30)),
            "email_messages_90d": mails_90d,
            "opened_30d": len(self.within(opened, 30)),
            "email_opened_90d": mail_opens,
            "email_opened_share_90d": mail_opens / mails_90d if mails_90d else np.nan,
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
    assert functions <= {"COALESCE", "COUNT", "SUM", "MIN", "MAX", "ROUND", "CAST"}
    assert re.findall(r"\d\.\d+(?!\d*e)", text) == []
    assert not re.search(r"\b(INTERVAL|TIMESTAMP|DATE|OVER|QUALIFY|ASOF)\b", text)


def test_build_features_keeps_rows_order_and_index_of_the_spine(make_table: MakeTable) -> None:
    at = [AS_OF - 3 * DAY, AS_OF - 2 * DAY]
    activity = make_table("activity", *({"customer_id": "a", "at": t, "kind": "login"} for t in at))
    spine = pd.concat(
        [make_spine(["b", "a"], as_of=AS_OF), make_spine(["a", "a"], as_of=AS_OF - 2 * DAY)]
    ).set_axis([7, 3, 5, 9])
    built = build_features({"activity": activity}, spine, features=CHURN_FEATURES)
    assert list(built.columns) == ["customer_id", "as_of", *CHURN_FEATURES.names]
    pd.testing.assert_frame_equal(built[["customer_id", "as_of"]], spine)
    assert built["logins_7d"].to_list() == [0.0, 2.0, 1.0, 1.0]
    assert set(built[list(CHURN_FEATURES.names)].dtypes) == {np.dtype("float64")}


def test_build_features_of_an_empty_spine_is_empty(make_table: MakeTable) -> None:
    built = build_features(
        {"activity": empty_table("activity")}, make_spine([], as_of=AS_OF), features=CHURN_FEATURES
    )
    assert built.shape == (0, 2 + len(CHURN_FEATURES.names))


def test_features_of_absent_tables_are_null_and_of_empty_ones_zero() -> None:
    spine = make_spine(["a"], as_of=AS_OF)
    absent = build_features({}, spine, features=ALL)
    assert absent[list(ALL.names)].isna().all(axis=None)
    empty = build_features({"tickets": empty_table("tickets")}, spine, features=ALL).iloc[0]
    assert (empty["tickets_30d"], empty["tickets_open"]) == (0.0, 0.0)
    assert pd.isna(empty["oldest_open_ticket_days"])
    assert pd.isna(empty["orders_30d"])


def test_outcomes_without_messages_are_null(make_table: MakeTable) -> None:
    outcomes = make_table("outcomes", {"message_id": "m", "at": AS_OF - DAY})
    built = build_features({"outcomes": outcomes}, make_spine(["a"], as_of=AS_OF), features=ALL)
    assert pd.isna(built.loc[0, "opened_30d"])


def test_a_message_opened_twice_counts_once(make_table: MakeTable) -> None:
    tables = {
        "messages": make_table(
            "messages", {"message_id": "m", "customer_id": "a", "sent_at": AS_OF - 9 * DAY}
        ),
        "outcomes": make_table(
            "outcomes",
            {"message_id": "m", "at": AS_OF - 9 * DAY, "machine": True},
            {"message_id": "m", "at": AS_OF - 8 * DAY},
            {"message_id": "m", "at": AS_OF - 2 * DAY},
        ),
    }
    built = build_features(tables, make_spine(["a"], as_of=AS_OF), features=ENGAGEMENT_FEATURES)
    row = built.iloc[0]
    assert (row["email_opened_30d"], row["opened_30d"], row["opened_7d"]) == (1.0, 1.0, 0.0)
    assert row["days_since_last_opened"] == 8.0


def test_sums_do_not_depend_on_the_order_of_rows(make_table: MakeTable) -> None:
    rng = np.random.default_rng(5)
    rows = [
        {"customer_id": "a", "at": AS_OF - DAY, "kind": "session", "value": value}
        for value in rng.lognormal(0.0, 3.0, 500)
    ]
    spine = make_spine(["a"], as_of=AS_OF)
    means = {
        build_features(
            {"activity": make_table("activity", *(rows[n] for n in rng.permutation(500)))},
            spine,
            features=CHURN_FEATURES,
        ).loc[0, "session_minutes_30d"]
        for _ in range(3)
    }
    assert len(means) == 1


@pytest.mark.parametrize("value", [np.inf, 1e300])
def test_build_features_refuses_numbers_it_cannot_add(make_table: MakeTable, value: float) -> None:
    row = {"customer_id": "a", "at": AS_OF - DAY, "kind": "session", "value": value}
    with pytest.raises(BadInputError, match="features churn: a number is not finite or beyond"):
        build_features(
            {"activity": make_table("activity", row)},
            make_spine(["a"], as_of=AS_OF),
            features=CHURN_FEATURES,
        )


def test_a_moment_before_1970_has_its_own_midnight(make_table: MakeTable) -> None:
    at = datetime(1969, 7, 20, 20, 17, tzinfo=UTC)
    edge = datetime(1969, 7, 13, tzinfo=UTC)
    rows = [{"customer_id": "a", "at": moment} for moment in (edge, edge - TICK)]
    built = build_features(
        {"activity": make_table("activity", *rows)},
        make_spine(["a"], as_of=at),
        features=CHURN_FEATURES,
    )
    assert built.loc[0, "activity_7d"] == 1.0


def test_a_ratio_over_zero_is_null_and_a_scale_is_exact(make_table: MakeTable) -> None:
    count = Feature(
        name="visits",
        table="activity",
        aggregate=Aggregate.COUNT,
        unit="visits",
        description="Visits.",
    )
    never = Feature(
        name="never",
        table="activity",
        aggregate=Aggregate.COUNT,
        where=(one_of("kind", "never"),),
        unit="visits",
        description="None.",
    )
    parts = {"unit": "x", "null_means": "x", "description": "x", "scale": 1 / 3}
    ratio = Derived(
        name="ratio", combination=Combination.RATIO, left="visits", right="never", **parts
    )
    difference = Derived(
        name="less", combination=Combination.DIFFERENCE, left="visits", right="never", **parts
    )
    built = build_features(
        {"activity": make_table("activity", {"customer_id": "a", "at": AS_OF - DAY})},
        make_spine(["a"], as_of=AS_OF),
        features=FeatureSet("tiny", (count, never, ratio, difference)),
    )
    assert pd.isna(built.loc[0, "ratio"])
    assert built.loc[0, "less"] == 1 / 3


def test_make_spine_keeps_order_and_repeats() -> None:
    spine = make_spine(["b", "a", "b"], as_of=AS_OF)
    assert spine["customer_id"].to_list() == ["b", "a", "b"]
    assert dict(spine.dtypes.astype("str")) == {
        "customer_id": "str",
        "as_of": "datetime64[us, UTC]",
    }
    assert set(spine["as_of"]) == {pd.Timestamp(AS_OF)}


def test_make_spine_refuses_a_naive_moment() -> None:
    with pytest.raises(BadInputError, match="no time zone"):
        make_spine(["a"], as_of=AS_OF.replace(tzinfo=None))


@pytest.mark.parametrize(
    ("spine", "message"),
    [
        (pd.DataFrame({"customer_id": ["a"]}), "no column as_of"),
        (
            pd.DataFrame({"customer_id": ["a"], "as_of": [datetime(2026, 1, 1)]}),
            r"holds datetime64\[us\]",
        ),
        (
            pd.DataFrame({"customer_id": ["a", None], "as_of": [AS_OF, AS_OF]}),
            "customer_id is null in row 1",
        ),
    ],
)
def test_build_features_refuses_what_is_no_spine(spine: pd.DataFrame, message: str) -> None:
    with pytest.raises(BadInputError, match=message):
        build_features({}, spine, features=CHURN_FEATURES)
