"""Who can be lost, and who was."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from features.churn import ACTIVE_WITHIN_DAYS, CHURN_FEATURES, churn_labels, eligible_customers
from features.errors import BadInputError
from features.point_in_time import build_features, make_spine

MakeTable = Callable[..., pd.DataFrame]

AS_OF = datetime(2026, 3, 10, 12, 30, tzinfo=UTC)
MIDNIGHT = datetime(2026, 3, 10, tzinfo=UTC)
DAY = timedelta(days=1)
TICK = timedelta(microseconds=1)
END = AS_OF + 30 * DAY


def subscribed(make_table: MakeTable, *changes: tuple[datetime, str]) -> dict[str, pd.DataFrame]:
    """Customer `a` with these changes of status."""
    rows = [{"customer_id": "a", "valid_from": at, "status": status} for at, status in changes]
    return {
        "customers": make_table("customers", {"customer_id": "a"}),
        "subscriptions": make_table("subscriptions", *rows),
    }


def seen(
    make_table: MakeTable, *moments: datetime, table: str = "activity"
) -> dict[str, pd.DataFrame]:
    """Customer `a` without subscriptions, there at these moments."""
    known_at = {"activity": "at", "orders": "ordered_at"}[table]
    rows = [
        {"customer_id": "a", known_at: at} | ({"order_id": str(n)} if table == "orders" else {})
        for n, at in enumerate(moments)
    ]
    return {
        "customers": make_table("customers", {"customer_id": "a"}),
        table: make_table(table, *rows),
    }


def is_lost(tables: dict[str, pd.DataFrame], *, known_until: datetime = END) -> bool:
    spine = make_spine(["a"], as_of=AS_OF)
    return bool(churn_labels(tables, spine, known_until=known_until).iloc[0])


@pytest.mark.parametrize(
    ("changes", "lost"),
    [
        ([(AS_OF - DAY, "active")], False),
        ([(AS_OF - DAY, "active"), (END - TICK, "canceled")], True),
        ([(AS_OF - DAY, "active"), (END, "canceled")], False),
        ([(AS_OF - DAY, "active"), (AS_OF, "canceled")], True),
        ([(AS_OF - DAY, "active"), (AS_OF + DAY, "canceled"), (END - DAY, "active")], False),
        ([(AS_OF - DAY, "active"), (AS_OF + DAY, "canceled"), (END, "active")], True),
        ([], True),
    ],
)
def test_with_subscriptions_whoever_has_none_at_the_end_is_lost(
    make_table: MakeTable, changes: list[tuple[datetime, str]], lost: bool
) -> None:
    assert is_lost(subscribed(make_table, *changes)) is lost


@pytest.mark.parametrize("table", ["activity", "orders"])
@pytest.mark.parametrize(
    ("moments", "lost"),
    [
        ([AS_OF - TICK], True),
        ([AS_OF], False),
        ([END - TICK], False),
        ([AS_OF - TICK, END], True),
        ([], True),
    ],
)
def test_without_subscriptions_whoever_does_nothing_is_lost(
    make_table: MakeTable, moments: list[datetime], lost: bool, table: str
) -> None:
    tables = seen(make_table, *moments, table=table)
    assert is_lost(tables, known_until=END + DAY) is lost


def test_churn_labels_ignore_activity_where_there_are_subscriptions(make_table: MakeTable) -> None:
    assert is_lost(subscribed(make_table) | seen(make_table, AS_OF + DAY))


def test_churn_labels_go_with_the_rows_and_index_of_the_spine(make_table: MakeTable) -> None:
    spine = pd.concat([make_spine(["a"], as_of=AS_OF + 5 * DAY), make_spine(["a"], as_of=AS_OF)])
    spine.index = pd.Index([4, 2])
    tables = seen(make_table, AS_OF + 2 * DAY)
    labels = churn_labels(tables, spine, known_until=END, horizon_days=3)
    assert labels.to_dict() == {4: True, 2: False}
    assert labels.dtype == bool


def test_churn_labels_refuse_a_horizon_that_nobody_knows_yet(make_table: MakeTable) -> None:
    tables = seen(make_table, AS_OF)
    is_lost(tables, known_until=END)
    message = r"1 moments from 2026-03-10T12:30:00\+00:00 on need facts for 30 days"
    with pytest.raises(BadInputError, match=message):
        is_lost(tables, known_until=END - TICK)


def test_churn_labels_need_something_to_see_people_by(make_table: MakeTable) -> None:
    customers = {"customers": make_table("customers", {"customer_id": "a"})}
    with pytest.raises(BadInputError, match="without subscriptions, activity or orders"):
        is_lost(customers)


@pytest.mark.parametrize(
    ("changes", "eligible"),
    [
        ([(AS_OF - TICK, "active")], ["a"]),
        ([(AS_OF, "active")], []),
        ([(AS_OF - DAY, "active"), (AS_OF - TICK, "canceled")], []),
        ([(AS_OF - DAY, "active"), (AS_OF, "canceled")], ["a"]),
        ([], []),
    ],
)
def test_eligible_is_whoever_has_an_active_subscription(
    make_table: MakeTable, changes: list[tuple[datetime, str]], eligible: list[str]
) -> None:
    tables = subscribed(make_table, *changes)
    assert eligible_customers(tables, as_of=AS_OF).to_list() == eligible


BEGIN = MIDNIGHT - ACTIVE_WITHIN_DAYS * DAY


@pytest.mark.parametrize("table", ["activity", "orders"])
@pytest.mark.parametrize(
    ("at", "eligible"),
    [(BEGIN - TICK, []), (BEGIN, ["a"]), (AS_OF - TICK, ["a"]), (AS_OF, [])],
)
def test_eligible_without_subscriptions_is_whoever_was_there_lately(
    make_table: MakeTable, at: datetime, eligible: list[str], table: str
) -> None:
    tables = seen(make_table, at, table=table)
    assert eligible_customers(tables, as_of=AS_OF).to_list() == eligible


def test_eligible_customers_have_signed_up_and_are_sorted(make_table: MakeTable) -> None:
    signed_up = {"c": AS_OF - TICK, "b": AS_OF, "a": AS_OF - DAY}
    tables = {
        "customers": make_table(
            "customers", *({"customer_id": k, "signed_up_at": v} for k, v in signed_up.items())
        ),
        "activity": make_table(
            "activity", *({"customer_id": k, "at": AS_OF - DAY} for k in signed_up)
        ),
    }
    assert eligible_customers(tables, as_of=AS_OF).to_list() == ["a", "c"]


def test_churn_features_work_with_customers_activity_and_orders_alone(
    make_table: MakeTable,
) -> None:
    tables = seen(make_table, AS_OF - DAY) | seen(make_table, AS_OF - DAY, table="orders")
    built = build_features(tables, make_spine(["a"], as_of=AS_OF), features=CHURN_FEATURES)
    known = set(built.columns[built.notna().iloc[0]])
    assert {"tenure_days", "activity_7d", "days_since_last_order", "order_cents_30d"} <= known
    assert not {"mrr_cents", "tickets_open", "invoices_unpaid", "nps", "messages_30d"} & known
