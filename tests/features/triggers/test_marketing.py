"""Triggers about what was looked at and not bought, and silence, at their edges."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from features.evidence import find_evidence_faults
from features.triggers import TriggerSettings, find_triggers
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

TRIGGERS = (T.ABANDONED_CART, T.BROWSE_ABANDONMENT, T.PRICE_DROP, T.INACTIVITY)


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


SCENARIOS: Mapping[str, tuple[Trigger, Rows, bool]] = {
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
TOLD: Mapping[str, tuple[datetime, str, str | None, dict[str, object]]] = {
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


def test_of_a_cart_the_last_item_is_told_with_the_number_of_all(make_tables: MakeTables) -> None:
    items = [("cart_add", 3 * HOUR, "salt"), ("cart_add", HOUR, "soap"), ("cart_add", HOUR, "tea")]
    rows = acted(*items, ("cart_add", 2 * HOUR, "tea"))
    cases = find(make_tables(rows), Trigger.ABANDONED_CART)
    evidence = [json.loads(text) for text in cases["evidence"]]
    assert evidence == [{"item": "soap", "n_items": 3}]  # of two at once, the first by name


def test_an_item_put_into_the_cart_after_the_message_is_told(make_tables: MakeTables) -> None:
    sent = {"message_id": "m", "trigger": Trigger.ABANDONED_CART, "sent_at": NOW - 2 * HOUR}
    rows = acted(("cart_add", 3 * HOUR, "salt"), ("cart_add", HOUR, "tea"), messages=[sent])
    again = acted(("cart_add", 3 * HOUR, "tea"), ("cart_add", HOUR, "tea"), messages=[sent])
    for told in (rows, again):
        cases = find(make_tables(told), Trigger.ABANDONED_CART)
        assert cases["subject"].to_list() == ["tea"]


def test_of_several_views_the_last_is_told(make_tables: MakeTables) -> None:
    views = [(5 * HOUR, "tea"), (4 * HOUR, "apple"), (2 * HOUR, "salt"), (HOUR, "tea")]
    sent = {"message_id": "m", "trigger": Trigger.BROWSE_ABANDONMENT, "sent_at": NOW - 3 * HOUR}
    rows = acted(*(("page_view", ago, item) for ago, item in views), messages=[sent])
    cases = find(make_tables(rows), Trigger.BROWSE_ABANDONMENT)
    assert cases["subject"].to_list() == ["tea"]


def test_a_fall_is_told_against_the_price_when_last_viewed_before_it(
    make_tables: MakeTables,
) -> None:
    seen = acted(*(("page_view", ago, "tea") for ago in (9 * DAY, 2 * DAY, HOUR)))
    rows = {**priced((20, 700), (5, 900), (1, 800)), **seen}
    case = find(make_tables(rows), Trigger.PRICE_DROP).iloc[0]
    assert json.loads(case["evidence"])["old_price_cents"] == 900


def test_of_several_falls_the_largest_is_told(make_tables: MakeTables) -> None:
    views = [("page_view", 5 * DAY, item) for item in ("salt", "soap", "tea")]
    fell = {"salt": 50, "soap": 90, "tea": 90}
    prices = [
        {"item": item, "at": NOW - ago, "price_cents": 900 - less}
        for item, fall in fell.items()
        for ago, less in ((9 * DAY, 0), (DAY, fall))
    ]
    cases = find(make_tables(acted(*views, prices=prices)), Trigger.PRICE_DROP)
    assert cases["subject"].to_list() == ["soap"]


def test_what_cannot_be_said_in_full_is_not_said(make_tables: MakeTables) -> None:
    for item, subject in ((None, "cart"), (" ", " ")):
        tables = make_tables(acted(("cart_add", HOUR, item)))
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


def test_days_of_inactivity_are_whole_days(make_tables: MakeTables) -> None:
    tables = make_tables(acted(("login", 8 * DAY - TICK, None)))
    case = find(tables, Trigger.INACTIVITY).iloc[0]
    assert json.loads(case["evidence"]) == {"days_inactive": 7}


def test_settings_move_the_thresholds(make_tables: MakeTables) -> None:
    tables = make_tables(acted(("login", 5 * DAY, None)))
    sooner = replace(TriggerSettings(), inactive_from_days=4.5)
    assert find_triggers(tables, as_of=NOW).empty
    assert len(find_triggers(tables, as_of=NOW, settings=sooner)) == 1
