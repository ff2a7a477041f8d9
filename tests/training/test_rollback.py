"""One command brings the champion before back, and the trail tells who, when and why."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import lightgbm
import numpy as np
import pytest
from mlflow import MlflowClient

from training.datasets.transit import sign_lateness
from training.evaluation import Estimate
from training.gate import Evidence, Promote, Refused, RolledBack
from training.promote import roll_back
from training.registry.audit import Audit, Event, EventKind
from training.registry.entries import Alias, ModelName, NoVersion
from training.registry.servable import BoosterModel, FeatureSignature
from training.registry.tracking import Tracking, TrainingRecord

NAME = ModelName.LATENESS
AT = datetime(2026, 6, 1, 12, tzinfo=UTC)
EVIDENCE = Evidence(10, 10, 0.01, Estimate(-0.1, -0.2, -0.05), None)
MakeTracking = Callable[[], Tracking]


def make_model(signature: FeatureSignature) -> BoosterModel:
    rng = np.random.default_rng(1)
    X = rng.normal(size=(200, len(signature.names)))
    rows = lightgbm.Dataset(X, label=X[:, 0] > 0)
    trees = lightgbm.train({"verbosity": -1, "num_threads": 1}, rows, num_boost_round=2)
    return BoosterModel("lateness", "", signature, trees.model_to_string())


def train(tracking: Tracking, signature: FeatureSignature | None = None) -> str:
    record = TrainingRecord(
        name=NAME,
        model=make_model(signature or sign_lateness()),
        trained_until=AT,
        fingerprint="f",
        tables=(),
        params={},
        metrics={},
    )
    return tracking.log_training(record).version


def promote(tracking: Tracking, version: str, *, days: int = 0) -> None:
    before = tracking.find_number(NAME, alias=Alias.CHAMPION)
    event = Event(EventKind.PROMOTE, version, before, known_until=AT)
    audit = Audit("ann", AT + timedelta(days=days))
    tracking.set_champion(Promote(NAME, version, EVIDENCE), event=event.asked(audit))


def ask(tracking: Tracking, why: str = "too many calls") -> RolledBack | Refused:
    return roll_back(NAME, tracking=tracking, audit=Audit("bob", AT, why))


def test_champions_come_back_one_after_the_other(make_tracking: MakeTracking) -> None:
    tracking = make_tracking()
    for days in range(3):
        promote(tracking, train(tracking), days=days)
    assert tracking.find_number(NAME, alias=Alias.PREVIOUS) == "2"
    assert ask(tracking) == RolledBack(NAME, version="2", instead_of="3")
    champion = tracking.load_champion(NAME)
    assert isinstance(champion, BoosterModel)
    assert champion.version == "2"
    assert tracking.find_number(NAME, alias=Alias.PREVIOUS) == "1"
    assert ask(tracking) == RolledBack(NAME, version="1", instead_of="2")
    assert ask(tracking) == Refused(NAME, "nothing was champion before version 1")
    assert tracking.find_number(NAME, alias=Alias.CHAMPION) == "1"


def test_promotion_after_a_rollback_comes_back_to_the_version_it_replaced(
    make_tracking: MakeTracking,
) -> None:
    tracking = make_tracking()
    promote(tracking, train(tracking))
    promote(tracking, train(tracking))
    assert isinstance(ask(tracking), RolledBack)
    promote(tracking, train(tracking))
    assert ask(tracking) == RolledBack(NAME, version="1", instead_of="3")


def test_trail_tells_what_was_done_by_whom_when_and_why(make_tracking: MakeTracking) -> None:
    tracking = make_tracking()
    promote(tracking, train(tracking))
    promote(tracking, train(tracking), days=1)
    held = Event(EventKind.HOLD, train(tracking), "2", ("it is worse", "it leaks"))
    tracking.log_event(NAME, replace(held, known_until=AT))
    ask(tracking, "customers complain")
    history = make_tracking().read_history(NAME)
    assert [(event.kind.value, event.version, event.before) for event in history] == [
        ("promote", "1", None),
        ("promote", "2", "1"),
        ("hold", "3", "2"),
        ("rollback", "1", "2"),
    ]
    assert history[1] == Event(
        EventKind.PROMOTE, "2", "1", (), "ann", AT + timedelta(days=1), known_until=AT
    )
    assert history[2].reasons == ("it is worse", "it leaks")
    assert (history[3].by, history[3].at, history[3].reasons) == (
        "bob",
        AT,
        ("customers complain",),
    )
    client = MlflowClient(tracking.uri, tracking.uri)
    tags = client.get_model_version(NAME.value, "1").tags
    assert (tags["opportune.gate"], tags["opportune.gate_reasons"], tags["opportune.gate_by"]) == (
        "rollback",
        "customers complain",
        "bob",
    )


def test_reasons_longer_than_a_tag_are_cut_and_still_read(make_tracking: MakeTracking) -> None:
    tracking = make_tracking()
    version = train(tracking)
    tracking.log_event(NAME, Event(EventKind.HOLD, version, None, ("ы" * 9000, "b" * 9000)))
    (event,) = tracking.read_history(NAME)
    assert [len(reason) for reason in event.reasons] == [2000, 2000]


def test_without_a_champion_there_is_nothing_to_roll_back(make_tracking: MakeTracking) -> None:
    tracking = make_tracking()
    expected = Refused(NAME, "nothing is served: there is no champion to roll back")
    assert ask(tracking) == expected
    train(tracking)
    assert ask(tracking) == expected
    assert tracking.read_history(NAME) == ()


def test_version_with_other_features_does_not_come_back(make_tracking: MakeTracking) -> None:
    tracking = make_tracking()
    promote(tracking, train(tracking, FeatureSignature(sign_lateness().names, "old")))
    promote(tracking, train(tracking))
    refused = ask(tracking)
    assert isinstance(refused, Refused)
    assert "version 1 was made with other feature definitions" in refused.reason
    assert tracking.find_number(NAME, alias=Alias.CHAMPION) == "2"
    assert len(tracking.read_history(NAME)) == 2


def test_version_that_cannot_be_read_does_not_come_back(make_tracking: MakeTracking) -> None:
    tracking = make_tracking()
    promote(tracking, train(tracking))
    promote(tracking, train(tracking))
    client = MlflowClient(tracking.uri, tracking.uri)
    source = client.get_model_version(NAME.value, "1").source.removeprefix("file://")
    (Path(source) / "servable.json").write_text("{}")
    refused = ask(tracking)
    assert isinstance(refused, Refused)
    assert refused.reason.startswith("version 1 cannot be read any more")


def test_champion_that_is_broken_can_be_rolled_back(make_tracking: MakeTracking) -> None:
    tracking = make_tracking()
    promote(tracking, train(tracking))
    promote(tracking, train(tracking))
    client = MlflowClient(tracking.uri, tracking.uri)
    source = client.get_model_version(NAME.value, "2").source.removeprefix("file://")
    (Path(source) / "servable.json").unlink()
    assert isinstance(ask(tracking), RolledBack)
    assert isinstance(tracking.load_champion(NAME), BoosterModel)


def test_previous_is_no_version_before_the_second_promotion(make_tracking: MakeTracking) -> None:
    tracking = make_tracking()
    promote(tracking, train(tracking))
    found = tracking.find(NAME, alias=Alias.PREVIOUS)
    assert found == NoVersion(NAME, Alias.PREVIOUS)


@pytest.mark.parametrize("reason", ["", "because"])
def test_event_comes_back_from_its_line(reason: str) -> None:
    event = Event(EventKind.ROLLBACK, "1", None).asked(Audit("ann", AT, reason))
    assert Event.from_json(event.to_json()) == event
    assert event.asked(None) == event
