import json
import pickle
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import lightgbm
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from mlflow import MlflowClient
from mlflow.models import Model

from features.errors import BadInputError, IncompatibleModelError
from features.vocabulary import Trigger
from tests.channel_beliefs import believe
from training.evaluation import Estimate
from training.gate import Evidence, Promote
from training.registry.entries import Alias, ModelName, NoChampion, NoVersion
from training.registry.servable import (
    BoosterModel,
    Calibration,
    ChannelModel,
    FeatureSignature,
    Measured,
    SendTimeModel,
    Servable,
)
from training.registry.tracking import Tracking, TrainingRecord

UNTIL = datetime(2026, 6, 1, tzinfo=UTC)
EVIDENCE = Evidence(10, 10, 0.01, Estimate(-0.1, -0.2, -0.05), None)
MakeTracking = Callable[[], Tracking]


def make_booster(names: tuple[str, ...], *, seed: int = 1) -> BoosterModel:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(300, len(names)))
    rows = lightgbm.Dataset(X, label=X[:, 0] > 0, feature_name=list(names))
    text = lightgbm.train(
        {"objective": "binary", "verbosity": -1, "num_threads": 1}, rows, num_boost_round=5
    ).model_to_string()
    return BoosterModel("churn", "", FeatureSignature(names, "d1"), text, Calibration(0.8, -0.3))


def make_channel_model() -> ChannelModel:
    model = believe(FeatureSignature(("a", "b"), "d1"))
    outcomes = {
        outcome: replace(
            believed, trees=make_booster(("a", "b", "channel", "trigger"), seed=1 + seed)
        )
        for seed, (outcome, believed) in enumerate(model.outcomes.items())
    }
    return replace(
        model,
        outcomes=outcomes,
        mean_value_cents={Trigger.PRICE_DROP: 9.5},
        prevented={Trigger.ORDER_SHIPPED: Measured(0.04, 0.02)},
    )


def make_record(name: ModelName = ModelName.CHURN, model: Servable | None = None) -> TrainingRecord:
    return TrainingRecord(
        name=name,
        model=model or make_booster(("a", "b")),
        trained_until=UNTIL,
        fingerprint="f" * 64,
        tables=("activity", "customers"),
        params={"seed": 1},
        metrics={"auc": 0.8, "auc_low": 0.7},
        plots={"calibration": Figure()},
        notes={"warning": "small"},
    )


def find_source(tracking: Tracking, name: ModelName, version: str) -> Path:
    entry = MlflowClient(tracking.uri, tracking.uri).get_model_version(name.value, version)
    return Path(entry.source.removeprefix("file://"))


def test_training_becomes_the_challenger_with_everything_about_it(
    make_tracking: MakeTracking,
) -> None:
    tracking = make_tracking()
    version = tracking.log_training(make_record())
    assert version == tracking.find(ModelName.CHURN, alias=Alias.CHALLENGER)
    assert (version.version, version.trained_until) == ("1", UNTIL)
    client = MlflowClient(tracking.uri, tracking.uri)
    run = client.get_run(version.run_id)
    assert run.info.status == "FINISHED"
    assert run.data.metrics == {"auc": 0.8, "auc_low": 0.7}
    assert run.data.params == {"seed": "1"}
    assert run.data.tags["fingerprint"] == "f" * 64
    assert run.data.tags["tables"] == "activity,customers"
    assert run.data.tags["warning"] == "small"
    assert run.inputs.dataset_inputs[0].dataset.digest == "f" * 36
    assert [f.path for f in client.list_artifacts(version.run_id, "plots")] == [
        "plots/calibration.png"
    ]


def test_later_training_is_the_next_version_and_the_new_challenger(
    make_tracking: MakeTracking,
) -> None:
    tracking = make_tracking()
    tracking.log_training(make_record())
    assert tracking.log_training(make_record()).version == "2"
    found = tracking.find(ModelName.CHURN, alias=Alias.CHALLENGER)
    assert not isinstance(found, NoVersion)
    assert found.version == "2"


def test_champion_is_the_promoted_version_and_no_longer_the_challenger(
    make_tracking: MakeTracking,
) -> None:
    tracking = make_tracking()
    assert tracking.load_champion(ModelName.CHURN) == NoChampion(ModelName.CHURN)
    version = tracking.log_training(make_record())
    assert tracking.load_champion(ModelName.CHURN) == NoChampion(ModelName.CHURN)
    tracking.set_champion(Promote(ModelName.CHURN, "1", EVIDENCE))
    champion = make_tracking().load_champion(ModelName.CHURN)
    assert champion == version.model
    assert isinstance(champion, BoosterModel)
    assert champion.version == "1"
    challenger = tracking.find(ModelName.CHURN, alias=Alias.CHALLENGER)
    assert challenger == NoVersion(ModelName.CHURN, Alias.CHALLENGER)


