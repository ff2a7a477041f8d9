"""An uplift model from training to the gate's questions, to monitoring and to its report."""

import shutil
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from features.engines.batches import InProcess
from features.errors import IncompatibleModelError
from features.tables import Tables, versions_before
from features.vocabulary import Trigger
from serving.batch.uplift import make_uplift_scorer
from training.datasets.uplift import UpliftDataset
from training.document import document
from training.evaluation.leakage import LeakageCheck
from training.models.table import RECIPES
from training.monitoring.monitor import ModelHealth, monitor_models
from training.monitoring.status import Check, Status
from training.registry.entries import Alias, ModelName
from training.registry.servable import FeatureSignature, UpliftModel
from training.registry.tracking import Tracking, TrainingRecord
from training.reports.model_report import make_report, read_reported
from training.uplift.leakage import build_shuffled, check_uplift_leakage
from training.world.simulated import SimulatedWorld

UPLIFT = RECIPES[ModelName.UPLIFT]


@dataclass(frozen=True)
class Company:
    """A company whose uplift model was made six weeks ago, and served since."""

    folder: Path
    tables: Tables
    record: TrainingRecord
    now: datetime

    def look(self, tables: Tables, *, tracking: Tracking) -> dict[str, Check]:
        health = monitor_models(tables, as_of=self.now, tracking=tracking, seed=1)
        found = health[ModelName.UPLIFT]
        assert isinstance(found, ModelHealth)
        return {check.name: check for check in found.checks}


@pytest.fixture(scope="module")
def company(empty_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Company:
    world = SimulatedWorld(seed=4, n_customers=1_000, days=170)
    tables, made = world.tables(world.start), world.start - timedelta(days=42)
    known = versions_before(tables, pd.Timestamp(made))
    record = UPLIFT.learn(known, known_until=made, seed=1)
    assert isinstance(record, TrainingRecord)
    folder = tmp_path_factory.mktemp("uplift")
    shutil.copy(empty_store / "mlflow.db", folder)
    serve(record, known, made, folder)
    return Company(folder, tables, record, world.start)


def serve(record: TrainingRecord, known: Tables, made: datetime, folder: Path) -> Tracking:
    """What the gate thinks of it is not the question here."""
    tracking = Tracking.in_folder(folder)
    documents = document(record, known, known_until=made)
    version = tracking.log_training(replace(record, documents=documents)).version
    tracking._client.set_registered_model_alias(record.name.value, Alias.CHAMPION.value, version)
    return tracking


def test_monitor_watches_an_uplift_champion_and_finds_nothing_where_nothing_happened(
    company: Company,
) -> None:
    checks = company.look(company.tables, tracking=Tracking.in_folder(company.folder))
    assert {name for name, one in checks.items() if one.status is Status.ALARM} == set()
    for name in ("model", "inputs", "scores", "missing features", "matured labels"):
        assert checks[name].status is not Status.UNKNOWN, checks[name]


def test_monitor_names_what_drifted_under_an_uplift_champion(company: Company) -> None:
    """For two months messages have been counted three times."""
    messages = company.tables["messages"]
    late = messages[messages["sent_at"] >= pd.Timestamp(company.now - timedelta(days=60))]
    again = [late.assign(message_id=late["message_id"] + f"-{n}", decision_id="") for n in (1, 2)]
    tables = {**company.tables, "messages": pd.concat([messages, *again], ignore_index=True)}
    check = company.look(tables, tracking=Tracking.in_folder(company.folder))["inputs"]
    assert check.status is Status.ALARM
    assert any("messages" in one.subject for one in check.findings)


def test_a_training_keeps_rows_to_be_sliced(company: Company) -> None:
    held = company.record.held_out
    assert held is not None
    assert len(held.customers) == company.record.metrics["n_test"]
    assert not np.array_equal(held.ours.losses, held.baseline.losses)
    assert held.ours.calibration_error is None


def test_the_report_says_what_the_uplift_model_is_worth(company: Company) -> None:
    models = read_reported(Tracking.in_folder(company.folder), health={})
    html = make_report(models, made_on="today").to_html()
    assert "Qini coefficient" in html
    assert "among the 30 % that it rates highest a message turned" in html
    assert "random order" in html  # the curve is shown
    assert "Uplift" in html


@pytest.mark.parametrize("seed", [1, 2])
def test_after_the_future_was_shuffled_nobody_is_moved(company: Company, seed: int) -> None:
    found = UPLIFT.find_leak
    assert found is not None
    check = found(company.tables, known_until=company.now, seed=seed)
    assert isinstance(check, LeakageCheck), check
    assert not check.leaks, check
    assert check.measure == "qini"


def test_a_feature_that_reads_the_future_is_found_and_named(company: Company) -> None:
    rows = build_shuffled(company.tables, known_until=company.now, rng=np.random.default_rng(3))
    assert isinstance(rows, UpliftDataset)
    X, rng = rows.trial.X.copy(), np.random.default_rng(3)
    spied = rows.provenance.signature.names.index("orders_30d")
    X[:, spied] = np.where(rng.random(len(X)) < 0.5, rows.trial.outcome, rng.integers(0, 2, len(X)))
    check = check_uplift_leakage(replace(rows, trial=replace(rows.trial, X=X)), seed=3)
    assert isinstance(check, LeakageCheck)
    assert check.leaks
    assert check.suspects[:1] == ("orders_30d",)


def test_a_model_of_other_features_is_not_served(
    company: Company, tmp_path: Path, empty_store: Path
) -> None:
    shutil.copy(empty_store / "mlflow.db", tmp_path)
    model = company.record.model
    assert isinstance(model, UpliftModel)
    other = FeatureSignature(model.signature.names, "another digest")
    made = company.now - timedelta(days=42)
    known = versions_before(company.tables, pd.Timestamp(made))
    record = replace(company.record, model=replace(model, signature=other))
    tracking = serve(record, known, made, tmp_path)
    pd.DataFrame({"customer_id": ["c1"]}).to_parquet(tmp_path / "features.parquet")
    with pytest.raises(IncompatibleModelError, match="uplift"):
        make_uplift_scorer(
            tracking,
            tmp_path / "features.parquet",
            mapper=InProcess(),
            trigger=Trigger.PRICE_DROP,
        )
    checks = company.look(company.tables, tracking=tracking)
    assert checks["model"].status is Status.ALARM
    assert checks["inputs"].status is Status.UNKNOWN
