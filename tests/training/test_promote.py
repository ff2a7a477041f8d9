import shutil
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from features.tables import Tables
from training.gate import Hold, Promote
from training.promote import promote
from training.registry.entries import Alias, ModelName, ModelVersion, NoChampion
from training.registry.servable import BoosterModel, Calibration, FeatureSignature
from training.registry.tracking import Tracking, TrainingRecord
from training.train import Trainings


@dataclass(frozen=True)
class Scene:
    """The shop, its challengers, and a gate to lead them through."""

    tracking: Tracking
    tables: Tables
    until: datetime

    def promote(self, name: ModelName = ModelName.CHURN) -> Promote | Hold:
        return promote(name, self.tables, known_until=self.until, tracking=self.tracking, seed=2)

    def churn(self, alias: Alias = Alias.CHALLENGER) -> ModelVersion:
        found = self.tracking.find(ModelName.CHURN, alias=alias)
        assert isinstance(found, ModelVersion)
        return found

    def challenge(self, model: BoosterModel, *, trained_until: datetime) -> ModelVersion:
        record = TrainingRecord(
            name=ModelName.CHURN,
            model=model,
            trained_until=trained_until,
            fingerprint="f",
            tables=(),
            params={},
            metrics={},
        )
        return self.tracking.log_training(record)


@pytest.fixture(scope="module")
def champion_database(
    shop_summary: Trainings,
    trained_store: Path,
    tmp_path_factory: pytest.TempPathFactory,
    shop_tables: Tables,
    shop_end: datetime,
) -> Path:
    """The shop's store after its churn model was promoted."""
    folder = tmp_path_factory.mktemp("champion")
    shutil.copy(trained_store / "mlflow.db", folder)
    scene = Scene(Tracking.in_folder(folder), shop_tables, shop_end)
    assert isinstance(scene.promote(), Promote)
    return folder / "mlflow.db"


@pytest.fixture
def later_scene(
    champion_database: Path, tmp_path: Path, shop_tables: Tables, shop_end: datetime
) -> Scene:
    """The shop after its churn model was promoted."""
    shutil.copy(champion_database, tmp_path)
    return Scene(Tracking.in_folder(tmp_path), shop_tables, shop_end)


@pytest.fixture
def scene(trained_tracking: Tracking, shop_tables: Tables, shop_end: datetime) -> Scene:
    return Scene(trained_tracking, shop_tables, shop_end)


def booster(version: ModelVersion) -> BoosterModel:
    assert isinstance(version.model, BoosterModel)
    return version.model


@pytest.mark.parametrize("name", [ModelName.CHURN, ModelName.CHANNEL, ModelName.SEND_TIME])
def test_first_good_model_becomes_champion(scene: Scene, name: ModelName) -> None:
    decision = scene.promote(name)
    assert isinstance(decision, Promote), decision
    champion = scene.tracking.load_champion(name)
    assert not isinstance(champion, NoChampion)
    assert champion.version == decision.version == "1"


def test_without_a_challenger_there_is_nothing_to_promote(later_scene: Scene) -> None:
    decision = later_scene.promote()
    assert isinstance(decision, Hold)
    assert "no challenger" in decision.reasons[0]


def test_candidate_as_good_as_the_champion_replaces_it(later_scene: Scene) -> None:
    good = later_scene.churn(Alias.CHAMPION)
    later_scene.challenge(booster(good), trained_until=good.trained_until)
    decision = later_scene.promote()
    assert isinstance(decision, Promote)
    assert decision.version == "2"
    assert decision.evidence.over_champion is not None
    assert decision.evidence.over_champion.value == 0.0


@pytest.mark.parametrize(
    ("calibration", "reasons"),
    [
        (Calibration(slope=-1.0, intercept=-3.0), ["beat recency only", "worse than the champion"]),
        (Calibration(slope=1.0, intercept=1.5), ["calibration error is 0.", "than the champion"]),
        (Calibration(slope=0.0, intercept=-0.8), ["beat recency only", "worse than the champion"]),
    ],
    ids=["upside down", "uncalibrated", "constant"],
)
def test_bad_candidate_is_held_and_the_champion_stays(
    later_scene: Scene, calibration: Calibration, reasons: list[str]
) -> None:
    good = later_scene.churn(Alias.CHAMPION)
    bad = replace(booster(good), calibration=calibration)
    later_scene.challenge(bad, trained_until=good.trained_until)
    decision = later_scene.promote()
    assert isinstance(decision, Hold)
    for reason in reasons:
        assert any(reason in given for given in decision.reasons), decision.reasons
    assert later_scene.churn(Alias.CHAMPION).version == "1"


def test_candidate_that_has_seen_every_known_label_is_held(scene: Scene) -> None:
    scene.challenge(booster(scene.churn()), trained_until=scene.until)
    decision = scene.promote()
    assert isinstance(decision, Hold)
    assert "nothing to judge on" in decision.reasons[0]


def test_candidate_with_other_features_is_held(scene: Scene) -> None:
    good = scene.churn()
    other = FeatureSignature(booster(good).signature.names, "another digest")
    scene.challenge(replace(booster(good), signature=other), trained_until=good.trained_until)
    decision = scene.promote()
    assert isinstance(decision, Hold)
    assert "feature definitions" in decision.reasons[0]


def test_champion_with_other_features_need_not_be_beaten(scene: Scene) -> None:
    good = scene.churn()
    old = replace(booster(good), signature=FeatureSignature(("gone",), "old"))
    registered = scene.challenge(old, trained_until=good.trained_until)
    scene.challenge(booster(good), trained_until=good.trained_until)
    client = scene.tracking._client
    client.set_registered_model_alias(ModelName.CHURN, Alias.CHAMPION, registered.version)
    decision = scene.promote()
    assert isinstance(decision, Promote)
    assert decision.evidence.over_champion is None


def test_later_rows_judge_a_champion_of_earlier_months(scene: Scene) -> None:
    good = scene.churn()
    month = timedelta(days=30)
    scene.challenge(booster(good), trained_until=good.trained_until - month)
    decision = scene.promote()
    assert isinstance(decision, Promote)
    longer = decision.evidence.n_rows
    scene.challenge(booster(good), trained_until=good.trained_until)
    decision = scene.promote()
    assert isinstance(decision, Promote)
    assert decision.evidence.n_rows < longer


def test_channel_model_of_messages_that_chance_did_not_decide_is_held(scene: Scene) -> None:
    chosen = {**scene.tables, "messages": scene.tables["messages"].assign(arm="rules")}
    decision = replace(scene, tables=chosen).promote(ModelName.CHANNEL)
    assert isinstance(decision, Hold)
    assert "no message of the log was decided by chance" in decision.reasons[0]


def test_too_little_data_to_judge_on_is_a_hold_with_the_reason(scene: Scene) -> None:
    decision = replace(scene, tables={"customers": scene.tables["customers"]}).promote()
    assert isinstance(decision, Hold)
    assert "no customer has a history" in decision.reasons[0]
