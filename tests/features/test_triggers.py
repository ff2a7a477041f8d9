"""Each trigger at its edges: what fires, what does not, what it says, and that it says it once."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from features.contracts import CONTRACTS
from features.errors import BadInputError
from features.evidence import find_evidence_faults
from features.triggers import CASES, TriggerSettings, find_triggers
from features.triggers.cases import RULES
from features.vocabulary import Trigger

NOW = datetime(2026, 3, 10, 20, 30, tzinfo=UTC)
TODAY = datetime(2026, 3, 10, tzinfo=UTC)
DAY = timedelta(days=1)
TICK = timedelta(microseconds=1)

Row = Mapping[str, object]
Rows = Mapping[str, Sequence[Row]]
MakeTable = Callable[..., pd.DataFrame]


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


def priced(*prices: tuple[float, int], view: timedelta = 2 * DAY, **more: Sequence[Row]) -> Rows:
    """Prices of tea are (days ago, cents); it was viewed `view` ago."""
    rows = [{"item": "tea", "at": NOW - ago * DAY, "price_cents": cents} for ago, cents in prices]
    return acted(("page_view", view, "tea"), prices=rows, **more)


HOUR = timedelta(hours=1)
T = Trigger
SCENARIOS: Mapping[str, tuple[Trigger, Rows, bool]] = {
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


def make_tables(make_table: MakeTable, rows: Rows, **customer: object) -> dict[str, pd.DataFrame]:
    """Conformed tables; every row is customer `a`'s where the table has customers."""
    tables = {"customers": make_table("customers", {"customer_id": "a", "region": "north"})}
    if customer:
        tables["customers"] = tables["customers"].assign(**customer)
    for name, given in rows.items():
        owned = any(column.name == "customer_id" for column in CONTRACTS[name].columns)
        own = {"customer_id": "a"} if owned else {}
        tables[name] = make_table(name, *({**own, **row} for row in given))
    return tables


def find(tables: Mapping[str, pd.DataFrame], trigger: Trigger) -> pd.DataFrame:
    cases = find_triggers(tables, as_of=NOW)
    return cases.loc[cases["trigger"] == trigger].reset_index(drop=True)


_NAMES = ("item", "order_id", "tracking_id", "disruption_id", "region", "message_id")


def find_each(
    make_table: MakeTable, scenarios: Mapping[str, Rows], *, timezone: str = "UTC"
) -> dict[str, pd.DataFrame]:
    """The cases of every scenario, found in one run: each has a customer and names of its own."""
    frames: dict[str, list[Row]] = {"customers": []}
    for n, rows in enumerate(scenarios.values()):
        own = {"customer_id": f"@{n}", "region": f"north@{n}", "timezone": timezone}
        frames["customers"].append(own)
        for name, given in rows.items():
            columns = {column.name for column in CONTRACTS[name].columns}
            who = {"customer_id": f"@{n}"} if "customer_id" in columns else {}
            for row in given:
                named = {k: f"{row[k]}@{n}" for k in _NAMES if row.get(k) is not None}
                frames.setdefault(name, []).append({**who, **row, **named})
    tables = {name: make_table(name, *rows) for name, rows in frames.items()}
    cases = find_triggers(tables, as_of=NOW)
    texts = ["subject", "evidence"]
    each = {}
    for n, label in enumerate(scenarios):
        own_cases = cases.loc[cases["customer_id"] == f"@{n}"].reset_index(drop=True)
        own_cases[texts] = own_cases[texts].replace(f"@{n}", "", regex=True)
        each[label] = own_cases
    return each


@pytest.fixture(scope="module")
def cases_of(make_table: MakeTable) -> dict[str, pd.DataFrame]:
    """Of every scenario, the cases of its trigger."""
    found = find_each(make_table, {name: rows for name, (_, rows, _) in SCENARIOS.items()})
    return {name: found[name].query("trigger == @t") for name, (t, _, _) in SCENARIOS.items()}


@pytest.mark.parametrize(
    ("name", "fires"), [(name, fires) for name, (*_, fires) in SCENARIOS.items()]
)
def test_trigger_fires(cases_of: dict[str, pd.DataFrame], name: str, fires: bool) -> None:
    cases = cases_of[name]
    assert len(cases) == (1 if fires else 0)
    for evidence in cases["evidence"]:
        assert find_evidence_faults(SCENARIOS[name][0], json.loads(evidence)) == []


