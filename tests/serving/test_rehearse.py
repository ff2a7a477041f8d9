from datetime import datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from features.tables import Tables
from features.vocabulary import Arm
from serving.publish import learn_bandit
from serving.records import Decision, DecisionRequest, OutcomeEvent, OutcomeState
from serving.rehearse import RehearsalLog, messages_of, rehearse
from serving.runtime import EngineParts, wire_parts
from serving.settings import Settings
from serving.snapshot.making import make_snapshot
from serving.snapshot.state import Models, Snapshot
from training.world.simulated import SimulatedWorld

N_DAYS = 5


class EngineInProcess:
    """A decider without HTTP that keeps what went through it."""

    def __init__(self, parts: EngineParts) -> None:
        self.parts = parts
        self.snapshots: list[Snapshot] = []
        self.decided: list[Decision] = []
        self.reported: list[OutcomeEvent] = []

    def publish(self, tables: Tables, now: datetime) -> None:
        bandit = learn_bandit(tables, self.parts.store, as_of=now, policy=self.parts.policy)
        self.snapshots.append(make_snapshot(tables, as_of=now, models=Models(), bandit=bandit))

    def decide_many(self, requests: list[DecisionRequest]) -> list[Decision]:
        decisions = self.parts.engine(self.snapshots[-1]).decide_many(requests)
        self.decided += decisions
        return decisions

    def report(self, outcomes: list[OutcomeEvent]) -> list[OutcomeState]:
        self.reported += outcomes
        return self.parts.engine(self.snapshots[-1]).report(outcomes)


@pytest.fixture(scope="module")
def world() -> SimulatedWorld:
    return SimulatedWorld(seed=4, n_customers=700, days=40)


@pytest.fixture(scope="module")
def start(world: SimulatedWorld) -> datetime:
    return world.start


@pytest.fixture(scope="module")
def decider(
    tmp_path_factory: pytest.TempPathFactory, world: SimulatedWorld, start: datetime
) -> EngineInProcess:
    home: Path = tmp_path_factory.mktemp("home")
    return EngineInProcess(wire_parts(Settings(home=home), clock=lambda: start))


@pytest.fixture(scope="module")
def log(world: SimulatedWorld, decider: EngineInProcess, start: datetime) -> RehearsalLog:
    return rehearse(world, decider, start=start, n_days=N_DAYS, publish=decider.publish)


def test_rehearse_scores_every_decision_and_nothing_sent_is_worth_nothing(
    log: RehearsalLog, decider: EngineInProcess
) -> None:
    assert len(log.cases) == len(decider.decided)
    assert log.cases["day"].nunique() == N_DAYS
    silent = log.cases.loc[~log.cases["send"], "true_value_cents"]
    assert (silent == 0).all()
    assert (log.cases.loc[log.cases["send"], "true_value_cents"] != 0).all()


def test_rehearse_delivers_what_was_decided(
    log: RehearsalLog, world: SimulatedWorld, decider: EngineInProcess, start: datetime
) -> None:
    ours = messages_of(decider.decided)
    arrived = world.tables(start + timedelta(days=N_DAYS))["messages"]
    due = ours[ours["sent_at"] < start + timedelta(days=N_DAYS)]

    assert log.cases["n_messages"].sum() == len(ours) > 50
    assert set(due["message_id"]) <= set(arrived["message_id"])
    joined = due.merge(arrived, on="message_id", suffixes=("", "_world"))
    pd.testing.assert_series_equal(
        joined["propensity"], joined["propensity_world"], check_names=False
    )


def test_rehearse_feeds_each_outcome_back_once(
    log: RehearsalLog, world: SimulatedWorld, decider: EngineInProcess, start: datetime
) -> None:
    end = start + timedelta(days=N_DAYS)
    outcomes = world.tables(end)["outcomes"]
    sent = set(messages_of(decider.decided)["message_id"])
    happened = outcomes[outcomes["message_id"].isin(sent)]

    assert log.n_outcomes == len(decider.reported) == len(happened) > 30


def test_rehearse_shows_the_engine_no_future(decider: EngineInProcess, log: RehearsalLog) -> None:
    asked = [snapshot.as_of for snapshot in decider.snapshots]

    assert asked == sorted(asked)
    for decision in decider.decided:
        assert decision.features_as_of is not None
        assert decision.features_as_of <= decision.decided_at


def test_rehearse_sums_up_by_arm(log: RehearsalLog) -> None:
    arms = log.by_arm()

    assert arms["n_cases"].sum() == len(log.cases)
    assert arms.loc[Arm.HOLDOUT.value, "mean_cents"] == 0.0
    assert (arms["low"] <= arms["mean_cents"]).all()
    assert (arms["mean_cents"] <= arms["high"]).all()


def test_rehearse_teaches_the_bandit_from_what_matured(
    decider: EngineInProcess, log: RehearsalLog
) -> None:
    versions = [snapshot.bandit.version for snapshot in decider.snapshots]

    assert versions == sorted(versions)
    assert versions[-1] > versions[0]
