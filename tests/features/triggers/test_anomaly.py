"""Strange logins: each sign at its edges, in numbers, against the customer's own history."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from features.triggers import TriggerSettings, find_triggers
from features.vocabulary import Trigger

NOW = datetime(2026, 3, 31, 20, 30, tzinfo=UTC)  # Berlin's clocks moved two days before
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
TICK = timedelta(microseconds=1)
ALMATY, OSLO = (43.24, 76.95), (59.91, 10.75)  # 4,699 km by haversine

Row = Mapping[str, object]
Frames = dict[str, pd.DataFrame]
MakeTables = Callable[..., Frames]


def login(at: datetime, place: str | None = None, **more: object) -> Row:
    return {"kind": "login", "at": at, "location": place, **more}


def habit(hour: int, *, n: int = 30, place: str | None = "Oral") -> list[Row]:
    """Logins of the `n` days before yesterday, all in one hour of UTC."""
    midnight = NOW.replace(hour=0, minute=0)
    return [login(midnight - d * DAY + hour * HOUR, place) for d in range(2, n + 2)]


def find(
    make_tables: MakeTables,
    rows: Sequence[Row],
    *,
    settings: TriggerSettings | None = None,
    **customer: object,
) -> pd.DataFrame:
    tables = make_tables({"activity": rows}, **customer)
    cases = find_triggers(tables, as_of=NOW, settings=settings or TriggerSettings())
    return cases.loc[cases["trigger"] == Trigger.ACCOUNT_ANOMALY].reset_index(drop=True)


def facts_of(cases: pd.DataFrame) -> dict[str, object]:
    assert len(cases) == 1
    facts: dict[str, object] = json.loads(cases["evidence"][0])
    return facts


def test_an_hour_in_which_a_customer_was_never_seen_is_odd(make_tables: MakeTables) -> None:
    cases = find(make_tables, [*habit(9), login(NOW - HOUR, "Oral")], timezone="Asia/Almaty")
    assert facts_of(cases) == {
        "location": "Oral",
        "login_at": "2026-04-01T00:30:00+05:00",
        "signs": "odd hour",
        "login_hour": 0,
        "usual_hour": 14,
        "n_logins": 30,
        "n_logins_near": 0,
    }
    assert cases["urgency"][0] == "minor"


@pytest.mark.parametrize(
    ("hours", "n", "odd"),
    [
        (17, 30, False),  # two hours before the login of 19:30
        (16, 30, True),
        (21, 30, False),  # two hours after
        (22, 30, True),
        (9, 30, True),
        (9, 29, False),  # too few to tell a habit
    ],
)
def test_hours_near_a_habit_are_not_odd(
    make_tables: MakeTables, hours: int, n: int, odd: bool
) -> None:
    cases = find(make_tables, [*habit(hours, n=n), login(NOW - HOUR, "Oral")])
    assert len(cases) == odd


def test_hours_are_near_across_midnight(make_tables: MakeTables) -> None:
    late = login(NOW.replace(hour=0, minute=30), "Oral")
    assert find(make_tables, [*habit(23), late]).empty
    assert len(find(make_tables, [*habit(12), late])) == 1


def test_one_login_in_fifty_leaves_an_hour_odd(make_tables: MakeTables) -> None:
    once = login(NOW - 40 * DAY - HOUR, "Oral")
    strange = login(NOW - HOUR, "Oral")
    facts = facts_of(find(make_tables, [*habit(9, n=49), once, strange]))
    assert (facts["n_logins"], facts["n_logins_near"]) == (50, 1)
    assert find(make_tables, [*habit(9, n=48), once, strange]).empty


def test_old_habits_are_forgotten(make_tables: MakeTables) -> None:
    long_ago = [login(NOW - 91 * DAY - n * DAY, "Oral") for n in range(40)]
    assert len(find(make_tables, [*long_ago, *habit(9), login(NOW - HOUR, "Oral")])) == 1


def test_hours_are_those_on_the_wall_on_both_sides_of_summer_time(make_tables: MakeTables) -> None:
    """8:00 UTC was 9:00 in Berlin until Sunday and is 10:00 since."""
    narrow = replace(TriggerSettings(), hour_within=0)
    rows = [*habit(8), login(NOW.replace(hour=7), "Oral")]
    assert find(make_tables, rows, settings=narrow, timezone="Europe/Berlin").empty
    assert len(find(make_tables, rows, settings=narrow, timezone="UTC")) == 1


def test_travel_faster_than_an_airliner_is_told_in_numbers(make_tables: MakeTables) -> None:
    at = (
        {"latitude": ALMATY[0], "longitude": ALMATY[1]},
        {
            "latitude": OSLO[0],
            "longitude": OSLO[1],
        },
    )
    rows = [login(NOW - 3 * HOUR, "Oral", **at[0]), login(NOW - HOUR, "Oral", **at[1])]
    cases = find(make_tables, rows)
    assert facts_of(cases) == {
        "location": "Oral",
        "login_at": "2026-03-31T19:30:00+00:00",
        "signs": "fast travel",
        "travel_km": 4699,
        "travel_minutes": 120,
    }
    assert cases["urgency"][0] == "significant"
    slow = [login(NOW - HOUR - 4699 / 900 * HOUR - HOUR, "Oral", **at[0]), rows[1]]
    assert find(make_tables, slow).empty
    assert find(make_tables, [rows[0], login(NOW - HOUR, "Oral")]).empty


@pytest.mark.parametrize(("degrees", "fires"), [(1.7, False), (1.9, True)])
def test_addresses_that_err_are_no_travel(
    make_tables: MakeTables, degrees: float, fires: bool
) -> None:
    """A degree of latitude is 111 km."""
    rows = [
        login(NOW - HOUR - TICK, None, latitude=0.0, longitude=0.0),
        login(NOW - HOUR, None, latitude=degrees, longitude=0.0),
    ]
    cases = find(make_tables, rows)
    assert len(cases) == fires
    assert cases["subject"].to_list() == ["unknown place"] * fires


def test_travel_is_short_across_the_date_line(make_tables: MakeTables) -> None:
    rows = [
        login(NOW - HOUR - TICK, None, latitude=0.0, longitude=179.9),
        login(NOW - HOUR, None, latitude=0.0, longitude=-179.9),
    ]
    assert find(make_tables, rows).empty


def test_several_signs_are_told_together(make_tables: MakeTables) -> None:
    at = {"latitude": ALMATY[0], "longitude": ALMATY[1]}
    there = {"latitude": OSLO[0], "longitude": OSLO[1]}
    rows = [
        *habit(9),
        login(NOW.replace(hour=16), "Oral", **at),
        login(NOW - HOUR, "Oslo", **there),
    ]
    cases = find(make_tables, rows)
    assert cases["subject"].to_list() == ["Oral", "Oslo"]
    facts = json.loads(cases["evidence"][1])
    assert facts["signs"] == "new place, odd hour, fast travel"
    assert (facts["n_places"], facts["travel_km"]) == (1, 4699)
    assert cases["urgency"].to_list() == ["minor", "significant"]


def test_a_login_that_becomes_known_late_counts_from_then(make_tables: MakeTables) -> None:
    known_at = NOW - TICK
    strange = login(NOW - HOUR, "Oslo", known_at=known_at)
    assert len(find(make_tables, [login(NOW - 9 * DAY, "Oral"), strange])) == 1
    unknown = {**strange, "known_at": NOW}
    assert find(make_tables, [login(NOW - 9 * DAY, "Oral"), unknown]).empty


def test_the_same_login_told_twice_is_one(make_tables: MakeTables) -> None:
    strange = login(NOW - HOUR, "Oslo", event_id="e")
    again = {**strange, "known_at": NOW - TICK}
    assert len(find(make_tables, [login(NOW - 9 * DAY, "Oral"), strange, again])) == 1
