"""Commands after promotion, through the command line's own entry point."""

import json
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from features.errors import ConflictError
from features.tables import Tables
from serving.cli.main import build_app
from serving.cli.monitor import show_health
from training.evaluation.capacity import Capacity
from training.models.table import RECIPES
from training.monitoring.monitor import ModelHealth
from training.monitoring.status import Check, Finding, Status
from training.registry.entries import Alias, ModelName, NoVersion
from training.registry.tracking import Tracking
from training.retrain import Retrained, hold_lock

Run = Callable[..., tuple[int, str]]
NOW = datetime(2026, 6, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def empty_registry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A registry just made: making one takes seconds, copying it none."""
    folder = tmp_path_factory.mktemp("registry")
    Tracking.in_folder(folder)
    return folder


@pytest.fixture
def home(tmp_path: Path, empty_registry: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(empty_registry, tmp_path / "home" / "mlflow")
    monkeypatch.setenv("OPPORTUNE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def run(home: Path) -> Run:
    def invoke(*arguments: str) -> tuple[int, str]:
        app = build_app(arguments[:1])
        result = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
        return result.exit_code, result.stdout

    return invoke


def make_health(status: Status) -> ModelHealth:
    finding = Finding("nps", status, 0.4, 0.1, 0.25, "nps: median 8 in training, 3 now", "PSI")
    check = Check("inputs", status, "PSI", (finding,), 9, "look at it")
    return ModelHealth(ModelName.CHURN, "7", NOW, None, (check,))


def test_monitor_without_a_champion_has_nothing_to_watch(run: Run, tables_folder: Path) -> None:
    code, out = run("monitor", "--data", str(tables_folder), "--json")

    assert code == 0
    assert json.loads(out)["models"] == {name.value: None for name in RECIPES}


@pytest.mark.parametrize(("status", "expected"), [(Status.WATCH, 0), (Status.ALARM, 1)])
def test_monitor_ends_with_1_on_an_alarm_and_names_what_it_saw(
    run: Run,
    tables_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    status: Status,
    expected: int,
) -> None:
    def monitor(tables: Tables, **given: object) -> dict[ModelName, ModelHealth | NoVersion]:
        return {ModelName.CHURN: make_health(status)}

    monkeypatch.setattr("serving.cli.monitor.monitor_models", monitor)
    code, out = run("monitor", "--data", str(tables_folder), "--json")
    (found,) = json.loads(out)["models"]["opportune-churn"]["checks"]["inputs"]["findings"]

    assert code == expected
    assert (found["subject"], found["status"], found["watch_from"]) == ("nps", str(status), 0.1)
    assert found["unit"] == "PSI"
    assert run("monitor", "--data", str(tables_folder))[0] == expected


def test_monitor_tells_tables_that_ended_long_ago_from_those_of_today(
    run: Run, tables_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tables end on 12 April 2026: every table of a feed that died as a whole looks well."""
    _, text = run("monitor", "--data", str(tables_folder))
    code, out = run("monitor", "--data", str(tables_folder), "--json")
    found = json.loads(out)["data"]
    monkeypatch.setenv("OPPORTUNE_FRESH_WITHIN", "3")
    strict, out = run("monitor", "--data", str(tables_folder), "--json")
    last = datetime.fromisoformat(json.loads(out)["as_of"])
    past, out_of_past = run(
        "monitor", "--data", str(tables_folder), "--as-of", last.isoformat(), "--json"
    )

    assert (code, found["status"], found["findings"][0]["alarm_from"]) == (0, "watch", None)
    assert found["findings"][0]["value"] > 100
    assert "the feed died as a whole" in text
    assert " days before the clock" in text
    assert (strict, json.loads(out)["data"]["status"]) == (1, "alarm")
    assert (past, json.loads(out_of_past)["data"]) == (0, None)


def test_monitor_shows_every_check_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    unserved = NoVersion(ModelName.CHANNEL, Alias.CHAMPION)
    show_health({ModelName.CHURN: make_health(Status.ALARM), ModelName.CHANNEL: unserved})
    out = capsys.readouterr().out

    for said in (
        "opportune-churn version 7: alarm",
        "look at it",
        "median 8",
        "0.400 PSI",
        "nothing is served",
    ):
        assert said in out


def test_retrain_says_what_became_of_each_model_and_logs_it(
    run: Run, home: Path, tables_folder: Path
) -> None:
    code, out = run("retrain", "delivery", "--data", str(tables_folder), "--json")
    logged = [json.loads(line) for line in (home / "retrain.jsonl").read_text().splitlines()]

    assert code == 0
    assert json.loads(out)["models"]["opportune-lateness"]["done"] == "not enough data"
    assert [(line["model"], line["done"]) for line in logged] == [
        ("opportune-lateness", "not enough data")
    ]


def test_retrain_takes_the_capacity_of_the_command_line_and_of_the_environment(
    run: Run, tables_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = []

    def retrain(tables: Tables, *, capacity: Capacity, **rest: object) -> Iterator[Retrained]:
        given.append(capacity)
        return iter(())

    monkeypatch.setattr("serving.cli.monitor.retrain_models", retrain)
    monkeypatch.setenv("OPPORTUNE_CAPACITY", "20")
    run("retrain", "--data", str(tables_folder))
    run("retrain", "--data", str(tables_folder), "--capacity", "10%")

    assert given == [Capacity(n_customers=20), Capacity(share=0.1)]


def test_retrain_waits_for_nobody(run: Run, home: Path, tables_folder: Path) -> None:
    with (
        hold_lock(home / "mlflow"),
        pytest.raises(ConflictError, match="another process is training"),
    ):
        run("retrain", "delivery", "--data", str(tables_folder))


def test_report_is_one_page_even_before_anything_was_trained(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "reports" / "models.html"
    code, printed = run("report", "model", "--out", str(out), "--json")

    assert code == 0
    assert json.loads(printed) == {"out": str(out), "models": []}
    assert "No model has been trained yet" in out.read_text(encoding="utf-8")