def test_scenarios_show_every_trigger_fire_and_not() -> None:
    seen = {(trigger, fires) for trigger, _, fires in SCENARIOS.values()}
    found = set(Trigger) - {Trigger.CHURN_RISK, Trigger.INCIDENT_UPDATE}
    assert seen == {(trigger, fires) for trigger in found for fires in (True, False)}


def test_consent_is_no_matter_of_triggers(make_table: MakeTable) -> None:
    trigger, rows, _ = SCENARIOS["2 days late"]
    refused = {f"consent_{channel}": False for channel in ("email", "sms", "push")}
    tables = make_tables(make_table, rows, **refused)
    assert len(find(tables, trigger)) == 1


# Of each trigger: a scenario, when its problem began, its subject and its evidence in Almaty (+5).
TOLD: Mapping[str, tuple[datetime, str, dict[str, object]]] = {
    "2 days late": (
        NOW - 3 * DAY,
        "o",
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
        {"card_expires_on": "2026-04-09", "plan": "basic"},
    ),
    "region is down for 7 days": (
        NOW - 7 * DAY,
        "d",
        {"service": "internet", "region": "north", "started_at": "2026-03-04T01:30:00+05:00"},
    ),
    "used a little less than all": (
        NOW - DAY,
        "2026-03-09",
        {"used": 99, "plan_limit": 100, "used_percent": 99},
    ),
    "login from a new place": (
        NOW - DAY,
        "Oral",
        {"location": "Oral", "login_at": "2026-03-10T01:30:00+05:00"},
    ),
    "shipment created": (
        NOW - DAY,
        "o",
        {"order_id": "o", "tracking_id": "t", "estimated_on": "2026-03-13"},
    ),
    "cart": (NOW - 3 * DAY, "tea", {"item": "tea", "n_items": 1}),
    "view": (NOW - 2 * DAY, "tea", {"item": "tea"}),
    "price rose, fell to less than seen": (
        NOW - DAY,
        "tea",
        {"item": "tea", "old_price_cents": 800, "new_price_cents": 700},
    ),
    "inactive for 30 days": (NOW - 23 * DAY, "2026-02-15", {"days_inactive": 30}),
}


def test_a_case_says_what_it_is_about(make_table: MakeTable) -> None:
    scenarios = {name: SCENARIOS[name][1] for name in TOLD}
    found = find_each(make_table, scenarios, timezone="Asia/Almaty")
    for name, (_, subject, evidence) in TOLD.items():
        case = found[name].loc[found[name]["trigger"] == SCENARIOS[name][0]].iloc[0]
        assert (case["subject"], case["found_at"]) == (subject, NOW)
        assert json.loads(case["evidence"]) == evidence
        assert case["urgency"] == "moderate" if "urgency" in evidence else pd.isna(case["urgency"])


@pytest.mark.parametrize(
    ("since", "sent", "fires"),
    [
        (timedelta(0), {}, False),
        (-TICK, {}, True),
        (timedelta(0), {"customer_id": "somebody else"}, True),
        (timedelta(0), {"trigger": Trigger.CHURN_RISK}, True),
    ],
    ids=["told", "told before it began", "another was told", "told something else"],
)
def test_a_problem_is_told_once(
    make_table: MakeTable, since: timedelta, sent: Row, fires: bool
) -> None:
    scenarios = {}
    for name, (began_at, _, _) in TOLD.items():
        trigger, rows, _ = SCENARIOS[name]
        row = {"message_id": "m", "trigger": trigger, "sent_at": began_at + since, **sent}
        scenarios[name] = {**rows, "messages": [row]}
    found = find_each(make_table, scenarios)
    for name in TOLD:
        assert (SCENARIOS[name][0] in set(found[name]["trigger"])) is fires, name


def test_a_message_sent_at_the_moment_is_not_known(make_table: MakeTable) -> None:
    sent = {"message_id": "m", "trigger": Trigger.DELIVERY_DELAY, "sent_at": NOW}
    tables = make_tables(make_table, {**order(), "messages": [sent]})
    assert len(find(tables, Trigger.DELIVERY_DELAY)) == 1


def test_urgency_of_a_delay(make_table: MakeTable) -> None:
    expected = {
        DAY: ("minor", 1),
        DAY + TICK: ("moderate", 2),
        3 * DAY: ("moderate", 3),
        3 * DAY + TICK: ("significant", 4),
    }
    found = find_each(make_table, {str(delay): order(delay) for delay in expected})
    for delay, (urgency, days) in expected.items():
        case = found[str(delay)].iloc[0]
        evidence = json.loads(case["evidence"])
        assert (case["urgency"], evidence["urgency"]) == (urgency, urgency)
        assert evidence["delay_days"] == days


