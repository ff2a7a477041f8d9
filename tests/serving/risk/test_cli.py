"""`opportune risk`: whether the rules that are configured help or harm."""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from features.churn.risk import default_rules
from features.errors import ConfigurationError, NotReadyError
from features.sources import write_tables
from serving.cli.main import build_app
from training.registry.entries import ModelName
from training.registry.servable import ChurnModel
from training.registry.tracking import Tracking, TrainingRecord
from training.world.simulated import SimulatedWorld

Runner = Callable[..., tuple[int, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Runner:
    monkeypatch.setenv("OPPORTUNE_HOME", str(tmp_path / "home"))

    def invoke(*arguments: str) -> tuple[int, str]:
        result = CliRunner().invoke(
            build_app(arguments[:1]), list(arguments), catch_exceptions=False
        )
        return result.exit_code, result.stdout

    return invoke


@pytest.mark.slow
def test_risk_judges_the_rules_that_are_configured(
    run: Runner, model: ChurnModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rule that nearly doubles everybody's score can only harm a model that says too much."""
    world = SimulatedWorld(seed=3, n_customers=250, days=130)
    data, home = tmp_path / "data", tmp_path / "home"
    write_tables(world.tables(world.start), data)
    home.mkdir()
    with pytest.raises(NotReadyError, match="no churn model yet"):
        run("risk", "--data", str(data), "--json")
    Tracking.in_folder(home / "mlflow").log_training(
        TrainingRecord(
            name=ModelName.CHURN,
            model=model,
            trained_until=world.start - timedelta(days=60),
            fingerprint="0",
            tables=("customers", "activity"),
            params={},
            metrics={},
        )
    )

    code, out = run("risk", "--data", str(data), "--json")
    always = {"name": "always", "when": {"feature": "tenure_days", "at_least": 0}, "factor": 1.9}
    rules = default_rules().model_dump(mode="json", exclude_none=True)
    ours = tmp_path / "risk.yaml"
    ours.write_text(json.dumps({**rules, "rules": [always], "tier_from": "risk_score"}))
    monkeypatch.setenv("OPPORTUNE_RISK", str(ours))
    code_of_ours, out_of_ours = run("risk", "--data", str(data), "--json")

    shipped, own = json.loads(out), json.loads(out_of_ours)
    assert code == 0
    assert shipped["model"] == {"name": "opportune-churn", "version": "1", "served": False}
    assert shipped["tier_from"] == shipped["favours"] == "p_churn"
    assert set(shipped["metrics"]) >= {"risk.n_fired", "risk.rule.open_ticket_old.n_fired"}
    assert (code_of_ours, own["verdict"], own["favours"]) == (1, "harm", "p_churn")
    assert own["metrics"]["risk.n_fired"] == own["metrics"]["risk.rule.always.n_fired"] > 100
    assert own["metrics"]["risk.gain.brier_low"] > 0
    ours.write_text(json.dumps({**rules, "cap": 7}))
    with pytest.raises(ConfigurationError, match=r"risk rules .*risk\.yaml: cap"):
        run("risk", "--data", str(data))
