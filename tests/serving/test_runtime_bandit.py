from datetime import timedelta
from pathlib import Path

import pytest

from features.vocabulary import Channel, Trigger
from serving.learner.files import Cursor, LearnerFiles
from serving.learner.fold import Learned, Settled
from serving.policy.cases import DAY_US
from serving.records import Decision, DecisionRequest
from serving.runtime import Runtime
from serving.settings import Settings
from serving.snapshot.files import publish_snapshot
from serving.snapshot.state import Snapshot
from tests.training.bandit.conftest import make_trials
from training.bandit.files import new_bandit
from training.bandit.rewards import Cell


@pytest.fixture
def settings(tmp_path: Path, snapshot: Snapshot) -> Settings:
    chosen = Settings(home=tmp_path, clock="caller")
    publish_snapshot(snapshot, chosen.snapshots)
    return chosen


def learn(settings: Settings, *, n: int, as_of_us: int) -> None:
    """Publish a bandit that has seen n rewards."""
    cell = Cell(Trigger.PRICE_DROP, Channel.EMAIL)
    trials = make_trials(["price_drop.email.clear"] * n, [True] * n, cell=cell)
    learned = Learned(Settled(new_bandit(), 0, 0), new_bandit().update(trials), as_of_us, {})
    LearnerFiles(settings.bandit).publish(learned, Cursor(as_of_us, 0, 0, 0, 0, ""))


def decide(runtime: Runtime, snapshot: Snapshot) -> Decision:
    request = DecisionRequest(
        customer_id="c001", trigger=Trigger.PRICE_DROP, decided_at=snapshot.as_of
    )
    return runtime.engine().decide(request)


def test_runtime_takes_up_a_bandit_without_a_restart(
    settings: Settings, snapshot: Snapshot
) -> None:
    runtime = Runtime(settings, clock=lambda: snapshot.as_of)
    before = decide(runtime, snapshot).models.bandit

    learn(settings, n=40, as_of_us=snapshot.as_of_us + DAY_US)
    engine = runtime.engine()
    after = decide(runtime, snapshot).models.bandit
    learn(settings, n=41, as_of_us=snapshot.as_of_us + 2 * DAY_US)

    assert (before, after) == (0, 40)
    assert runtime.engine() is not engine
    assert runtime.engine() is runtime.engine()
    assert decide(runtime, snapshot).models.bandit == 41


def test_runtime_takes_whichever_looked_at_the_log_last(
    settings: Settings, snapshot: Snapshot
) -> None:
    learn(settings, n=40, as_of_us=snapshot.as_of_us + DAY_US)
    runtime = Runtime(settings, clock=lambda: snapshot.as_of)
    assert decide(runtime, snapshot).models.bandit == 40

    later = Snapshot(
        version="",
        as_of=snapshot.as_of + timedelta(days=2),
        customers=snapshot.customers,
        contacts=snapshot.contacts,
        models=snapshot.models,
        bandit=new_bandit(),
    )
    publish_snapshot(later, settings.snapshots)

    assert decide(runtime, snapshot).models.bandit == 0
    learn(settings, n=41, as_of_us=later.as_of_us)
    assert decide(runtime, snapshot).models.bandit == 41
