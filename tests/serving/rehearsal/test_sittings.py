"""When is decided, and about what: everything in the morning, what is urgent as it arises."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest

from features.errors import BadInputError
from features.triggers import find_triggers
from features.vocabulary import Trigger
from serving.records import Decision, OutcomeEvent, OutcomeState
from serving.rehearsal.loop import Sitting, rehearse
from serving.rehearsal.policies import Cadence, EngineActor
from serving.runtime import wire_parts
from serving.settings import Settings
from serving.snapshot.state import Models
from training.world.simulated import SimulatedWorld

MINUTE = timedelta(minutes=1)
N_DAYS, HOURS = 1, 8


@dataclass
class Onlooker:
    """Decides nothing and keeps what it was shown."""

    sittings: list[Sitting] = field(default_factory=list)

    def decide(self, sitting: Sitting, /) -> Sequence[Decision]:
        self.sittings.append(sitting)
        return []

    def report(self, outcomes: Sequence[OutcomeEvent], /) -> list[OutcomeState]:
        return [OutcomeState.UNKNOWN_MESSAGE] * len(outcomes)


@pytest.fixture(scope="module")
def world() -> SimulatedWorld:
    return SimulatedWorld(seed=3, n_customers=600, days=30)


@pytest.fixture(scope="module")
def sittings(world: SimulatedWorld) -> list[Sitting]:
    onlooker = Onlooker()
    rehearse(world, onlooker, n_days=N_DAYS, every_hours=HOURS)
    return onlooker.sittings


def test_rehearse_sits_every_so_many_hours(sittings: list[Sitting], world: SimulatedWorld) -> None:
    apart = timedelta(hours=HOURS)
    moments = [sitting.now for sitting in sittings]

    assert moments == [world.start + MINUTE + n * apart for n in range(N_DAYS * 24 // HOURS)]
    assert [sitting.is_morning for sitting in sittings] == [True, False, False] * N_DAYS
    assert [sitting.day for sitting in sittings] == [0, 0, 0]
    for sitting in sittings:
        if sitting.since is not None:
            assert sitting.since == sitting.now - apart


def test_between_mornings_only_service_cases_are_found_that_have_just_begun(
    sittings: list[Sitting],
) -> None:
    later = [sitting for sitting in sittings if not sitting.is_morning]
    keys: list[str] = []
    for sitting in later:
        everything = find_triggers(sitting.tables, as_of=sitting.now)
        is_service = everything["trigger"].map(lambda name: Trigger(name).is_service)
        expected = everything[is_service & (everything["began_at"] >= sitting.since)]
        assert sitting.found["key"].tolist() == expected["key"].tolist()
        assert sitting.found["evidence"].tolist() == expected["evidence"].tolist()
        keys += sitting.found["key"].tolist()

    assert len(keys) > 10
    assert len(set(keys)) == len(keys)


def test_an_engine_decides_urgent_cases_when_they_arise(tmp_path: Path) -> None:
    world = SimulatedWorld(seed=3, n_customers=600, days=30)
    parts = wire_parts(Settings(home=tmp_path, clock="caller"), clock=lambda: world.start)
    actor = EngineActor(parts, Models(), Cadence(decide_hours=HOURS))
    decided: list[Decision] = []

    class Recorded:
        def decide(self, sitting: Sitting, /) -> Sequence[Decision]:
            made = actor.decide(sitting)
            assert {one.decided_at for one in made} <= {sitting.now}
            decided.extend(made)
            return made

        def report(self, outcomes: Sequence[OutcomeEvent], /) -> list[OutcomeState]:
            return actor.report(outcomes)

    rehearse(world, Recorded(), n_days=1, every_hours=HOURS)
    later = [one for one in decided if one.decided_at > world.start + MINUTE]

    assert len(later) > 10
    assert all(one.trigger.is_service for one in later)
    assert any(not one.trigger.is_service for one in decided)
    sent = [message.message_id for one in later if one.send for message in one.messages]
    world.advance(later_on := world.start + timedelta(days=4))
    arrived = world.tables(later_on)["messages"]["message_id"]
    assert len(sent) > 5
    assert set(sent) <= set(arrived)


def test_rehearse_refuses_hours_that_do_not_divide_a_day(world: SimulatedWorld) -> None:
    with pytest.raises(BadInputError, match="expected a divisor of 24, got 5"):
        rehearse(world, Onlooker(), n_days=1, every_hours=5)
