"""`opportune audit` and the kill switches, through the command line."""

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from features.errors import BadInputError, SourceUnreadableError
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
