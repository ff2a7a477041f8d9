"""`opportune rollback`, through its own entry point."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import lightgbm
import numpy as np
import pytest
from typer.testing import CliRunner

from features.errors import ConfigurationError
from serving.cli.main import build_app
from training.datasets.transit import sign_lateness
from training.evaluation import Estimate
from training.gate import Evidence, Promote
from training.registry.audit import EventKind
from training.registry.entries import Alias, ModelName
from training.registry.servable import BoosterModel
from training.registry.tracking import Tracking, TrainingRecord

NAME = ModelName.LATENESS
EVIDENCE = Evidence(10, 10, 0.01, Estimate(-0.1, -0.2, -0.05), None)
Run = Callable[..., tuple[int, str]]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("OPPORTUNE_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def run(home: Path) -> Run:
    def invoke(*arguments: str) -> tuple[int, str]:
        result = CliRunner().invoke(
            build_app(arguments[:1]), list(arguments), catch_exceptions=False
        )
        return result.exit_code, result.stdout

    return invoke


@pytest.fixture
def tracking(home: Path) -> Tracking:
    """A registry in which two versions were promoted, one after the other."""
    tracking = Tracking.in_folder(home / "mlflow")
    X = np.random.default_rng(1).normal(size=(200, len(sign_lateness().names)))
    trees = lightgbm.train(
        {"verbosity": -1, "num_threads": 1}, lightgbm.Dataset(X, label=X[:, 0] > 0), 2
    )
    model = BoosterModel("lateness", "", sign_lateness(), trees.model_to_string())
    for _ in range(2):
        record = TrainingRecord(
            name=NAME,
            model=model,
            trained_until=datetime(2026, 1, 1, tzinfo=UTC),
            fingerprint="f",
            tables=(),
            params={},
            metrics={},
        )
        version = tracking.log_training(record).version
        tracking.set_champion(Promote(NAME, version, EVIDENCE))
    return tracking


def test_rollback_brings_the_champion_before_back_once_and_says_who_asked(
    run: Run, tracking: Tracking
) -> None:
    code, out = run("rollback", "delivery", "--reason", "late alarms", "--json")
    assert code == 0
    assert json.loads(out) == {NAME.value: {"rolled_back": True, "version": "1", "instead_of": "2"}}
    assert tracking.find_number(NAME, alias=Alias.CHAMPION) == "1"
    (event,) = tracking.read_history(NAME)
    assert (event.kind, event.version, event.before) == (EventKind.ROLLBACK, "1", "2")
    assert event.reasons == ("late alarms",)
    assert event.by
    assert event.at is not None

    code, out = run("rollback", "delivery", "--reason", "once more")
    assert code == 1
    assert out.strip() == f"{NAME}: not rolled back, nothing was champion before version 1"


def test_rollback_wants_a_reason(run: Run) -> None:
    assert run("rollback", "delivery")[0] == 2


def test_training_refuses_a_capacity_that_means_nothing_before_it_reads_tables(run: Run) -> None:
    with pytest.raises(ConfigurationError, match="expected a number of customers such as 50"):
        run("train", "churn", "--data", "nowhere", "--capacity", "some")
