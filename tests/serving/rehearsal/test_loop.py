from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pandas as pd
import pytest

from features.vocabulary import Arm
from serving.learner.files import LearnerFiles
from serving.learner.fold import rule_of
from serving.learner.history import read_history
from serving.learner.step import take_step
from serving.records import Decision, OutcomeEvent, OutcomeState
from serving.rehearsal.loop import RehearsalLog, Sitting, messages_of, rehearse
from serving.rehearsal.policies import Cadence, EngineActor, Learning
from serving.runtime import wire_parts
from serving.settings import Settings
from serving.snapshot.state import Models
from training.bandit.policy import VariantPolicy
from training.world.simulated import SimulatedWorld

N_DAYS = 6


class Recorded:
    """An engine that keeps what goes through it and learns from the log; a learner beside it."""

    def __init__(self, actor: EngineActor, files: LearnerFiles) -> None:
        self.actor = actor
        self.files = files
        self.learners: list[str] = []
        self.decided: list[Decision] = []
        self.reported: list[OutcomeEvent] = []
        self.bandits: list[VariantPolicy] = []

    def decide(self, morning: Sitting, /) -> list[Decision]:
        self.learners.append(self._learn(morning))
        decisions = self.actor.decide(morning)
        self.decided += decisions
        assert self.actor.snapshot is not None
        self.bandits.append(self.actor.snapshot.bandit)
        assert self.actor.snapshot.as_of == morning.now
        return decisions

    def _learn(self, morning: Sitting) -> str:
        """What a learner knows that reads all of the history every morning."""
        parts = self.actor.parts
        messages = morning.tables["messages"]
        earlier = messages[messages["sent_at"] < morning.now - timedelta(days=morning.day)]
        tables = {**morning.tables, "messages": earlier}
        rule = rule_of(parts.policy)
        self.files.keep_history(read_history(tables, as_of=morning.now, rule=rule))
        step = take_step(self.files, parts.store, as_of=morning.now, policy=parts.policy)
        return step.learned.served.to_json()

    def report(self, outcomes: Sequence[OutcomeEvent], /) -> list[OutcomeState]:
        self.reported += outcomes
        return self.actor.report(outcomes)


@pytest.fixture(scope="module")
def world() -> SimulatedWorld:
    return SimulatedWorld(seed=4, n_customers=700, days=40)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory, world: SimulatedWorld) -> Recorded:
    home: Path = tmp_path_factory.mktemp("home")
    start = world.start
    parts = wire_parts(Settings(home=home, clock="caller"), clock=lambda: start)
    cadence = Cadence(retrain_days=N_DAYS + 1)
    learning = Learning(lambda _: Models())
    files = LearnerFiles(home / "bandit")
    return Recorded(EngineActor(parts, Models(), cadence, learning), files)


@pytest.fixture(scope="module")
def log(world: SimulatedWorld, recorded: Recorded) -> RehearsalLog:
    return rehearse(world, recorded, n_days=N_DAYS)


def test_rehearse_scores_every_decision_and_nothing_sent_is_worth_nothing(
    log: RehearsalLog, recorded: Recorded
) -> None:
    assert len(log.cases) == len(recorded.decided)
    assert log.cases["day"].nunique() == N_DAYS
    silent = log.cases.loc[~log.cases["send"], "true_value_cents"]
    assert (silent == 0).all()
    assert (log.cases.loc[log.cases["send"], "true_value_cents"] != 0).all()


def test_rehearse_delivers_what_was_decided(
    log: RehearsalLog, world: SimulatedWorld, recorded: Recorded
) -> None:
    end = world.start + timedelta(days=N_DAYS)
    ours = messages_of(recorded.decided)
    arrived = world.tables(end)["messages"]
    due = ours[ours["sent_at"] < end]

    assert log.cases["n_messages"].sum() == len(ours) > 50
    assert set(due["message_id"]) <= set(arrived["message_id"])
    joined = due.merge(arrived, on="message_id", suffixes=("", "_world"))
    pd.testing.assert_series_equal(
        joined["propensity"], joined["propensity_world"], check_names=False
    )


def test_rehearse_feeds_each_outcome_back_once(
    log: RehearsalLog, world: SimulatedWorld, recorded: Recorded
) -> None:
    outcomes = world.tables(world.start + timedelta(days=N_DAYS))["outcomes"]
    sent = set(messages_of(recorded.decided)["message_id"])
    happened = outcomes[outcomes["message_id"].isin(sent)]

    assert log.n_outcomes == len(recorded.reported) == len(happened) > 30


def test_rehearse_shows_the_engine_no_future(recorded: Recorded, log: RehearsalLog) -> None:
    assert len(log.cases) > 0
    for decision in recorded.decided:
        assert decision.features_as_of is not None
        assert decision.features_as_of <= decision.decided_at


def test_rehearse_sums_up_by_arm(log: RehearsalLog) -> None:
    arms = log.by_arm()

    assert arms["n_cases"].sum() == len(log.cases)
    assert arms.loc[Arm.HOLDOUT.value, "mean_cents"] == 0.0
    assert (arms["low"] <= arms["mean_cents"]).all()
    assert (arms["mean_cents"] <= arms["high"]).all()


def test_rehearse_teaches_the_bandit_from_what_matured(
    recorded: Recorded, log: RehearsalLog
) -> None:
    assert len(log.cases) > 0
    versions = [bandit.version for bandit in recorded.bandits]
    assert versions == sorted(versions)
    assert versions[-1] > versions[0]


def test_rehearse_knows_every_morning_what_a_learner_would(
    recorded: Recorded, log: RehearsalLog
) -> None:
    assert len(log.cases) > 0
    assert [bandit.to_json() for bandit in recorded.bandits] == recorded.learners
