"""`opportune rehearse --playbooks`."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from features.errors import BadInputError
from serving.cli.main import build_app


def invoke(*arguments: str) -> str:
    app = build_app(["rehearse"])
    result = CliRunner().invoke(app, ["rehearse", *arguments], catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def test_worlds_with_too_short_a_past_give_no_figures_and_are_named_on_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPPORTUNE_HOME", str(tmp_path))
    out = tmp_path / "page.html"
    size = ("--customers", "60", "--history", "40", "--seed", "4", "--processes", "1")
    said = json.loads(invoke("--playbooks", *size, "--out", str(out), "--json"))
    assert (said["bench"], said["rows"]) == ("rehearse playbooks", [])
    assert "calm, seed 4: churn model: " in out.read_text(encoding="utf-8")


def test_playbooks_are_rehearsed_in_our_own_world_alone() -> None:
    with pytest.raises(BadInputError, match="not for --world"):
        invoke("--playbooks", "--world", "shop.py:Shop")
    with pytest.raises(BadInputError, match=r"^--policies, --days, --decide-hours: not for --play"):
        invoke("--playbooks", "--policies", "learned", "--decide-hours", "6", "--days", "30")
    with pytest.raises(BadInputError, match=r"^--weeks: only for --playbooks"):
        invoke("--weeks", "2")