def test_usage_above_the_threshold_began_after_the_last_report_below(
    make_table: MakeTable,
) -> None:
    above = [(4, 85.0), (1, 90.0)]
    found = find_each(
        make_table,
        {
            "since a report of 80 %": usage((12, 10.0), (9, 95.0), (6, 80.0), *above),
            "since the first report": usage(*above),
        },
    )
    for cases in found.values():
        assert cases["subject"].to_list() == ["2026-03-06"]
        assert json.loads(cases.loc[0, "evidence"])["used"] == 90


def test_a_delay_that_grows_was_told_before(make_table: MakeTable) -> None:
    grown = {"updated_at": NOW - DAY, "estimated_at": NOW + 9 * DAY}
    for sent_at, fires in ((NOW - 2 * DAY, False), (NOW - 4 * DAY, True)):
        sent = {"message_id": "m", "trigger": Trigger.DELIVERY_DELAY, "sent_at": sent_at}
        tables = make_tables(make_table, {**order(later=[grown]), "messages": [sent]})
        cases = find(tables, Trigger.DELIVERY_DELAY)
        assert cases["urgency"].to_list() == ["significant"] * fires


def test_a_shipment_says_its_latest_estimate(make_table: MakeTable) -> None:
    moved = {"updated_at": NOW - HOUR, "estimated_at": NOW + 5 * DAY}
    tables = make_tables(make_table, shipped(NOW - DAY, later=[moved]))
    case = find(tables, Trigger.ORDER_SHIPPED).iloc[0]
    assert json.loads(case["evidence"])["estimated_on"] == "2026-03-15"


def test_one_customer_can_have_several_late_orders(make_table: MakeTable) -> None:
    rows = {
        "orders": [
            {"order_id": o, "tracking_id": o, "ordered_at": NOW - 9 * DAY, "promised_at": NOW}
            for o in ("o2", "o1")
        ],
        "shipments": [
            {"tracking_id": o, "updated_at": NOW - DAY, "estimated_at": NOW + 5 * DAY}
            for o in ("o1", "o2")
        ],
    }
    cases = find(make_tables(make_table, rows), Trigger.DELIVERY_DELAY)
    assert sorted(cases["subject"]) == ["o1", "o2"]


def test_of_a_cart_the_last_item_is_told_with_the_number_of_all(make_table: MakeTable) -> None:
    items = [("cart_add", 3 * HOUR, "salt"), ("cart_add", HOUR, "soap"), ("cart_add", HOUR, "tea")]
    rows = acted(*items, ("cart_add", 2 * HOUR, "tea"))
    cases = find(make_tables(make_table, rows), Trigger.ABANDONED_CART)
    evidence = [json.loads(text) for text in cases["evidence"]]
    assert evidence == [{"item": "soap", "n_items": 3}]  # of two at once, the first by name


def test_an_item_put_into_the_cart_after_the_message_is_told(make_table: MakeTable) -> None:
    sent = {"message_id": "m", "trigger": Trigger.ABANDONED_CART, "sent_at": NOW - 2 * HOUR}
    rows = acted(("cart_add", 3 * HOUR, "salt"), ("cart_add", HOUR, "tea"), messages=[sent])
    again = acted(("cart_add", 3 * HOUR, "tea"), ("cart_add", HOUR, "tea"), messages=[sent])
    for told in (rows, again):
        cases = find(make_tables(make_table, told), Trigger.ABANDONED_CART)
        assert cases["subject"].to_list() == ["tea"]


def test_of_several_views_the_last_is_told(make_table: MakeTable) -> None:
    views = [(5 * HOUR, "tea"), (4 * HOUR, "apple"), (2 * HOUR, "salt"), (HOUR, "tea")]
    sent = {"message_id": "m", "trigger": Trigger.BROWSE_ABANDONMENT, "sent_at": NOW - 3 * HOUR}
    rows = acted(*(("page_view", ago, item) for ago, item in views), messages=[sent])
    cases = find(make_tables(make_table, rows), Trigger.BROWSE_ABANDONMENT)
    assert cases["subject"].to_list() == ["tea"]


def test_a_fall_is_told_against_the_price_when_last_viewed_before_it(
    make_table: MakeTable,
) -> None:
    seen = acted(*(("page_view", ago, "tea") for ago in (9 * DAY, 2 * DAY, HOUR)))
    rows = {**priced((20, 700), (5, 900), (1, 800)), **seen}
    case = find(make_tables(make_table, rows), Trigger.PRICE_DROP).iloc[0]
    assert json.loads(case["evidence"])["old_price_cents"] == 900


