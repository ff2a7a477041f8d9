"""What is due falls into working hours."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.playbooks.hours import find_due, is_working, next_start
from serving.playbooks.settings import Team, Weekday
from serving.store.notices import PartyKind


def make_team(
    zone: str = "Asia/Almaty",
    days: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri"),
    hours: tuple[int, int] = (9, 18),
) -> Team:
    return Team(party=PartyKind.CSM, zone=zone, from_hour=hours[0], to_hour=hours[1], days=days)


MOMENTS = st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC))
TEAMS = st.builds(
    make_team,
    st.sampled_from(["Asia/Almaty", "Europe/Berlin", "America/New_York", "UTC"]),
    st.sampled_from([("sun",), ("mon", "wed"), ("mon", "tue", "wed", "thu", "fri")]),
    st.sampled_from([(9, 18), (0, 24), (22, 24), (0, 1)]),
)


@given(made_at=MOMENTS, within=st.floats(0.5, 24 * 14), team=TEAMS)
def test_due_is_after_the_task_and_in_or_at_the_end_of_working_hours(
    made_at: datetime, within: float, team: Team
) -> None:
    due = find_due(made_at, within_hours=within, team=team)

    assert due > made_at
    just_before = due - timedelta(seconds=1)
    assert is_working(due, team=team) or is_working(just_before, team=team)
    if due > made_at + timedelta(hours=within):  # later only where nobody works before
        assert due - next_start(made_at, team=team) <= timedelta(hours=1)


@pytest.mark.parametrize(
    ("made_at", "within_hours", "due"),
    [
        ("2026-06-10T05:00", 8, "2026-06-10T13:00"),  # Wednesday 10:00: 18:00 ends the day
        ("2026-06-10T05:00", 24, "2026-06-11T05:00"),
        ("2026-06-10T12:00", 24 * 3, "2026-06-12T13:00"),  # Saturday: Friday's end
        ("2026-06-12T13:30", 8, "2026-06-15T05:00"),  # Friday evening: Monday's first hour
        ("2026-06-12T12:30", 8, "2026-06-15T05:00"),  # half an hour before it: the same
    ],
)
def test_due_moves_into_the_hours_of_the_owner(made_at: str, within_hours: float, due: str) -> None:
    moment = datetime.fromisoformat(f"{made_at}+00:00")

    found = find_due(moment, within_hours=within_hours, team=make_team())

    assert found == datetime.fromisoformat(f"{due}+00:00")


def test_hours_follow_the_zone_over_a_change_of_clocks() -> None:
    """Berlin's 9:00 is 8:00 UTC in winter and 7:00 in summer: 2026-03-29 is the day between."""
    berlin = make_team("Europe/Berlin", ("sun", "mon"))

    starts = next_start(datetime(2026, 3, 29, 0, tzinfo=UTC), team=berlin)

    assert starts == datetime(2026, 3, 29, 7, tzinfo=UTC)
