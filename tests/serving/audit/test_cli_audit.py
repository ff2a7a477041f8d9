"""`opportune audit` and the kill switches, through the command line."""

import json
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from features.errors import BadInputError, SourceUnreadableError
from serving.autopilot.inbound.message import InboundMessage
from serving.cli.main import build_app
from serving.store.store import Store

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("OPPORTUNE_HOME", str(tmp_path / "home"))
    Store(tmp_path / "home" / "store.db").close()
    return tmp_path / "home"


@pytest.fixture
def run(home: Path) -> Run:
    def invoke(*arguments: str) -> tuple[int, str]:
        result = CliRunner().invoke(
            build_app(arguments[:1]), list(arguments), catch_exceptions=False
        )
        return result.exit_code, result.stdout

    return invoke


def test_a_day_of_the_log(run: Run, home: Path, tmp_path: Path) -> None:
    keys, away = tmp_path / "keys", tmp_path / "away"
    checked = ("audit", "verify", "--public-key", str(keys / "anchor.pub"), "--anchor", str(away))
    run("autopilot", "stop", "--by", "Dana")
    run("autopilot", "resume", "--by", "Dana")
    run("autopilot", "stop", "--by", "Arman", "--branch", "north")
    assert run("audit", "key", "--out", str(keys))[0] == 0
    assert run("audit", "anchor", "--key", str(keys / "anchor.key"), "--out", str(away))[0] == 0
    code, line = run("audit", "anchor", "--key", str(keys / "anchor.key"))
    assert (code, json.loads(line)["seq"]) == (0, 3)

    code, out = run(*checked, "--json")
    assert (code, json.loads(out)["fault"], json.loads(out)["anchors"]) == (0, None, 1)
    assert "3 rows, whole; 0 anchors" in run("audit", "verify")[1]
    code, told = run("audit", "show", "--subject", "switch")
    assert [line.split("  ")[3] for line in told.splitlines()[1:]] == [
        "Dana stops everything",
        "Dana resumes everything",
        "Arman stops branch north",
    ]
    assert len(json.loads(run("audit", "show", "--json")[1])["entries"]) == 3

    with sqlite3.connect(home / "store.db") as connection:
        connection.execute("DELETE FROM audit_log WHERE seq = 3")
    connection.close()
    assert run("audit", "verify")[0] == 0
    code, out = run(*checked)
    assert code == 1
    assert out.startswith("row 3 is missing: the tail was cut")


def test_what_cannot_be_verified_is_said(run: Run, tmp_path: Path) -> None:
    run("audit", "key", "--out", str(tmp_path))
    public = str(tmp_path / "anchor.pub")
    with pytest.raises(BadInputError, match="--public-key"):
        run("audit", "verify", "--anchor", str(tmp_path))
    with pytest.raises(BadInputError, match="found none"):
        run("audit", "verify", "--anchor", str(tmp_path), "--public-key", public)
    with pytest.raises(SourceUnreadableError, match="No such file"):
        run("audit", "verify", "--anchor", str(tmp_path / "x"), "--public-key", public)
    with pytest.raises(BadInputError, match="IANA"):
        run("audit", "show", "--zone", "Mars")
    key = str(tmp_path / "anchor.key")
    for command in (("anchor", "--key", key), ("key",)):
        with pytest.raises(BadInputError, match="cannot be written to"):
            run("audit", *command, "--out", f"{public}/elsewhere")


def test_both_switches_are_thrown_and_taken_back(run: Run, home: Path) -> None:
    run("autopilot", "stop", "--by", "Dana", "--branch", "north")
    store = Store(home / "store.db")
    with store.reading() as session:
        assert "Dana stopped branch north" in (session.switches.find_stop(branch="north") or "")
        assert session.switches.find_stop(branch=None) is None
    assert (home / "STOP.north").exists()

    code, out = run("autopilot", "resume", "--by", "Dana", "--branch", "north")

    assert code == 0
    assert "STOP.north is gone" in out
    with store.reading() as session:
        assert session.switches.find_stop(branch="north") is None
        assert [switch.is_stopped for switch in session.switches.find_all()] == [False]
    store.close()
    assert not (home / "STOP.north").exists()


