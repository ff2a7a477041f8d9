import shutil
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from features.errors import BadInputError
from features.tables import Tables, versions_before
from training.document import document
from training.models.table import RECIPES
from training.monitoring.monitor import ModelHealth, monitor_model, monitor_models
from training.monitoring.profile import PROFILE_FILE, Profile
from training.monitoring.status import Check, Status
from training.registry.entries import Alias, ModelName, ModelVersion
from training.registry.tracking import Tracking, TrainingRecord

WATCHED = (ModelName.CHURN, ModelName.CHANNEL)


@dataclass(frozen=True)
class Watched:
    """Served models and the tables of today."""

    tracking: Tracking
    tables: Tables
    made: datetime
    now: datetime

    def look(self, tables: Tables) -> dict[ModelName, ModelHealth]:
        """How the models do with these tables."""
        found = monitor_models(tables, as_of=self.now, tracking=self.tracking, seed=1)
        return {name: one for name, one in found.items() if isinstance(one, ModelHealth)}

    def check(self, tables: Tables, name: ModelName, check: str) -> Check:
        """One check of one model."""
        champion = self.tracking.find(name, alias=Alias.CHAMPION)
        assert isinstance(champion, ModelVersion)
        health = monitor_model(champion, tables, as_of=self.now, tracking=self.tracking, seed=1)
        (found,) = [one for one in health.checks if one.name == check]
        return found


def alarms(health: ModelHealth) -> set[str]:
    return {check.name for check in health.checks if check.status is Status.ALARM}


@pytest.fixture(scope="module")
def watched(
    empty_store: Path,
    tmp_path_factory: pytest.TempPathFactory,
    shop_tables: Tables,
    shop_end: datetime,
) -> Watched:
    """The shop's models as they were made seven weeks before its end, and served since."""
    folder = tmp_path_factory.mktemp("watched")
    shutil.copy(empty_store / "mlflow.db", folder)
    tracking = Tracking.in_folder(folder)
    made = shop_end - timedelta(days=50)
    known = versions_before(shop_tables, pd.Timestamp(made))
    for name in WATCHED:
        record = RECIPES[name].learn(known, known_until=made, seed=1)
        assert isinstance(record, TrainingRecord)
        documents = document(record, known, known_until=made)
        version = tracking.log_training(replace(record, documents=documents)).version
        # What the gate thinks of them is not the question here.
        tracking._client.set_registered_model_alias(name.value, Alias.CHAMPION.value, version)
    return Watched(tracking, shop_tables, made, shop_end)


def late(frame: pd.DataFrame, column: str, watched: Watched) -> "pd.Series[bool]":
    return frame[column] >= pd.Timestamp(watched.made)


def repeat_activity(watched: Watched) -> Tables:
    """Since the training every row of activity comes five times: somebody loads it again."""
    activity = watched.tables["activity"]
    again = activity[late(activity, "at", watched)]
    parts = [again.assign(at=again["at"] + pd.Timedelta(seconds=n)) for n in range(1, 5)]
    return {**watched.tables, "activity": pd.concat([activity, *parts], ignore_index=True)}


def stop_outcomes(watched: Watched) -> Tables:
    outcomes = watched.tables["outcomes"]
    stop = pd.Timestamp(watched.now - timedelta(days=20))
    return {**watched.tables, "outcomes": outcomes[outcomes["at"] < stop]}


def lose_customers(watched: Watched) -> Tables:
    """Since the training a third of the customers have not come any more."""
    activity = watched.tables["activity"]
    is_lost = activity["customer_id"].str[-1].isin(["1", "4", "7"])
    return {**watched.tables, "activity": activity[~(is_lost & late(activity, "at", watched))]}


def slow_down(watched: Watched) -> Tables:
    """Since the training outcomes take twice as long."""
    messages, outcomes = watched.tables["messages"], watched.tables["outcomes"]
    sent = outcomes["message_id"].map(messages.set_index("message_id")["sent_at"])
    slower = sent + 2 * (outcomes["at"] - sent)
    at = outcomes["at"].where(sent < pd.Timestamp(watched.made), slower)
    moved = outcomes.assign(at=at.dt.as_unit("us"))
    return {**watched.tables, "outcomes": moved[moved["at"] < pd.Timestamp(watched.now)]}


def test_monitor_finds_nothing_where_nothing_happened(watched: Watched) -> None:
    found = watched.look(watched.tables)

    assert set(found) == set(WATCHED)
    for health in found.values():
        assert alarms(health) == set(), health
        assert health.trained_on == watched.made
        states = {check.name: check.status for check in health.checks}
        assert states["inputs"] is not Status.UNKNOWN
        assert states["matured labels"] is Status.OK


