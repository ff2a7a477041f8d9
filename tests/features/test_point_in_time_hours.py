"""Hours of the week in the customer's own time zone."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.declared.hours import PRESENCE
from features.errors import BadInputError
from features.point_in_time import (
    N_WEEK_HOURS,
    EveryCustomer,
    count_hours_of_week,
    make_spine,
)
from features.point_in_time.spine import MICROS_PER_DAY, MICROS_PER_HOUR, to_micros
from features.point_in_time.zones import FOREVER, find_offsets

MakeTable = Callable[..., pd.DataFrame]

NOW = datetime(2026, 4, 6, tzinfo=UTC)
OLD = datetime(2020, 1, 1, tzinfo=UTC)
SUNDAY = 6 * 24
TICK = timedelta(microseconds=1)


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
    soon = max(map(moment, moments)) + timedelta(hours=1)
    assert hours_of(make_table, timezone, *moments, as_of=soon) == expected


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


ERA = timedelta(days=112)


def test_an_event_weighs_half_with_every_era(make_table: MakeTable) -> None:
    begin = datetime(1970, 1, 1, tzinfo=UTC) + 366 * ERA  # of an era
    at = begin.replace(hour=5)
    hour = 24 * at.weekday() + 5
    assert hours_of(make_table, "UTC", str(at.replace(tzinfo=None)), as_of=begin + ERA - TICK) == {
        hour: 1.0
    }
    for n_eras in (1, 2, 7, 100):
        found = hours_of(
            make_table, "UTC", str(at.replace(tzinfo=None)), as_of=begin + n_eras * ERA
        )
        assert found == {hour: 0.5**n_eras}


def test_a_histogram_without_half_life_counts_every_event_as_one(make_table: MakeTable) -> None:
    tables = {
        "customers": make_table("customers", {"customer_id": "a", "signed_up_at": OLD}),
        "activity": make_table(
            "activity", *({"customer_id": "a", "at": NOW - n * ERA} for n in range(1, 9))
        ),
    }
    spine = make_spine(["a"], as_of=NOW)
    every = replace(PRESENCE, half_life_days=None)
    assert count_hours_of_week(tables, spine, histogram=every)[0, 0] == 8.0
    weights = 0.5 ** np.arange(1, 9)
    assert count_hours_of_week(tables, spine)[0, 0] == weights.sum()


def test_every_customer_has_a_row_by_customer_id(make_table: MakeTable) -> None:
    tables = {
        "customers": make_table("customers", {"customer_id": "b"}, {"customer_id": "a"}),
        "activity": make_table(
            "activity", {"customer_id": "b", "at": moment("2026-03-30T05:00:00")}
        ),
    }
    assert count_hours_of_week(tables, EveryCustomer(NOW)).sum(axis=1).tolist() == [0.0, 1.0]


@settings(max_examples=60)
@given(
    zone=st.sampled_from(["Europe/Berlin", "America/New_York", "Africa/Casablanca", "Asia/Almaty"]),
    at=st.datetimes(NOW.replace(1970, tzinfo=None), NOW.replace(2040, tzinfo=None)),
)
def test_offsets_of_a_zone_are_those_of_its_clocks(zone: str, at: datetime) -> None:
    aware = at.replace(tzinfo=UTC)
    micros = to_micros(aware)
    year = 366 * MICROS_PER_DAY
    offsets = list(find_offsets(ZoneInfo(zone), begins=micros - year, ends=micros + year))
    assert offsets[0][0] == -FOREVER
    assert offsets[-1][1] == FOREVER
    assert [first[1] for first in offsets[:-1]] == [second[0] for second in offsets[1:]]
    for tick in (-TICK, timedelta(0), TICK):
        found = [o for begin, end, o in offsets if begin <= to_micros(aware + tick) < end]
        clock = (aware + tick).astimezone(ZoneInfo(zone)).utcoffset()
        assert [timedelta(microseconds=o) for o in found] == [clock]


def test_offsets_change_at_the_microsecond() -> None:
    change = moment("2026-03-29T01:00:00")
    day = timedelta(days=1)
    begins, ends = to_micros(change - day), to_micros(change + day)
    assert list(find_offsets(ZoneInfo("Europe/Berlin"), begins=begins, ends=ends)) == [
        (-FOREVER, to_micros(change), MICROS_PER_HOUR),
        (to_micros(change), FOREVER, 2 * MICROS_PER_HOUR),
    ]