def test_of_several_falls_the_largest_is_told(make_table: MakeTable) -> None:
    views = [("page_view", 5 * DAY, item) for item in ("salt", "soap", "tea")]
    fell = {"salt": 50, "soap": 90, "tea": 90}
    prices = [
        {"item": item, "at": NOW - ago, "price_cents": 900 - less}
        for item, fall in fell.items()
        for ago, less in ((9 * DAY, 0), (DAY, fall))
    ]
    cases = find(make_tables(make_table, acted(*views, prices=prices)), Trigger.PRICE_DROP)
    assert cases["subject"].to_list() == ["soap"]


def test_what_cannot_be_said_in_full_is_not_said(make_table: MakeTable) -> None:
    for item, subject in ((None, "cart"), (" ", " ")):
        tables = make_tables(make_table, acted(("cart_add", HOUR, item)))
        case = find(tables, Trigger.ABANDONED_CART).iloc[0]
        assert (case["subject"], case["evidence"]) == (subject, "{}")


def test_whoever_signs_up_and_does_nothing_is_inactive(make_table: MakeTable) -> None:
    moments = {"a": NOW - 7 * DAY, "b": NOW - 7 * DAY + TICK}
    tables = {
        "customers": make_table(
            "customers", *({"customer_id": k, "signed_up_at": v} for k, v in moments.items())
        ),
        "activity": make_table("activity"),
    }
    assert find(tables, Trigger.INACTIVITY)["customer_id"].to_list() == ["a"]


def test_a_trigger_is_silent_without_any_of_its_tables(make_table: MakeTable) -> None:
    for rule in RULES:
        told = [name for name in TOLD if SCENARIOS[name][0] == rule.trigger]
        tables = make_tables(make_table, SCENARIOS[told[0]][1])
        assert set(rule.needs) <= set(tables)
        missing = rule.needs[-1]
        without = {key: frame for key, frame in tables.items() if key != missing}
        assert find(without, rule.trigger).empty


def test_strangers_and_customers_to_come_have_no_cases(make_table: MakeTable) -> None:
    trigger, rows, _ = SCENARIOS["2 days late"]
    assert find(make_tables(make_table, rows, customer_id="b"), trigger).empty
    assert find(make_tables(make_table, rows, signed_up_at=pd.Timestamp(NOW)), trigger).empty


def test_cases_are_sorted_and_pass_their_check(make_table: MakeTable) -> None:
    rows = {**order(), **disruption(), **acted(("cart_add", 8 * DAY, "tea"))}
    tables = make_tables(make_table, rows)
    tables["customers"] = pd.concat(
        [make_table("customers", {"customer_id": "0", "region": "north"}), tables["customers"]]
    )
    cases = find_triggers(tables, as_of=NOW)
    CASES.validate(cases)
    assert list(zip(cases["trigger"], cases["customer_id"], strict=True)) == [
        ("delivery_delay", "a"),
        ("service_disruption", "0"),
        ("service_disruption", "a"),
        ("inactivity", "a"),
    ]


def test_no_cases_are_a_frame_too(make_table: MakeTable) -> None:
    cases = find_triggers(make_tables(make_table, {}), as_of=NOW)
    assert cases.empty
    CASES.validate(cases)


def test_days_of_inactivity_are_whole_days(make_table: MakeTable) -> None:
    tables = make_tables(make_table, acted(("login", 8 * DAY - TICK, None)))
    case = find(tables, Trigger.INACTIVITY).iloc[0]
    assert json.loads(case["evidence"]) == {"days_inactive": 7}


def test_settings_move_the_thresholds(make_table: MakeTable) -> None:
    tables = make_tables(make_table, acted(("login", 5 * DAY, None)))
    sooner = replace(TriggerSettings(), inactive_from_days=4.5)
    assert find_triggers(tables, as_of=NOW).empty
    assert len(find_triggers(tables, as_of=NOW, settings=sooner)) == 1


def test_find_triggers_refuses_a_naive_moment(make_table: MakeTable) -> None:
    with pytest.raises(BadInputError, match="no time zone"):
        find_triggers(make_tables(make_table, {}), as_of=NOW.replace(tzinfo=None))


def test_find_triggers_names_a_time_zone_that_does_not_exist(make_table: MakeTable) -> None:
    tables = make_tables(make_table, order(), timezone="Mars/Phobos")
    with pytest.raises(BadInputError, match=r"customers.timezone: 'Mars/Phobos'"):
        find_triggers(tables, as_of=NOW)