def test_stop_works_where_the_file_cannot_be_written(run: Run, home: Path) -> None:
    branch = "north"
    (home / "STOP.north").mkdir()
    assert run("autopilot", "stop", "--by", "Dana", "--branch", branch)[0] == 1

    store = Store(home / "store.db")
    with store.reading() as session:
        assert session.switches.find_stop(branch=branch) is not None
    store.close()


def test_stop_works_where_the_store_is_broken_or_missing(run: Run, home: Path) -> None:
    (home / "store.db").write_bytes(b"no database at all, but long enough to be looked at" * 20)
    assert run("autopilot", "stop", "--by", "Dana")[0] == 1
    assert (home / "STOP").exists()

    for path in home.iterdir():
        path.unlink()
    assert run("autopilot", "stop", "--by", "Dana")[0] == 0
    assert (home / "STOP").exists()
    assert not (home / "store.db").exists()
    with pytest.raises(BadInputError, match="--branch"):
        run("autopilot", "stop", "--by", "Dana", "--branch", "a\nb")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("words = x'ff00'", "row 2 was changed: its hash does not fit what it says"),
        ("at_us = 'abc'", "row 2 was changed: its hash does not fit what it says"),
        ("seq = -1", "row -1 was put in: rows begin at 1"),
    ],
)
def test_what_no_row_can_hold_is_a_changed_row(
    run: Run, home: Path, change: str, said: str
) -> None:
    tamper(run, home, change)

    code, out = run("audit", "verify")

    assert code == 1
    assert out.startswith(said)


@pytest.mark.parametrize("change", ["at_us = 'abc'", "at_us = 9223372036854775807"])
def test_a_log_that_nobody_can_tell_says_so(run: Run, home: Path, change: str) -> None:
    tamper(run, home, change)

    for how in ((), ("--json",)):
        with pytest.raises(SourceUnreadableError, match="`opportune audit verify` names it"):
            run("audit", "show", *how)


def test_bytes_that_are_no_text_are_said(run: Run, home: Path) -> None:
    tamper(run, home, "words = cast(x'ff00' AS text)")

    with pytest.raises(SourceUnreadableError, match="a row after number 0 cannot be read"):
        run("audit", "verify")


def tamper(run: Run, home: Path, change: str) -> None:
    """Three rows, and the second is not what was written."""
    for _ in range(3):
        run("autopilot", "stop", "--by", "Dana")
    with sqlite3.connect(home / "store.db") as connection:
        connection.execute(f"UPDATE audit_log SET {change} WHERE seq = 2")
    connection.close()


@pytest.mark.parametrize(
    "words",
    [
        ("autopilot", "approve", "a", "--role", "owner"),
        ("autopilot", "veto", "a"),
        ("autopilot", "close", "i"),
        ("autopilot", "label", "m", "heat"),
        ("autopilot", "forget", "--days", "9"),
        ("autopilot", "stop"),
        ("playbooks", "take", "t"),
        ("copy", "approve", "v"),
    ],
)
def test_a_word_wants_a_name(run: Run, words: tuple[str, ...]) -> None:
    for name in ("", "  ", "Dana\nOmar"):
        with pytest.raises(BadInputError, match=r"--by .*: expected a printable name"):
            run(*words, "--by", name)


def test_ending_a_case_wants_a_reason(run: Run) -> None:
    for what in ("drop", "stop"):
        with pytest.raises(BadInputError, match="--why ' ': expected a reason"):
            run("playbooks", what, "x", "--by", "Dana", "--why", " ")


def test_stop_of_a_branch_that_no_message_named_says_so(home: Path) -> None:
    at = datetime(2026, 6, 10, 7, tzinfo=UTC)
    message = InboundMessage("m1", at, "c1", "whatsapp", "Dostyk 5", "жарко")
    store = Store(home / "store.db")
    with store.transaction() as session:
        session.inbound.add([message], arrived_at=at)
    store.close()
    result = CliRunner().invoke(
        build_app(("autopilot",)), ["autopilot", "stop", "--by", "Dana", "--branch", "Dostyk5"]
    )
    known = CliRunner().invoke(
        build_app(("autopilot",)), ["autopilot", "stop", "--by", "Dana", "--branch", "DOSTYK 5"]
    )

    assert "branch Dostyk5 is stopped" in result.stdout
    assert "no message has named a branch 'Dostyk5'; known are: Dostyk 5" in result.stderr
    assert "no message" not in known.stderr
