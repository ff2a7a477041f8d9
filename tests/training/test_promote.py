import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from features.errors import IncompatibleModelError
from features.tables import Tables
from training.evaluation import Estimate
from training.gate import Evidence, Hold, Promote
from training.promote import explain, promote
from training.registry.audit import Audit, Event, EventKind
from training.registry.entries import Alias, ModelName, ModelVersion, NoChampion
from training.registry.servable import Calibration, ChurnModel, FeatureSignature, Servable
from training.registry.tracking import Tracking, TrainingRecord
from training.train import Trainings


@dataclass(frozen=True)
class Scene:
    """The shop, its challengers, and a gate to lead them through."""

    tracking: Tracking
    tables: Tables
    until: datetime

    def promote(
        self, name: ModelName = ModelName.CHURN, *, audit: Audit | None = None
    ) -> Promote | Hold:
        return promote(
            name,
            self.tables,
            known_until=self.until,
            tracking=self.tracking,
            seed=2,
            audit=audit,
        )

    def find(self, name: ModelName, alias: Alias = Alias.CHALLENGER) -> ModelVersion:
        found = self.tracking.find(name, alias=alias)
        assert isinstance(found, ModelVersion)
        return found

    def churn(self, alias: Alias = Alias.CHALLENGER) -> ModelVersion:
        return self.find(ModelName.CHURN, alias)

    def challenge(
        self,
        model: Servable,
        *,
        trained_until: datetime,
        name: ModelName = ModelName.CHURN,
        metrics: Mapping[str, float] | None = None,
    ) -> ModelVersion:
        record = TrainingRecord(
            name=name,
            model=model,
            trained_until=trained_until,
            fingerprint="f",
            tables=(),
            params={},
            metrics=metrics or {},
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


def churn_model(version: ModelVersion) -> ChurnModel:
    assert isinstance(version.model, ChurnModel)
    return version.model


def recalibrate(model: ChurnModel, calibration: Calibration) -> ChurnModel:
    """The same trees under another curve, at every horizon."""
    boosters = {
        days: replace(booster, calibration=calibration) for days, booster in model.boosters.items()
    }
    return replace(model, boosters=boosters)


def sign_anew(model: Servable, digest: str) -> Servable:
    """The model as if it had been made with other definitions of the same features."""
    return replace(model, signature=FeatureSignature(model.signature.names, digest))


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
    later_scene.challenge(churn_model(good), trained_until=good.trained_until)
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
    bad = recalibrate(churn_model(good), calibration)
    later_scene.challenge(bad, trained_until=good.trained_until)
    decision = later_scene.promote()
    assert isinstance(decision, Hold)
    for reason in reasons:
        assert any(reason in given for given in decision.reasons), decision.reasons
    assert later_scene.churn(Alias.CHAMPION).version == "1"


def test_candidate_that_has_seen_every_known_label_is_held(scene: Scene) -> None:
    scene.challenge(churn_model(scene.churn()), trained_until=scene.until)
    decision = scene.promote()
    assert isinstance(decision, Hold)
    assert "nothing to judge on" in decision.reasons[0]


@pytest.mark.parametrize("name", [ModelName.CHURN, ModelName.CHANNEL])
def test_candidate_with_other_features_is_held(scene: Scene, name: ModelName) -> None:
    good = scene.find(name)
    other = sign_anew(good.model, "another digest")
    scene.challenge(other, trained_until=good.trained_until, name=name)
    decision = scene.promote(name)
    assert isinstance(decision, Hold)
    assert "feature definitions" in decision.reasons[0]


def test_champion_with_other_features_need_not_be_beaten(scene: Scene) -> None:
    good = scene.churn()
    old = sign_anew(churn_model(good), "old")
    registered = scene.challenge(old, trained_until=good.trained_until)
    scene.challenge(churn_model(good), trained_until=good.trained_until)
    client = scene.tracking._client
    client.set_registered_model_alias(ModelName.CHURN, Alias.CHAMPION, registered.version)
    decision = scene.promote()
    assert isinstance(decision, Promote)
    assert decision.evidence.over_champion is None


def put_into_another_form(tracking: Tracking, patch: pytest.MonkeyPatch, *, alias: Alias) -> None:
    """The version under that alias cannot be read, as one of an earlier release."""
    find = tracking.find

    def find_in_this_form(name: ModelName, *, alias: Alias) -> object:
        if alias is asked:
            raise IncompatibleModelError("servable.json has another form: train again")
        return find(name, alias=alias)

    asked = alias
    patch.setattr(tracking, "find", find_in_this_form)


def test_candidate_of_an_earlier_release_is_held(
    later_scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = later_scene.churn(Alias.CHAMPION)
    later_scene.challenge(churn_model(good), trained_until=good.trained_until)
    put_into_another_form(later_scene.tracking, monkeypatch, alias=Alias.CHALLENGER)
    decision = later_scene.promote()
    assert isinstance(decision, Hold)
    assert decision.version == "2"
    assert decision.reasons == ("servable.json has another form: train again",)


def test_champion_of_an_earlier_release_need_not_be_beaten(
    later_scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = later_scene.churn(Alias.CHAMPION)
    later_scene.challenge(churn_model(good), trained_until=good.trained_until)
    put_into_another_form(later_scene.tracking, monkeypatch, alias=Alias.CHAMPION)
    decision = later_scene.promote()
    assert isinstance(decision, Promote)
    assert decision.evidence.over_champion is None
    (event,) = later_scene.tracking.read_history(ModelName.CHURN)[1:]
    assert "version 1 cannot be served by the running code" in event.reasons[0]


def test_later_rows_judge_a_champion_of_earlier_months(scene: Scene) -> None:
    good = scene.churn()
    month = timedelta(days=30)
    scene.challenge(churn_model(good), trained_until=good.trained_until - month)
    decision = scene.promote()
    assert isinstance(decision, Promote)
    longer = decision.evidence.n_rows
    scene.challenge(churn_model(good), trained_until=good.trained_until)
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


def test_candidate_whose_leakage_check_failed_is_held(scene: Scene) -> None:
    good = scene.churn()
    scene.challenge(
        churn_model(good), trained_until=good.trained_until, metrics={"leakage.found": 1.0}
    )
    decision = scene.promote()
    assert isinstance(decision, Hold)
    assert decision.reasons == ("its leakage check failed",)


def test_candidate_that_was_too_good_at_training_is_held(scene: Scene) -> None:
    good = scene.churn()
    claimed = {"auc": 0.995, "auc_low": 0.99, "auc_high": 1.0}
    scene.challenge(churn_model(good), trained_until=good.trained_until, metrics=claimed)
    decision = scene.promote()
    assert isinstance(decision, Hold)
    assert len(decision.reasons) == 1
    assert decision.reasons[0].startswith("its AUC was 0.995 [0.990, 1.000] at training")


def test_gate_looks_at_slices_of_the_later_rows(scene: Scene) -> None:
    decision = scene.promote()
    assert isinstance(decision, Promote)
    parts = (*decision.evidence.slices, *decision.evidence.too_small)
    assert {part.dimension for part in parts} == {"tenure"}  # the shop has one language
    assert sum(part.n_rows for part in parts) == decision.evidence.n_rows
    assert decision.evidence.auc[""].value > 0.7


def test_every_decision_joins_the_trail(scene: Scene) -> None:
    audit = Audit("ann", datetime(2026, 8, 1, tzinfo=UTC), "monthly")
    promoted = scene.promote(audit=audit)
    assert isinstance(promoted, Promote)
    good = scene.churn(Alias.CHAMPION)
    bad = recalibrate(churn_model(good), Calibration(slope=1.0, intercept=2.0))
    scene.challenge(bad, trained_until=good.trained_until)
    held = scene.promote()
    assert isinstance(held, Hold)
    why = explain(promoted.evidence, before=None)
    assert scene.tracking.read_history(ModelName.CHURN) == (
        Event(EventKind.PROMOTE, "1", None, (why, "monthly"), "ann", audit.at, scene.until),
        Event(EventKind.HOLD, "2", "1", held.reasons, known_until=scene.until),
    )


def test_trail_says_what_a_promoted_version_was_compared_with() -> None:
    over = Estimate(-0.02, -0.03, -0.01)
    alone = Evidence(500, 90, 0.01, over, None)
    beside = replace(alone, over_champion=Estimate(0.001, -0.002, 0.004))

    beat = "it beat the plain baseline: loss -0.0200 [-0.0300, -0.0100] on 500 later rows"
    assert explain(alone, before=None) == f"{beat}; nothing was served before"
    assert explain(alone, before="3").endswith(
        "version 3 cannot be served by the running code, nor be compared"
    )
    assert explain(beside, before="3") == (
        f"{beat}; it was not shown to be worse than version 3: +0.0010 [-0.0020, +0.0040]"
    )
