"""Hours of the week in the customer's own time zone."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from features.errors import BadInputError
from features.point_in_time import N_WEEK_HOURS, count_hours_of_week, make_spine

MakeTable = Callable[..., pd.DataFrame]

NOW = datetime(2026, 4, 6, tzinfo=UTC)
SUNDAY = 6 * 24


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def hours_of(make_table: MakeTable, timezone: str, *moments: str, as_of: datetime = NOW) -> dict:
    """Counts by hour of a customer who was there at these UTC moments."""
    tables = {
        "customers": make_table("customers", {"customer_id": "a", "timezone": timezone}),
        "activity": make_table(
            "activity", *({"customer_id": "a", "at": moment(at)} for at in moments)
        ),
    }
    counts = count_hours_of_week(tables, make_spine(["a"], as_of=as_of))
    assert counts.shape == (1, N_WEEK_HOURS)
    assert counts.dtype == np.float64
    return {int(hour): counts[0, hour] for hour in counts[0].nonzero()[0]}


@pytest.mark.parametrize(
    ("timezone", "moments", "expected"),
    [
        ("UTC", ["2026-03-30T00:00:00", "2026-04-05T23:59:59"], {0: 1.0, 167: 1.0}),
        ("Asia/Almaty", ["2026-03-29T19:00:00", "2026-03-29T18:59:59"], {0: 1.0, 167: 1.0}),
        ("Asia/Kolkata", ["2026-03-29T18:29:59", "2026-03-29T18:30:00"], {167: 1.0, 0: 1.0}),
        # Clocks in Berlin went from 2:00 to 3:00 at 1:00 UTC: hour 2 never was.
        (
            "Europe/Berlin",
            ["2026-03-29T00:30:00", "2026-03-29T01:30:00"],
            {SUNDAY + 1: 1.0, SUNDAY + 3: 1.0},
        ),
        # They went from 3:00 back to 2:00 at 1:00 UTC: hour 2 was twice.
        ("Europe/Berlin", ["2025-10-26T00:30:00", "2025-10-26T01:30:00"], {SUNDAY + 2: 2.0}),
    ],
)
def test_hours_are_those_of_the_clock_on_the_customers_wall(
    make_table: MakeTable, timezone: str, moments: list[str], expected: dict[int, float]
) -> None:
    assert hours_of(make_table, timezone, *moments) == expected


def test_hours_stop_before_the_moment_of_the_row(make_table: MakeTable) -> None:
    at = "2026-04-01T10:00:00"
    assert hours_of(make_table, "UTC", at, as_of=moment(at)) == {}
    assert hours_of(make_table, "UTC", at, as_of=moment(at) + timedelta(microseconds=1)) == {
        58: 1.0
    }


def test_human_opens_count_and_machine_opens_do_not(make_table: MakeTable) -> None:
    opened = {"message_id": "m", "at": moment("2026-03-30T05:00:00")}
    tables = {
        "customers": make_table("customers", {"customer_id": "a"}),
        "messages": make_table(
            "messages",
            {"message_id": "m", "customer_id": "a", "sent_at": moment("2026-03-30T04:00:00")},
        ),
        "outcomes": make_table(
            "outcomes",
            opened,
            {**opened, "outcome": "clicked", "at": moment("2026-03-30T06:00:00")},
            {**opened, "machine": True, "at": moment("2026-03-30T07:00:00")},
        ),
    }
    counts = count_hours_of_week(tables, make_spine(["a"], as_of=NOW))
    assert counts[0].nonzero()[0].tolist() == [5]


def test_rows_may_repeat_customers_at_several_moments(make_table: MakeTable) -> None:
    tables = {
        "customers": make_table("customers", {"customer_id": "a"}, {"customer_id": "b"}),
        "activity": make_table(
            "activity",
            {"customer_id": "a", "at": moment("2026-03-30T05:00:00")},
            {"customer_id": "a", "at": moment("2026-03-31T05:00:00")},
            {"customer_id": "stranger", "at": moment("2026-03-31T05:00:00")},
        ),
    }
    early = make_spine(["a"], as_of=moment("2026-03-31T00:00:00"))
    spine = pd.concat([make_spine(["b", "a", "stranger"], as_of=NOW), early, early])
    assert count_hours_of_week(tables, spine).sum(axis=1).tolist() == [0.0, 2.0, 0.0, 1.0, 1.0]


def test_without_activity_and_messages_there_is_nothing_to_count(make_table: MakeTable) -> None:
    tables = {"customers": make_table("customers", {"customer_id": "a"})}
    assert not count_hours_of_week(tables, make_spine(["a"], as_of=NOW)).any()


@pytest.mark.parametrize("timezone", ["Mars/Phobos", "", "../etc", "America"])
def test_a_time_zone_that_does_not_exist_is_named(make_table: MakeTable, timezone: str) -> None:
    with pytest.raises(BadInputError, match=r"customers.timezone: '.*' is not an IANA time zone"):
        hours_of(make_table, timezone, "2026-03-30T00:00:00")
