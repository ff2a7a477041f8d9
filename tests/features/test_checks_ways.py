"""The ways in which real tables are wrong: each gives one message, with its cause if obvious."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from features.checks import Rule, check_tables
from features.contracts import CONTRACTS

Frames = dict[str, pd.DataFrame]

AS_OF = pd.Timestamp("2024-03-01T00:00:00Z")
EPOCH = 1_704_067_200  # 2024-01-01T00:00:00Z


def put(table: str, column: str, cell: object, *, row: int = 7) -> Callable[[Frames], None]:
    """One cell of an otherwise sound column."""

    def plant(tables: Frames) -> None:
        mixed = tables[table][column].astype("object")
        mixed.iloc[row] = cell
        tables[table] = tables[table].assign(**{column: mixed})

    return plant


def whole(
    table: str, column: str, change: Callable[["pd.Series[object]"], object]
) -> Callable[[Frames], None]:
    """A whole column that is kept in another way."""

    def plant(tables: Frames) -> None:
        tables[table] = tables[table].assign(**{column: change(tables[table][column])})

    return plant


def rename(table: str, column: str, other: str) -> Callable[[Frames], None]:
    def plant(tables: Frames) -> None:
        tables[table] = tables[table].rename(columns={column: other})

    return plant


def rename_table(table: str, other: str) -> Callable[[Frames], None]:
    def plant(tables: Frames) -> None:
        tables[other] = tables.pop(table)

    return plant


def again(table: str, row: int) -> Callable[[Frames], None]:
    def plant(tables: Frames) -> None:
        frame = tables[table]
        tables[table] = pd.concat([frame, frame.iloc[[row]]], ignore_index=True)

    return plant


def epoch(per_second: int) -> Callable[["pd.Series[object]"], object]:
    return lambda times: np.arange(len(times)) * per_second + EPOCH * per_second


WAYS: list[tuple[str, Callable[[Frames], None], str, Rule, str]] = [
    ("seconds", whole("usage", "at", epoch(1)), "usage.at", Rule.WRONG_TYPE, "unit: seconds"),
    (
        "milliseconds",
        whole("usage", "at", epoch(10**3)),
        "usage.at",
        Rule.WRONG_TYPE,
        "1704067200000 is 2024-01-01T00:00:00+00:00 in milliseconds since 1970: a mapping says",
    ),
    (
        "microseconds",
        whole("usage", "at", epoch(10**6)),
        "usage.at",
        Rule.WRONG_TYPE,
        "unit: microseconds",
    ),
    (
        "nanoseconds",
        whole("usage", "at", epoch(10**9)),
        "usage.at",
        Rule.WRONG_TYPE,
        "unit: nanoseconds",
    ),
    ("spreadsheet days", put("orders", "ordered_at", 45_292.5), "orders.ordered_at",
     Rule.WRONG_TYPE, "spreadsheet"),
    ("local date", put("orders", "ordered_at", "31.12.2023 10:00"), "orders.ordered_at",
     Rule.WRONG_TYPE, "format: '%d.%m.%Y'"),
    ("no zone", whole("tickets", "opened_at", lambda times: times.dt.tz_localize(None)),
     "tickets.opened_at", Rule.NAIVE_TIME, "zone: Asia/Almaty"),
    ("some without a zone", put("tickets", "opened_at", datetime(2024, 1, 8)),
     "tickets.opened_at", Rule.NAIVE_TIME, "zone: Asia/Almaty"),
    ("year 1970", put("activity", "at", pd.Timestamp("1970-01-20T17:21:07Z")), "activity.at",
     Rule.UNLIKELY_TIME, "seconds read as milliseconds"),
    ("year 9999", put("orders", "promised_at", pd.Timestamp("9999-12-31T00:00:00Z")),
     "orders.promised_at", Rule.UNLIKELY_TIME, "what has not happened empty"),
    ("hours ahead", put("activity", "at", AS_OF + pd.Timedelta(hours=5)), "activity.at",
     Rule.FUTURE_ROW, "local times given out as UTC?"),
    ("delivered before ordered",
     put("orders", "delivered_at", pd.Timestamp("2023-01-01T00:00:00Z")), "orders.delivered_at",
     Rule.OUT_OF_ORDER, ""),
    ("paid hours before issued",
     lambda tables: put("invoices", "paid_at", tables["invoices"]["issued_at"][7]
                        - pd.Timedelta(hours=5))(tables),
     "invoices.paid_at", Rule.OUT_OF_ORDER, "is paid_at in the zone of issued_at?"),
    ("decimal comma", put("usage", "used", "12,50"), "usage.used", Rule.WRONG_TYPE,
     "decimal: ','"),
    ("numbers as text", put("usage", "used", "12.5"), "usage.used", Rule.WRONG_TYPE,
     "a mapping reads them"),
    ("currency sign", put("orders", "amount_cents", "€12"), "orders.amount_cents",
     Rule.WRONG_TYPE, "without the sign of a currency"),
    ("units", whole("orders", "amount_cents", lambda cents: cents / 100 + 0.25),
     "orders.amount_cents", Rule.WRONG_TYPE, "money: units"),
    ("decimal units", put("orders", "amount_cents", Decimal("12.50")), "orders.amount_cents",
     Rule.WRONG_TYPE, "money: units"),
    ("negative amount", put("orders", "amount_cents", -1250), "orders.amount_cents",
     Rule.NEGATIVE_MONEY, "leave such rows out"),
    ("infinite", put("usage", "used", float("inf")), "usage.used", Rule.WRONG_TYPE,
     "nothing is infinite"),
    ("huge", put("orders", "amount_cents", 2**70), "orders.amount_cents", Rule.WRONG_TYPE,
     "64 bits"),
    ("null as a word", put("usage", "used", "NULL"), "usage.used", Rule.WRONG_TYPE,
     "leave what is unknown empty instead of NULL"),
    ("not a number", put("usage", "used", "n/a"), "usage.used", Rule.WRONG_TYPE, "empty"),
    ("flag as a word", put("tickets", "escalated", "yes"), "tickets.escalated",
     Rule.WRONG_TYPE, "a mapping reads 0 and 1, yes and no"),
    ("flag as a number", whole("tickets", "escalated", lambda flags: flags.astype("int64")),
     "tickets.escalated", Rule.WRONG_TYPE, "0 and 1"),
    ("consent as a word", put("customers", "consent_sms", "Y"), "customers.consent_sms",
     Rule.WRONG_TYPE, "yes and no"),
    ("status spelled otherwise", put("subscriptions", "status", "Cancelled"),
     "subscriptions.status", Rule.UNKNOWN_VALUE,
     "perhaps canceled: a mapping says `values: {Cancelled: canceled}`"),
    ("status of theirs", put("subscriptions", "status", "trialing"), "subscriptions.status",
     Rule.UNKNOWN_VALUE, "values: {theirs: ours}"),
    ("zone by city", put("customers", "timezone", "Almaty"), "customers.timezone",
     Rule.UNKNOWN_TIME_ZONE, "perhaps Asia/Almaty"),
    ("zone in small letters", put("customers", "timezone", "europe/berlin"),
     "customers.timezone", Rule.UNKNOWN_TIME_ZONE, "perhaps Europe/Berlin"),
    ("zone as an offset", put("customers", "timezone", "UTC+5"), "customers.timezone",
     Rule.UNKNOWN_TIME_ZONE, "Etc/GMT-5"),
    ("hour 24", put("customers", "active_to_hour", 24), "customers.active_to_hour",
     Rule.OUT_OF_RANGE, "midnight is hour 0"),
    ("latitude 120", put("activity", "latitude", 120.0), "activity.latitude",
     Rule.OUT_OF_RANGE, "the wrong way round?"),
    ("percent", put("messages", "propensity", 12.0), "messages.propensity",
     Rule.OUT_OF_RANGE, "not percent"),
    ("double key", again("invoices", 4), "invoices.invoice_id", Rule.DUPLICATE_KEY,
     "known_at says when it became known"),
    ("double message", again("messages", 4), "messages.message_id", Rule.DUPLICATE_KEY,
     "no corrections"),
    ("ids as floats", whole("vendors", "vendor_id", lambda ids: np.arange(len(ids)) * 1.0),
     "vendors.vendor_id", Rule.WRONG_TYPE, "keep them as text, or map them"),
    ("blank behind an id", put("activity", "customer_id", "c7 "), "activity.customer_id",
     Rule.STRAY_BLANKS, "a mapping drops blanks"),
    ("empty id", put("activity", "customer_id", ""), "activity.customer_id", Rule.NULL_VALUE, ""),
    ("blank id", put("activity", "customer_id", "  "), "activity.customer_id",
     Rule.NULL_VALUE, ""),
    ("customer nobody knows", put("orders", "customer_id", "nobody"), "orders.customer_id",
     Rule.UNKNOWN_REFERENCE, ""),
    ("customer in capitals", put("orders", "customer_id", "C7"), "orders.customer_id",
     Rule.UNKNOWN_REFERENCE, "C7 differs from a known one only by capital letters"),
    ("number for text", whole("vendors", "name", lambda names: np.arange(len(names))),
     "vendors.name", Rule.WRONG_TYPE, "keep it as text"),
    ("time within a day", put("subscriptions", "card_expires_on", datetime(2024, 1, 1, 7)),
     "subscriptions.card_expires_on", Rule.WRONG_TYPE, ""),
    ("other name", rename("prices", "price_cents", "price"), "prices.price_cents",
     Rule.MISSING_COLUMN, "did you mean price?"),
    ("capital letters", rename("surveys", "nps", "NPS"), "surveys.nps", Rule.MISSING_COLUMN,
     "did you mean NPS?"),
    ("other punctuation", rename("inbound", "inbound_id", "inboundId"), "inbound.inbound_id",
     Rule.MISSING_COLUMN, "did you mean inboundId?"),
    ("table of another name", rename_table("messages", "Message"), "messages",
     Rule.MISSING_TABLE, "did you mean Message?"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("plant", "place", "rule", "hint"),
    [way[1:] for way in WAYS],
    ids=[way[0] for way in WAYS],
)
def test_check_tables_gives_one_message_for_each_way(
    clean_tables: Frames, plant: Callable[[Frames], None], place: str, rule: Rule, hint: str
) -> None:
    plant(clean_tables)
    kept = {"customers", "messages", "outcomes", place.split(".")[0]}
    tables = {n: t for n, t in clean_tables.items() if n in kept or n not in CONTRACTS}
    (violation,) = check_tables(tables, as_of=AS_OF).violations
    text = str(violation)
    assert text.startswith(f"{place}: {rule}")
    assert f", expected {violation.expected}" in text
    assert violation.expected
    if rule not in (Rule.MISSING_COLUMN, Rule.MISSING_TABLE):
        n = violation.n_rows
        assert f" in {n} row{'s' * (n != 1)}" in text
        assert violation.examples[0].startswith("row ")
    assert hint in violation.hint
    assert bool(hint) == bool(violation.hint)


def test_check_tables_shows_blanks_that_could_not_be_seen(clean_tables: Frames) -> None:
    put("activity", "customer_id", "c7 ")(clean_tables)
    (violation,) = check_tables(clean_tables).violations
    assert violation.examples == ("row 7: customer_id='c7 '",)


def test_check_tables_asks_whether_an_extra_column_is_an_optional_one(
    clean_tables: Frames,
) -> None:
    rename("orders", "delivered_at", "deliveredAt")(clean_tables)
    (note,) = check_tables(clean_tables).notes
    assert str(note) == (
        "orders.deliveredAt: not in the contract, kept as it is [did you mean delivered_at?]"
    )
