"""Cases and tasks from the command line."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from features.errors import BadInputError, ConflictError, NotReadyError
from serving.cli import playbooks as commands
from serving.cli.main import build_app
from serving.playbooks.plans import CaseGiven
from serving.policy.cases import Floats
from serving.snapshot.state import Models
from serving.store.cases import CaseExit
from tests.serving.playbooks.conftest import BedMaker
from tests.serving.playbooks.small import Bed
from training.registry.servable import ChurnModel

AS_OF = "2026-06-10T07:00:00+00:00"

Run = Callable[..., tuple[int, str]]


class HalfModel(ChurnModel):
    """Every third customer may leave."""

    def predict(self, X: Floats) -> Floats:
        return np.where(np.arange(len(X)) % 3 == 0, 0.7, 0.05)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("OPPORTUNE_HOME", str(tmp_path))

    def invoke(*arguments: str) -> tuple[int, str]:
        result = CliRunner().invoke(
            build_app(arguments[:1]), list(arguments), catch_exceptions=False
        )
        return result.exit_code, result.stdout

    return invoke


@pytest.fixture
def bed(bed_of: BedMaker) -> Bed:
    bed = bed_of({"c001": 0.9})
    bed.open("c001")
    bed.driver.run_now()
    return bed


def test_start_opens_cases_of_tables_once(
    run: Run, tables_folder: Path, models: Models, monkeypatch: pytest.MonkeyPatch
) -> None:
    churn = models.churn
    assert churn is not None
    model = HalfModel(churn.version, churn.signature, churn.boosters, churn.reference)
    monkeypatch.setattr(commands, "_load_models", lambda _: replace(models, churn=model))
    arguments = ("playbooks", "start", "--data", str(tables_folder), "--as-of", AS_OF)

    with pytest.raises(NotReadyError, match="nothing is published"):
        run(*arguments)
    monkeypatch.setattr(commands, "current_version", lambda _: "1")
    code, out = run(*arguments, "--json")
    again = json.loads(run(*arguments, "--json")[1])
    words = run(*arguments)[1]
    (first,) = json.loads(run("playbooks", "list", "--most", "1", "--json")[1])["cases"]

    told = json.loads(out)
    assert code == 0
    assert told["at_risk"] == len(told["opened"]) == 20
    assert {case["tier"] for case in told["opened"]} == {"high"}
    assert again["opened"] == []
    assert first["judge"] is None  # these models cannot tell
    assert "20 customers at risk; 0 cases opened" in words
    listed = json.loads(run("playbooks", "list", "--state", "open", "--json")[1])
    assert len(listed["cases"]) == 20


def test_start_without_a_model_says_what_to_do(
    run: Run, tables_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "_load_models", lambda _: Models())
    with pytest.raises(NotReadyError, match="train churn"):
        run("playbooks", "start", "--data", str(tables_folder), "--as-of", AS_OF)


def test_list_and_show_tell_a_case(run: Run, bed: Bed) -> None:
    (case,) = json.loads(run("playbooks", "list", "--json")[1])["cases"]
    shown = json.loads(run("playbooks", "show", case["case"], "--json")[1])
    words = run("playbooks", "show", f"case/{case['case']}", "--zone", "Asia/Almaty")[1]

    assert (case["customer"], case["tier"], case["arm"]) == ("c001", "critical", "learned")
    assert {task["kind"] for task in shown["tasks"]} == {"call", "message"}
    assert shown["step"] is not None
    assert "## Usage" in shown["brief"]
    assert "12:00:00" in words  # in Almaty
    assert "asks leadership" in words
    with pytest.raises(BadInputError, match="none of that identity"):
        run("playbooks", "show", "nobody")


def test_task_is_taken_and_finished(run: Run, bed: Bed) -> None:
    tasks = json.loads(run("playbooks", "tasks", "--owner", "leadership", "--json")[1])["tasks"]
    (task,) = tasks
    assert task["overdue"] == (datetime.fromisoformat(task["due_at"]) < datetime.now(UTC))

    run("playbooks", "take", task["task"], "--by", "Dana")
    mine = json.loads(run("playbooks", "tasks", "--by", "Dana", "--json")[1])["tasks"]
    assert [one["task"] for one in mine] == [task["task"]]
    with pytest.raises(ConflictError, match="somebody else"):
        run("playbooks", "take", task["task"], "--by", "Bolat")
    done = ("playbooks", "finish", task["task"], "--by", "Dana", "--outcome", "stays")
    assert json.loads(run(*done, "--note", "glad", "--json")[1])["answer"] == "done"
    assert "known already" in run(*done)[1]
    with pytest.raises(ConflictError, match="done or dropped"):
        run("playbooks", "drop", task["task"], "--by", "Dana", "--why", "late")
    with pytest.raises(BadInputError, match="no task"):
        run("playbooks", "finish", "nothing", "--by", "Dana", "--outcome", "done")


def test_stopped_case_is_over(run: Run, bed: Bed) -> None:
    (case,) = json.loads(run("playbooks", "list", "--json")[1])["cases"]
    stop = ("playbooks", "stop", case["case"], "--by", "Dana", "--why", "a mistake")

    assert "ended" in run(*stop)[1]
    assert "over already" in run(*stop)[1]
    bed.driver.run_now()

    assert bed.case(case["case"]).exit_reason is CaseExit.STOPPED
    with bed.store.reading() as session:
        (flow,) = session.flows.list()
    assert flow.ended_at is not None
    assert CaseGiven.model_validate_json(flow.given_json).case_id == case["case"]


def test_learn_from_few_cases_says_what_there_is_too_little_of(
    run: Run, bed: Bed, tables_folder: Path
) -> None:
    code, out = run("playbooks", "learn", "--data", str(tables_folder), "--json")
    words = run("playbooks", "learn", "--data", str(tables_folder))[1]

    assert code == 1
    assert json.loads(out)["trained"] is False
    assert "no case has been watched to the end of its horizon yet" in words


def test_report_of_few_cases_says_that_nothing_can_be_told(
    run: Run, bed: Bed, tables_folder: Path
) -> None:
    code, out = run("playbooks", "report", "--data", str(tables_folder), "--json")

    told = json.loads(out)
    assert code == 1
    assert told["comparisons"] == []
    assert any("cannot be told yet" in words for words in told["words"])
