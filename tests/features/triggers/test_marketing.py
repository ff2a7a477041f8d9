"""Triggers about what was looked at and not bought, and silence: what is told, and when."""

import json
from dataclasses import replace

from features.triggers import TriggerSettings, find_triggers
from features.vocabulary import Trigger
from tests.features.triggers.marketing_scenes import acted, priced
from tests.features.triggers.scenes import DAY, HOUR, NOW, TICK, MakeTable, MakeTables, find


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
