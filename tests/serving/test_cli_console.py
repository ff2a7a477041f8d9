"""`opportune console`: who may come in, by the command line."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from typer.testing import CliRunner

from features.errors import BadInputError, ConfigurationError, ConflictError
from serving.cli.main import build_app
from serving.console.accounts import Accounts
from serving.console.secret import keep_secret
from serving.store.store import Store

PASSWORD = "correct horse battery"
Run = Callable[..., str]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("OPPORTUNE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def run(home: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    def invoke(*words: str, given: str = f"{PASSWORD}\n") -> str:
        app = build_app(["console"])
        result = CliRunner().invoke(app, ["console", *words], input=given, catch_exceptions=False)
        assert PASSWORD not in result.output
        assert result.exit_code == 0, result.output
        return result.stdout

    # The library's own settings take a tenth of a second of all cores.
    quick = partial(PasswordHasher, time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr("serving.console.passwords.PasswordHasher", quick)
    assert not home.exists()
    return invoke


def can_sign_in(home: Path, password: str) -> bool:
    store = Store(home / "store.db")
    try:
        return (
            Accounts(store, clock=lambda: datetime.now(UTC)).sign_in("Dana", password) is not None
        )
    finally:
        store.close()


def test_account_is_made_listed_changed_and_removed(run: Run, home: Path) -> None:
    said = run("add-user", "Dana", "--role", "owner")
    listed = json.loads(run("list", "--json"))["accounts"]

    assert said == "Dana may come in as owner: http://127.0.0.1:3000/console/\n"
    assert [(one["name"], one["role"]) for one in listed] == [("Dana", "owner")]
    assert can_sign_in(home, PASSWORD)
    assert "1 session of Dana ended" in run("sign-out", "Dana")
    run("password", "dana", given="another battery horse\r\n")
    assert not can_sign_in(home, PASSWORD)
    assert can_sign_in(home, "another battery horse")
    run("remove", "Dana")
    assert json.loads(run("list", "--json"))["accounts"] == []
    assert not can_sign_in(home, "another battery horse")


def test_wrong_commands_change_nothing(run: Run) -> None:
    run("add-user", "Dana", "--role", "owner")

    with pytest.raises(ConflictError, match="somebody of that name"):
        run("add-user", "DANA", "--role", "viewer")
    with pytest.raises(BadInputError, match="expected 12 to 200 characters, got 0"):
        run("add-user", "Omar", "--role", "viewer", given="")
    with pytest.raises(BadInputError, match="nobody of that name"):
        run("remove", "Omar")
    listed = json.loads(run("list", "--json"))["accounts"]
    assert [(one["name"], one["role"]) for one in listed] == [("Dana", "owner")]


def test_password_is_asked_for_twice_on_a_terminal(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter([PASSWORD, PASSWORD, PASSWORD, "another battery horse"])
    monkeypatch.setattr("serving.cli.console.getpass.getpass", lambda _: next(answers))
    monkeypatch.setattr("serving.cli.console._is_terminal", lambda: True)

    run("add-user", "Dana", "--role", "owner")

    with pytest.raises(BadInputError, match="both were not the same"):
        run("add-user", "Omar", "--role", "viewer")


def test_secret_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    first = keep_secret(tmp_path / "home")
    key = tmp_path / "home" / "console.key"

    assert keep_secret(tmp_path / "home") == first
    assert key.stat().st_mode & 0o777 == 0o600
    assert keep_secret(tmp_path / "other") != first
    assert [path.name for path in key.parent.iterdir()] == ["console.key"]


@pytest.mark.parametrize("fault", ["others", "short", "empty"])
def test_secret_that_is_none_is_refused(tmp_path: Path, fault: str) -> None:
    secret = keep_secret(tmp_path)
    key = tmp_path / "console.key"
    match fault:
        case "others":
            key.chmod(0o644)
        case "short":
            key.write_text("short", encoding="ascii")
        case _:
            key.write_text("", encoding="ascii")

    with pytest.raises(
        ConfigurationError, match=r"console\.key: .*(others may read|expected)"
    ) as told:
        keep_secret(tmp_path)

    assert secret not in str(told.value)
