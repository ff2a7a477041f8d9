"""Estimates from the store of a small rehearsal, beside what its world knows."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import chain

import numpy as np
import pytest

from features.economics import default_economics
from features.vocabulary import Arm
from serving.evaluate.prepare import ReadyLog, prepare_log
from serving.evaluate.targets import Target, TargetName, name_target
from serving.evaluate.truth import BesideTruth, hold_against_truth, value_allowed
from serving.policy.cases import Floats
from serving.records import Decision, OutcomeEvent, OutcomeState
from serving.rehearsal.loop import Sitting, rehearse
from serving.rehearsal.policies import Cadence, EngineActor, PolicyName, settings_of
from serving.runtime import wire_parts
from serving.settings import Settings
from serving.snapshot.state import Models
from training.evaluation.bootstrap import Estimate
from training.world.simulated import SimulatedWorld

N_DAYS = 5


class Witness:
    """An actor beside whom somebody notes what everything would have been worth."""

    def __init__(self, actor: EngineActor, world: SimulatedWorld) -> None:
        self.actor = actor
        self.world = world
        self.noted: dict[str, Floats] = {}

    def decide(self, morning: Sitting, /) -> list[Decision]:
        decisions = self.actor.decide(morning)
        self.noted |= value_allowed(self.world, decisions)
        return decisions

    def report(self, outcomes: Sequence[OutcomeEvent], /) -> list[OutcomeState]:
        return self.actor.report(outcomes)


@pytest.fixture(scope="module")
def rehearsed(tmp_path_factory: pytest.TempPathFactory) -> tuple[ReadyLog, dict[str, Floats]]:
    """The log of a random policy, and the truth."""
    world = SimulatedWorld(seed=5, n_customers=600, days=40)
    start, home = world.start, tmp_path_factory.mktemp("home")
    parts = wire_parts(Settings(home=home, clock="caller"), clock=lambda: start)
    parts = replace(parts, policy=settings_of(PolicyName.RANDOM, parts.policy))
    witness = Witness(EngineActor(parts, Models(), Cadence(retrain_days=N_DAYS + 1)), world)
    rehearse(world, witness, n_days=N_DAYS)
    end = start + timedelta(days=N_DAYS + 3)
    world.advance(end)
    with parts.store.reading() as session:
        ready = prepare_log(
            chain.from_iterable(session.read_decisions()),
            chain.from_iterable(session.read_outcomes()),
            economics=default_economics(),
            known_until=end,
            window_days=2,
            seed=0,
            tables=world.tables(end),
        )
    parts.store.close()
    return ready, witness.noted


def eager(ready: ReadyLog, noted: dict[str, Floats]) -> Target:
    """Six times as fond of what is truly worth sending as of anything else."""
    worth = np.concatenate([noted[one] for one in ready.log.decision_ids])
    fondness = np.where(worth > 0, 6.0, 1.0)
    everything = np.ones(ready.log.n, dtype=bool)
    p = fondness / ready.log.sums(fondness)[ready.log.actions.row]
    return Target("eager", p, everything)


def test_estimate_from_the_store_finds_what_the_world_knows(
    rehearsed: tuple[ReadyLog, dict[str, Floats]],
) -> None:
    """What the random policy earned misses what the eager one would have."""
    ready, noted = rehearsed
    target = eager(ready, noted)
    (found,) = hold_against_truth(ready, noted, target=target, seed=0)
    assert (found.arm, found.n) == (Arm.RANDOM, ready.log.n)
    assert found.scored is not None
    spread = (found.scored.high - found.scored.low) / (2 * 1.96)
    assert abs(found.scored.value - found.truth) < 3.5 * spread
    earned = np.mean([noted[one].mean() for one in ready.log.decision_ids])
    assert abs(found.scored.value - found.truth) < abs(earned - found.truth)
    assert found.scored_holds is not None


def test_truth_is_of_every_allowed_action_and_nothing_is_worth_nothing(
    rehearsed: tuple[ReadyLog, dict[str, Floats]],
) -> None:
    ready, noted = rehearsed
    log = ready.log
    assert all(len(noted[one]) == n for one, n in zip(log.decision_ids, log.n_allowed, strict=True))
    worth = np.concatenate([noted[one] for one in log.decision_ids])
    assert (worth[log.actions.is_nothing] == 0).all()
    assert (worth[~log.actions.is_nothing] != 0).mean() > 0.9


def test_decisions_whose_truth_nobody_noted_are_left_out(
    rehearsed: tuple[ReadyLog, dict[str, Floats]],
) -> None:
    ready, noted = rehearsed
    some = dict(list(noted.items())[::2])
    n_kept = sum(one in some for one in ready.log.decision_ids)
    target = name_target(TargetName.RANDOM, ready.log)
    (found,) = hold_against_truth(ready, some, target=target, seed=0)
    assert found.n == n_kept < ready.log.n
    assert hold_against_truth(ready, {}, target=target, seed=0) == []


def test_holding_is_inside_the_interval_and_unknown_without_one() -> None:
    found = BesideTruth("x", Arm.RANDOM, 10, 2.0, Estimate(1.0, 0.0, 1.9), None)
    assert found.scored_holds is False
    assert found.reported_holds is None
    assert replace(found, reported=Estimate(1.0, 0.0, 2.0)).reported_holds is True
