"""Triggers about orders, payments, limits and service: what is told, and when."""

import json

from features.vocabulary import Trigger
from tests.features.triggers.scenes import DAY, HOUR, NOW, TICK, FindEach, MakeTables, find
from tests.features.triggers.service_scenes import SERVICE, order, shipped, usage


def test_consent_is_no_matter_of_triggers(make_tables: MakeTables) -> None:
    trigger, rows, _ = SERVICE.scenarios["2 days late"]
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


def test_a_limit_of_parts_is_told_without_numbers(find_each: FindEach) -> None:
    told = {
        (95.0, 100.0): {"used": 95, "plan_limit": 100, "used_percent": 95},
        (949.5, 1000.0): {"used": 949, "plan_limit": 1000, "used_percent": 94},
        (4.7, 5.0): {},
        (1.4, 1.5): {},
        (1.4, 1.5001): {},
    }
    found = find_each(
        {str(key): usage((4, key[0] * 0.9), (1, key[0]), limit=key[1]) for key in told}
    )
    for key, facts in told.items():
        evidence = json.loads(found[str(key)].loc[0, "evidence"])
        named = {
            name: evidence[name]
            for name in ("used", "plan_limit", "used_percent")
            if name in evidence
        }
        assert named == facts, key


def test_a_shipment_names_no_day_that_has_passed(find_each: FindEach) -> None:
    estimates = {"yesterday": NOW - 1.5 * DAY, "today": NOW + HOUR, "unknown": None}
    found = find_each(
        {
            name: shipped(NOW - 2 * HOUR, later=[{"updated_at": NOW - HOUR, "estimated_at": at}])
            for name, at in estimates.items()
        }
    )
    named = {
        name: "estimated_on" in json.loads(found[name].loc[0, "evidence"]) for name in estimates
    }
    assert named == {"yesterday": False, "today": True, "unknown": False}
