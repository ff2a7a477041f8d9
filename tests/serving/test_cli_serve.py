"""What `opportune serve` says before it becomes the server."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from serving.cli.main import build_app
from serving.launch import find_free_port

AS_OF = "2026-06-10T07:00:00+00:00"
HINT = "until `opportune online rebuild"


class BecameError(Exception):
    """Stands for the process that serve would have become."""


@pytest.fixture
def words_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Callable[..., str]:
    monkeypatch.setenv("OPPORTUNE_HOME", str(tmp_path / "home"))

    def become(*_: object) -> None:
        raise BecameError

    monkeypatch.setattr(os, "execve", become)

    def invoke(*arguments: str) -> str:
        runner, app = CliRunner(), build_app(arguments[:1])
        if arguments[0] != "serve":
            return runner.invoke(app, list(arguments), catch_exceptions=False).stdout
        with pytest.raises(BecameError):
            app(list(arguments), standalone_mode=False)
        return " ".join(capfd.readouterr().err.split())

    return invoke


def test_serve_says_that_events_lead_nowhere_before_a_rebuild(
    words_of: Callable[..., str], tables_folder: Path
) -> None:
    data = ("--data", str(tables_folder), "--as-of", AS_OF)
    port = str(find_free_port("127.0.0.1"))

    before = words_of("serve", *data, "--port", port)
    words_of("online", "rebuild", *data)
    after = words_of("serve", "--port", port)

    assert HINT in before
    assert HINT not in after
    assert "60 customers" in before
    assert "60 customers" in after
