"""The commands about copy where they meet slow batches and words with brackets."""

import json
from pathlib import Path

import pytest
import yaml
from click.testing import Result
from typer.testing import CliRunner

from serving.cli.main import build_app
from serving.copywriter.rules import load_rules
from tests.serving.copywriter.writers import GOOD, short
from tests.standin.app import Standin
from tests.standin.steps import Step

CELL = ("draft", "--trigger", "price_drop", "--channel", "sms", "--language", "en")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, standin: Standin, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own, with the stand-in's key."""
    told = standin.settings()
    assert told.api_key is not None
    monkeypatch.setenv("OPPORTUNE_HOME", str(tmp_path))
    monkeypatch.setenv("OPPORTUNE_ANTHROPIC_API_KEY", told.api_key.get_secret_value())
    monkeypatch.setenv("OPPORTUNE_ANTHROPIC_BASE_URL", told.base_url)
    standin.answer_with(lambda _: short(GOOD["en"]))
    return tmp_path


def run(*arguments: str, status: int = 0) -> Result:
    done = CliRunner().invoke(build_app(["copy"]), ["copy", *arguments], catch_exceptions=False)
    assert done.exit_code == status, done.output
    return done


def give_up_soon(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Single questions have a third of a second."""
    told = load_rules().model_copy(update={"deadline_seconds": 0.3}).model_dump(mode="json")
    path = home / "drafting.yaml"
    path.write_text(yaml.safe_dump(told), encoding="utf-8")
    monkeypatch.setenv("OPPORTUNE_DRAFTING", str(path))


def test_money_that_may_have_been_paid_is_told(
    home: Path, standin: Standin, monkeypatch: pytest.MonkeyPatch
) -> None:
    give_up_soon(home, monkeypatch)
    assert "may have been paid" not in run(*CELL).stderr
    standin.script(Step.hang(), forever=True)

    done = run(*CELL, "--again", "--json", status=1)

    assert json.loads(done.stdout)["outcomes"] == {"timed_out": 1}
    assert "USD more may have been paid" in done.stderr


def test_a_batch_of_few_cells_is_collected_with_the_patience_of_a_batch(
    home: Path, standin: Standin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The deadline of a single question would cancel a batch that has been paid."""
    monkeypatch.setenv("OPPORTUNE_ANTHROPIC_FIRST_POLL_SECONDS", "0.05")
    monkeypatch.setenv("OPPORTUNE_ANTHROPIC_FIRST_WAIT_SECONDS", "0.2")
    give_up_soon(home, monkeypatch)
    made = run(*CELL, "--batch").stderr.split("--collect ")[1].split()[0]
    monkeypatch.setenv("OPPORTUNE_HOME", str(home / "other"))  # as if nothing had been kept
    standin.script(Step.overloaded(), on="poll")

    told = json.loads(run(*CELL, "--collect", made, "--json").stdout)

    assert told["outcomes"] == {"ok": 1}
    assert standin.n_requests("cancel") == 0


def test_notes_with_brackets_are_shown_as_they_stand() -> None:
    (first, *_) = json.loads(run(*CELL, "--from-templates", "--json").stdout)["variants"]
    run("reject", first, "--by", "Dana [ops]", "--note", "[/b] says [item] twice")

    shown = run("show", first).stdout

    assert "Dana [ops]" in shown
    assert "[/b] says [item] twice" in shown
