import unicodedata
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from features.errors import ConfigurationError
from serving.corridor.settings import BrokenCorridor, Corridor, find_corridor, load_corridor
from serving.corridor.stop_files import find_stop_file, put_stop_file, remove_stop_files
from serving.corridor.windows import end_window
from serving.policy.settings import QuietHours
from tests.serving.corridor.small import make_corridor, make_kind


def with_kind(**changes: Any) -> dict[str, Any]:
    return {"kinds": {"one": make_kind(**changes)}}


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        (with_kind(max_cents=101), "at most 100 .silent_go_cents. can"),
        (with_kind(reversible=False), "cannot be taken back cannot go on silence"),
        (with_kind(needs_approval=True), "needs approval cannot go on silence"),
        (with_kind(veto_minutes=0, on_silence="drop"), "no silence to wait for"),
        (with_kind(approvers=()), "at least one role"),
        (with_kind(max_cents=-1), "greater than or equal to 0"),
        (with_kind(max_cents=1.0), "valid integer"),
        (with_kind(max_cents=float("nan")), "valid integer"),
        (with_kind(veto_minutes=600), "less than or equal to 480"),
        (with_kind(reversible="yes"), "valid boolean"),
        (with_kind(surprise=1), "Extra inputs"),
        ({"kinds": {}}, "at least 1 item"),
        ({"zone": "Mars"}, "IANA time zone"),
        ({"currency": "tenge"}, "expected an ISO 4217 code"),
        ({"currency": "XXQ"}, "expected an ISO 4217 code"),
        ({"per_day": {"cents": 5}}, "actions\n  Field required"),
        ({"per_day": None}, "per_day"),
    ],
)
def test_the_schema_refuses_what_would_be_too_free(changes: dict[str, Any], fault: str) -> None:
    with pytest.raises(ValidationError, match=fault):
        make_corridor(**changes)


def test_the_corridor_that_ships_lets_no_money_go_on_silence() -> None:
    corridor = load_corridor()

    going = {name for name, kind in corridor.kinds.items() if kind.on_silence == "go"}
    free = {"tell_owner", "pause_marketing", "make_task", "ask_vendor", "nurture_customer"}
    assert going == free
    assert all(corridor.kinds[name].max_cents == 0 for name in going)


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"name: [", "not YAML"),
        (b"", "found nothing"),
        (b"name: x", "Field required"),
        (b"\xff\xfe\x00\xd8", "corridor"),
        (None, "No such file"),
    ],
)
def test_a_file_that_is_no_corridor_is_a_broken_one(
    tmp_path: Path, content: bytes | None, fault: str
) -> None:
    path = tmp_path / "corridor.yaml"
    if content is not None:
        path.write_bytes(content)

    found = find_corridor(path)

    assert isinstance(found, BrokenCorridor)
    assert fault in found.why
    with pytest.raises((ConfigurationError, ValueError)):
        load_corridor(path)


def night(corridor: Corridor, *, hour: int, minute: int = 0, minutes: int = 20) -> datetime:
    now = datetime(2026, 6, 10, hour, minute, tzinfo=UTC) - timedelta(hours=5)
    return end_window(corridor, minutes=minutes, now=now) + timedelta(hours=5)


def test_a_window_that_touches_the_night_begins_in_the_morning() -> None:
    corridor = make_corridor(quiet={"from_hour": 22, "to_hour": 8})

    assert night(corridor, hour=21, minute=40) == datetime(2026, 6, 10, 22, tzinfo=UTC)
    assert night(corridor, hour=21, minute=41) == datetime(2026, 6, 11, 8, 20, tzinfo=UTC)
    assert night(corridor, hour=23) == datetime(2026, 6, 11, 8, 20, tzinfo=UTC)
    assert night(corridor, hour=3) == datetime(2026, 6, 10, 8, 20, tzinfo=UTC)
    assert night(corridor, hour=8) == datetime(2026, 6, 10, 8, 20, tzinfo=UTC)
    assert night(corridor, hour=3, minutes=0) == datetime(2026, 6, 10, 3, tzinfo=UTC)


@given(
    at=st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 1), timezones=st.just(UTC)),
    minutes=st.integers(1, 480),
    quiet=st.tuples(st.integers(0, 23), st.integers(0, 23)),
    zone=st.sampled_from(["Asia/Almaty", "Europe/Berlin", "America/New_York"]),
)
def test_a_window_is_never_shorter_than_it_says_and_ends_within_two_days(
    at: datetime, minutes: int, quiet: tuple[int, int], zone: str
) -> None:
    hours = QuietHours(from_hour=quiet[0], to_hour=quiet[1])
    corridor = make_corridor(quiet=hours.model_dump(), zone=zone)

    end = end_window(corridor, minutes=minutes, now=at)

    assert timedelta(minutes=minutes) <= end - at <= timedelta(hours=34)


def test_stop_files_are_found_however_they_are_written(tmp_path: Path) -> None:
    assert find_stop_file(tmp_path, branch="Abay 10") is None
    (tmp_path / "stop.abay 10").touch()
    assert find_stop_file(tmp_path, branch="Abay 10") is not None
    assert find_stop_file(tmp_path, branch="Abay 1") is None
    assert find_stop_file(tmp_path, branch=None) is None
    put_stop_file(tmp_path, branch="Samal  2 ", note="Dana")
    assert find_stop_file(tmp_path, branch="Samal 2") is not None
    assert remove_stop_files(tmp_path, branch="samal 2") != []
    put_stop_file(tmp_path, branch="Abay 10", note="Dana")
    put_stop_file(tmp_path, branch="Жибек/жолы", note="Dana")
    (tmp_path / unicodedata.normalize("NFD", "STOP.Сарайшық йод")).touch()
    assert find_stop_file(tmp_path, branch="Жибек/жолы") is not None
    assert find_stop_file(tmp_path, branch="Сарайшық йод") is not None
    assert len(remove_stop_files(tmp_path, branch="Abay 10")) == 2
    assert find_stop_file(tmp_path, branch="Abay 10") is None

    (tmp_path / "STOP").symlink_to(tmp_path / "gone")  # a link to nothing is a switch, too
    assert find_stop_file(tmp_path, branch=None) is not None
    assert len(remove_stop_files(tmp_path, branch=None)) == 1


def test_a_home_that_cannot_be_looked_at_says_stop(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()

    for home in (tmp_path / "nowhere", file):
        assert "cannot be looked at" in (find_stop_file(home, branch=None) or "")