def test_monitor_has_no_answer_for_a_moment_before_the_model_was_made(watched: Watched) -> None:
    before = watched.made - timedelta(days=3)
    known = versions_before(watched.tables, pd.Timestamp(before))
    found = monitor_models(known, as_of=before, tracking=watched.tracking, seed=1)

    for name in WATCHED:
        health = found[name]
        assert isinstance(health, ModelHealth)
        model, *others = health.checks
        assert model.status is Status.OK
        assert {check.status for check in others} == {Status.UNKNOWN}
        assert all("before this model was made" in check.meaning for check in others)


def test_monitor_says_from_which_day_on_labels_can_be_known(watched: Watched) -> None:
    now = watched.made + timedelta(days=5)
    known = versions_before(watched.tables, pd.Timestamp(now))
    found = monitor_models(known, as_of=now, tracking=watched.tracking, seed=1)

    for name, days in ((ModelName.CHURN, 30), (ModelName.CHANNEL, 7)):
        health = found[name]
        assert isinstance(health, ModelHealth)
        (matured,) = [check for check in health.checks if check.name == "matured labels"]
        assert matured.status is Status.UNKNOWN
        assert f"only rows from {watched.made:%Y-%m-%d} on count" in matured.meaning
        ready = watched.made + timedelta(days=days)
        assert f"known before {ready:%Y-%m-%d}" in matured.meaning


def test_delays_are_asked_only_of_models_made_from_messages(watched: Watched) -> None:
    found = watched.look(watched.tables)
    names = {name: [check.name for check in found[name].checks] for name in WATCHED}
    profile = watched.tracking.find(ModelName.CHURN, alias=Alias.CHAMPION)
    assert isinstance(profile, ModelVersion)
    text = watched.tracking.read_document(profile.run_id, PROFILE_FILE)
    tables = {table.name for table in Profile.from_json(text or "").tables}

    assert "reward delay" in names[ModelName.CHANNEL]
    assert ("reward delay" in names[ModelName.CHURN]) == ({"messages", "outcomes"} <= tables)


def test_monitor_names_the_features_that_drifted(watched: Watched) -> None:
    check = watched.check(repeat_activity(watched), ModelName.CHURN, "inputs")

    assert check.status is Status.ALARM
    named = [finding.subject for finding in check.findings]
    assert any(name.startswith(("activity", "session")) for name in named), named
    assert check.findings[0].value > check.findings[0].alarm_from


def test_monitor_names_the_table_that_stopped(watched: Watched) -> None:
    stopped = stop_outcomes(watched)
    check = watched.check(stopped, ModelName.CHANNEL, "tables")
    age = pd.Timestamp(watched.now) - stopped["outcomes"]["at"].max()

    assert check.status is Status.ALARM
    alarming = [one.subject for one in check.findings if one.status is Status.ALARM]
    assert alarming == ["outcomes"]
    assert check.findings[0].value == pytest.approx(age / pd.Timedelta(days=1), abs=0.01)


def test_monitor_sees_on_matured_labels_that_more_are_lost_than_was_foretold(
    watched: Watched,
) -> None:
    check = watched.check(lose_customers(watched), ModelName.CHURN, "matured labels")

    assert check.status is Status.ALARM
    assert any("foretold" in finding.words for finding in check.findings)


def test_monitor_sees_that_outcomes_come_later(watched: Watched) -> None:
    check = watched.check(slow_down(watched), ModelName.CHANNEL, "reward delay")

    assert check.status is Status.ALARM
    assert any(finding.subject == "opened" for finding in check.findings)


def test_monitor_goes_on_where_one_model_cannot_be_read(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = watched.tracking.find

    def find_or_fail(name: ModelName, *, alias: Alias) -> object:
        if name is ModelName.CHURN:
            raise BadInputError("servable.json is not a model that can be served")
        return find(name, alias=alias)

    monkeypatch.setattr(watched.tracking, "find", find_or_fail)
    found = watched.look(watched.tables)

    assert alarms(found[ModelName.CHURN]) == {"model"}
    assert "model" not in alarms(found[ModelName.CHANNEL])


def test_profile_is_kept_with_the_model_and_is_small(watched: Watched) -> None:
    champion = watched.tracking.find(ModelName.CHURN, alias=Alias.CHAMPION)
    assert isinstance(champion, ModelVersion)
    text = watched.tracking.read_document(champion.run_id, PROFILE_FILE)
    assert text is not None
    profile = Profile.from_json(text)

    assert len(text) < 100_000
    assert profile.to_json() == text
    assert len(profile.inputs) == len(profile.use) > 10
    for block in zip(*(use.shares for use in profile.use), strict=True):
        assert sum(block) == pytest.approx(1.0)
    with pytest.raises(BadInputError, match=r"profile\.json is not a profile"):
        Profile.from_json('{"known_until": "yesterday"}')
