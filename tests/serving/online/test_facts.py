from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from serving.online.facts import read_row
from serving.online.records import Event, EventReport

ORDER: dict[str, object] = {
    "order_id": "o1",
    "customer_id": "c1",
    "ordered_at": "2026-06-10T12:00:00+05:00",
    "amount_cents": 4200,
}


def test_read_row_keeps_times_as_microseconds_and_leaves_nulls_out() -> None:
    read = read_row("orders", ORDER | {"promised_at": None, "tracking_id": "t1"})

    assert read.faults == ()
    assert read.row == {
        "order_id": "o1",
        "customer_id": "c1",
        "ordered_at": int(datetime(2026, 6, 10, 7, tzinfo=UTC).timestamp()) * 1_000_000,
        "amount_cents": 4200,
        "tracking_id": "t1",
    }


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"amount_cents": -5}, "amount_cents is -5, expected whole cents, 0 or more"),
        ({"amount_cents": 1.5}, "amount_cents is 1.5"),
        ({"amount_cents": True}, "amount_cents is True"),
        ({"amount_cents": None}, "amount_cents is null or missing"),
        ({"ordered_at": "2026-06-10T12:00:00"}, "expected a time with its zone"),
        ({"ordered_at": 5}, "ordered_at is 5"),
        ({"customer_id": ""}, "customer_id is ''"),
        ({"delivered_at": "2026-06-09T12:00:00Z"}, "delivered_at is before ordered_at"),
        ({"known_at": "2026-06-09T12:00:00Z"}, "known_at is not taken"),
        ({"amuont": 3}, "'amuont' is no column"),
        ({"customer_id": "a\0b"}, "customer_id is 'a\\x00b'"),
        ({"ordered_at": "0001-01-01T00:00:00+05:00"}, "expected a time with its zone"),
        ({"ordered_at": "9999-12-31T23:59:59-05:00"}, "expected a time with its zone"),
        ({"tracking_id": "x" * 99 + "'"}, None),
    ],
)
def test_read_row_names_what_is_wrong(change: dict[str, object], fault: str | None) -> None:
    faults = read_row("orders", ORDER | change).faults

    if fault is None:
        assert faults == ()
    else:
        assert len(faults) == 1
        assert fault in faults[0]


@pytest.mark.parametrize(
    ("table", "column", "value", "fits"),
    [
        ("customers", "timezone", "Asia/Almaty", True),
        ("customers", "timezone", "Almaty", False),
        ("customers", "preferred_channel", "push", True),
        ("customers", "preferred_channel", "pigeon", False),
        ("customers", "active_from_hour", 24, False),
        ("activity", "latitude", 90.0, True),
        ("activity", "latitude", 90.5, False),
        ("activity", "value", float("nan"), False),
        ("subscriptions", "card_expires_on", "2026-07-31", True),
        ("subscriptions", "card_expires_on", "2026-07-31T00:00:00Z", False),
        ("surveys", "nps", 11, False),
        ("outcomes", "machine", "no", False),
    ],
)
def test_read_row_reads_every_kind_of_column(
    table: str, column: str, value: object, fits: bool
) -> None:
    read = read_row(table, {column: value})

    assert (column in read.row) is fits
    assert any(fault.startswith(f"{column} is {value!r}") for fault in read.faults) is not fits


def test_report_names_every_fault_of_every_event_at_once() -> None:
    report = {
        "events": [
            {"table": "orders", "row": ORDER | {"amount_cents": -1, "customer_id": None}},
            {"table": "orders", "row": ORDER},
            {"table": "vendors", "row": {}},
            {"table": "activity", "row": {"customer_id": "c1"}},
        ]
    }

    with pytest.raises(ValidationError) as refused:
        EventReport.model_validate(report)

    said = {fault["loc"]: fault["msg"] for fault in refused.value.errors()}
    assert set(said) == {("events", 0), ("events", 2), ("events", 3)}
    assert "amount_cents is -1" in said["events", 0]
    assert "customer_id is null" in said["events", 0]
    assert "vendors" in said["events", 2]
    assert "at is null" in said["events", 3]
    assert "kind is null" in said["events", 3]


def test_event_gives_its_identity_to_the_row_that_has_a_column_for_it() -> None:
    row = {"customer_id": "c1", "at": "2026-06-10T12:00:00Z", "kind": "login"}

    with_id = Event.model_validate({"table": "activity", "row": row, "event_id": "e1"})
    without = Event.model_validate({"table": "orders", "row": ORDER, "event_id": "e2"})

    assert with_id.cells.row["event_id"] == "e1"
    assert "event_id" not in without.cells.row
    with pytest.raises(ValidationError, match="differ"):
        Event.model_validate(
            {"table": "activity", "row": row | {"event_id": "e2"}, "event_id": "e1"}
        )
