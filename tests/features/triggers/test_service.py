"""Triggers about orders, payments, limits and service at their edges."""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from features.evidence import find_evidence_faults
from features.triggers import find_triggers
from features.triggers.cases import RULES
from features.vocabulary import Trigger

NOW = datetime(2026, 3, 10, 20, 30, tzinfo=UTC)
TODAY = datetime(2026, 3, 10, tzinfo=UTC)
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
TICK = timedelta(microseconds=1)

Row = Mapping[str, object]
Rows = Mapping[str, Sequence[Row]]

MakeTable = Callable[..., pd.DataFrame]
MakeTables = Callable[..., dict[str, pd.DataFrame]]
FindEach = Callable[..., dict[str, pd.DataFrame]]
T = Trigger

TRIGGERS = (
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
}

# Of each trigger a scenario: when its problem began, subject, urgency, evidence in Almaty (+5).
TOLD: Mapping[str, tuple[datetime, str, str | None, dict[str, object]]] = {
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


def find(tables: Mapping[str, pd.DataFrame], trigger: Trigger) -> pd.DataFrame:
    cases = find_triggers(tables, as_of=NOW)
    return cases.loc[cases["trigger"] == trigger].reset_index(drop=True)


def test_triggers_fire_and_say_what_was_seen(find_each: FindEach) -> None:
    found = find_each({name: rows for name, (_, rows, _) in SCENARIOS.items()})
    wrong = []
    for name, (trigger, _, fires) in SCENARIOS.items():
        cases = found[name].loc[found[name]["trigger"] == trigger]
        faults = [
            f for text in cases["evidence"] for f in find_evidence_faults(trigger, json.loads(text))
        ]
        if len(cases) != (1 if fires else 0) or faults:
            wrong.append((name, len(cases), faults))
    assert wrong == []


def test_scenarios_show_every_trigger_fire_and_not() -> None:
    seen = {(trigger, fires) for trigger, _, fires in SCENARIOS.values()}
    assert seen == {(trigger, fires) for trigger in TRIGGERS for fires in (True, False)}


def test_a_case_says_what_it_is_about(find_each: FindEach) -> None:
    scenarios = {name: SCENARIOS[name][1] for name in TOLD}
    found = find_each(scenarios, timezone="Asia/Almaty")
    for name, (began_at, subject, urgency, evidence) in TOLD.items():
        case = found[name].loc[found[name]["trigger"] == SCENARIOS[name][0]].iloc[0]
        assert (case["subject"], case["found_at"], case["began_at"]) == (subject, NOW, began_at)
        assert json.loads(case["evidence"]) == evidence
        assert (None if pd.isna(case["urgency"]) else case["urgency"]) == urgency
        assert case["expires_at"] >= NOW


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
    find_each: FindEach, since: timedelta, sent: Row, fires: bool
) -> None:
    scenarios = {}
    for name, (began_at, *_) in TOLD.items():
        trigger, rows, _ = SCENARIOS[name]
        row = {"message_id": "m", "trigger": trigger, "sent_at": began_at + since, **sent}
        scenarios[name] = {**rows, "messages": [row]}
    found = find_each(scenarios)
    for name in TOLD:
        assert (SCENARIOS[name][0] in set(found[name]["trigger"])) is fires, name


def test_a_trigger_is_silent_without_any_of_its_tables(make_tables: MakeTables) -> None:
    for rule in RULES:
        if rule.trigger not in TRIGGERS:
            continue
        told = [name for name in TOLD if SCENARIOS[name][0] == rule.trigger]
        tables = make_tables(SCENARIOS[told[0]][1])
        assert set(rule.needs) <= set(tables)
        without = {key: frame for key, frame in tables.items() if key != rule.needs[-1]}
        assert find(without, rule.trigger).empty


def test_consent_is_no_matter_of_triggers(make_tables: MakeTables) -> None:
    trigger, rows, _ = SCENARIOS["2 days late"]
    refused = {f"consent_{channel}": False for channel in ("email", "sms", "push")}
    tables = make_tables(rows, **refused)
    assert len(find(tables, trigger)) == 1


def test_a_message_sent_at_the_moment_is_not_known(make_tables: MakeTables) -> None:
    sent = {"message_id": "m", "trigger": Trigger.DELIVERY_DELAY, "sent_at": NOW}
    tables = make_tables({**order(), "messages": [sent]})
    assert len(find(tables, Trigger.DELIVERY_DELAY)) == 1


def test_urgency_of_a_delay(find_each: FindEach) -> None:
    expected = {
        DAY: ("minor", 1),
        DAY + TICK: ("moderate", 2),
        3 * DAY: ("moderate", 3),
        3 * DAY + TICK: ("significant", 4),
    }
    found = find_each({str(delay): order(delay) for delay in expected})
    for delay, (urgency, days) in expected.items():
        case = found[str(delay)].iloc[0]
        evidence = json.loads(case["evidence"])
        assert (case["urgency"], evidence["urgency"]) == (urgency, urgency)
        assert evidence["delay_days"] == days


def test_usage_above_the_threshold_began_after_the_last_report_below(
    find_each: FindEach,
) -> None:
    above = [(4, 85.0), (1, 90.0)]
    found = find_each(
        {
            "since a report of 80 %": usage((12, 10.0), (9, 95.0), (6, 80.0), *above),
            "since the first report": usage(*above),
        },
    )
    for cases in found.values():
        assert cases["subject"].to_list() == ["2026-03-06"]
        assert json.loads(cases.loc[0, "evidence"])["used"] == 90


def test_a_delay_that_grows_was_told_before(make_tables: MakeTables) -> None:
    grown = {"updated_at": NOW - DAY, "estimated_at": NOW + 9 * DAY}
    for sent_at, fires in ((NOW - 2 * DAY, False), (NOW - 4 * DAY, True)):
        sent = {"message_id": "m", "trigger": Trigger.DELIVERY_DELAY, "sent_at": sent_at}
        tables = make_tables({**order(later=[grown]), "messages": [sent]})
        cases = find(tables, Trigger.DELIVERY_DELAY)
        assert cases["urgency"].to_list() == ["significant"] * fires


def test_a_shipment_says_its_latest_estimate(make_tables: MakeTables) -> None:
    moved = {"updated_at": NOW - HOUR, "estimated_at": NOW + 5 * DAY}
    tables = make_tables(shipped(NOW - DAY, later=[moved]))
    case = find(tables, Trigger.ORDER_SHIPPED).iloc[0]
    assert json.loads(case["evidence"])["estimated_on"] == "2026-03-15"


def test_one_customer_can_have_several_late_orders(make_tables: MakeTables) -> None:
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
    cases = find(make_tables(rows), Trigger.DELIVERY_DELAY)
    assert sorted(cases["subject"]) == ["o1", "o2"]