@pytest.mark.parametrize(
    ("name", "model"),
    [
        (ModelName.CHURN, make_booster(("a", "b"))),
        (ModelName.CHANNEL, make_channel_model()),
        (ModelName.SEND_TIME, SendTimeModel("", (1 / 168,) * 168, 20.0)),
    ],
    ids=["booster", "channel", "send time"],
)
def test_model_comes_back_as_it_was_with_its_version(
    make_tracking: MakeTracking, name: ModelName, model: Servable
) -> None:
    tracking = make_tracking()
    found = tracking.log_training(make_record(name, model)).model
    assert found == replace(model, version="1")
    source = find_source(tracking, name, "1")
    assert not [f for f in source.rglob("*") if "pkl" in f.name or "pickle" in f.name]


def test_loading_never_unpickles_and_reads_only_our_json(
    make_tracking: MakeTracking, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracking = make_tracking()
    tracking.log_training(make_record())
    tracking.set_champion(Promote(ModelName.CHURN, "1", EVIDENCE))
    source = find_source(tracking, ModelName.CHURN, "1")
    for file in source.iterdir():
        if file.name != "servable.json":
            file.write_text("import os; os.abort()")

    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("a pickle was read")

    monkeypatch.setattr(pickle, "load", refuse)
    monkeypatch.setattr(pickle, "loads", refuse)
    assert isinstance(tracking.load_champion(ModelName.CHURN), BoosterModel)


def test_broken_artifact_is_refused_with_its_name(make_tracking: MakeTracking) -> None:
    tracking = make_tracking()
    tracking.log_training(make_record())
    servable = find_source(tracking, ModelName.CHURN, "1") / "servable.json"
    data = json.loads(servable.read_text())
    servable.write_text(json.dumps(data | {"kind": "os.system"}))
    with pytest.raises(BadInputError, match=r"servable\.json is not a model that can be served"):
        tracking.find(ModelName.CHURN, alias=Alias.CHALLENGER)


def test_model_of_an_earlier_release_is_told_from_a_broken_one(make_tracking: MakeTracking) -> None:
    tracking = make_tracking()
    tracking.log_training(make_record())
    servable = find_source(tracking, ModelName.CHURN, "1") / "servable.json"
    data = json.loads(servable.read_text())
    servable.write_text(json.dumps({"kind": data["kind"]}))
    with pytest.raises(IncompatibleModelError, match="train again"):
        tracking.find(ModelName.CHURN, alias=Alias.CHALLENGER)


def test_training_that_cannot_be_logged_is_a_failed_run_and_registers_nothing(
    make_tracking: MakeTracking,
) -> None:
    tracking = make_tracking()
    with pytest.raises(TypeError, match="figure"):
        tracking.log_training(replace(make_record(), plots={"broken": None}))
    client = MlflowClient(tracking.uri, tracking.uri)
    experiment = client.get_experiment_by_name("opportune")
    runs = client.search_runs([experiment.experiment_id])
    assert [run.info.status for run in runs] == ["FAILED"]
    assert isinstance(tracking.find(ModelName.CHURN, alias=Alias.CHALLENGER), NoVersion)


def test_folder_has_a_signature_and_the_flavours_mlflow_shows(make_tracking: MakeTracking) -> None:
    tracking = make_tracking()
    tracking.log_training(make_record())
    description = Model.load(str(find_source(tracking, ModelName.CHURN, "1")))
    assert set(description.flavors) == {"opportune", "python_function", "lightgbm"}
    assert description.signature.inputs.input_names() == ["a", "b"]
    assert description.signature.outputs.input_names() == ["p"]


# MLflow's own import of its pyfunc loaders.
@pytest.mark.filterwarnings("ignore:.*Any type hint is inferred as AnyType.*:UserWarning")
def test_mlflow_itself_loads_calibrated_predictions_and_the_raw_booster(
    make_tracking: MakeTracking,
) -> None:
    import mlflow.lightgbm
    import mlflow.pyfunc

    tracking = make_tracking()
    model = tracking.log_training(make_record()).model
    assert isinstance(model, BoosterModel)
    folder = str(find_source(tracking, ModelName.CHURN, "1"))
    rows = pd.DataFrame(np.random.default_rng(2).normal(size=(5, 2)), columns=["a", "b"])
    expected = model.predict(rows.to_numpy())
    found = mlflow.pyfunc.load_model(folder).predict(rows)
    np.testing.assert_array_equal(found["p"], expected)
    raw = mlflow.lightgbm.load_model(folder).predict(rows.to_numpy(), num_threads=1)
    np.testing.assert_allclose(model.calibration.apply(raw), expected)


def test_telemetry_is_off_and_serving_models_needs_no_mlflow() -> None:
    script = (
        "import os, sys; os.environ.pop('MLFLOW_DISABLE_TELEMETRY', None);"
        "import training.registry.servable, training.registry.entries, training.bandit.contextual;"
        "assert os.environ['MLFLOW_DISABLE_TELEMETRY'] == 'true';"
        "loaded = {'mlflow', 'matplotlib', 'sklearn'} & set(sys.modules);"
        "assert 'mlflow' not in loaded and 'matplotlib' not in loaded, loaded"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
