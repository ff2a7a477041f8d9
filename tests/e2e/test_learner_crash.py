"""A learner that is killed at any moment loses nothing and counts nothing twice."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from features.vocabulary import Arm, Channel, Outcome, Priority, Trigger
from serving.copy.content import Content
from serving.learner.files import LearnerFiles
from serving.learner.step import learn_from_log, take_step
from serving.policy.settings import load_policy_settings
from serving.records import (
    Decision,
    DecisionRequest,
    ModelVersions,
    OutcomeEvent,
    PlannedMessage,
    Reason,
)
from serving.store.store import Store
from training.bandit.rewards import RewardLog

pytestmark = pytest.mark.e2e

START = datetime(2026, 6, 1, tzinfo=UTC)
END = START + timedelta(days=14)
N_MESSAGES = 60
N_KILLS = 12
POLICY = load_policy_settings()

# One process imports, and its children are the learners: they start in a moment, and are killed.
NURSERY = """
import os, sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from serving.learner.files import LearnerFiles
from serving.learner.step import take_step
from serving.policy.settings import load_policy_settings
from serving.store.store import Store

def learn(home, day):
    files, store = LearnerFiles(home / "bandit"), Store(home / "store.db")
    policy = load_policy_settings()
    with files.locked():
        while True:
            now = datetime(2026, 6, 1, tzinfo=UTC) + timedelta(days=day)
            take_step(files, store, as_of=now, policy=policy)
            print("step", flush=True)
            day += 0.25

print("ready", flush=True)
for line in sys.stdin:
    child = os.fork()
    if child == 0:
        learn(Path(sys.argv[1]), float(line))
    print(child, flush=True)
    os.waitpid(child, 0)
    print("over", flush=True)
"""


@contextmanager
def nursery(home: Path) -> Iterator["subprocess.Popen[str]"]:
    with subprocess.Popen(
        [sys.executable, "-c", NURSERY, str(home)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
        assert process.stdin is not None
        process.stdin.close()


def send_and_tell(store: Store, numbers: range) -> None:
    """Messages of one customer each, a third of which are clicked an hour later."""
    records, events = [], []
    for number in numbers:
        at = START + timedelta(hours=4 * number)
        content = Content(subject="s", body="b", language="en", source="template")
        message = PlannedMessage(
            message_id=f"m{number:03d}",
            channel=Channel.EMAIL,
            variant=f"price_drop.email.v{number % 3}",
            content=content,
            cost_cents=0.1,
        )
        records.append(
            Decision(
                decision_id=f"d{number}",
                customer_id=f"c{number}",
                trigger=Trigger.PRICE_DROP,
                decided_at=at,
                arm=Arm.LEARNED,
                send=True,
                reason=Reason.CHOSEN,
                channels=(Channel.EMAIL,),
                send_at=at,
                variant=message.variant,
                content=content,
                messages=(message,),
                propensity=0.3,
                variants={message.variant: 0.3},
                priority=Priority.MEDIUM,
                cold_start=False,
                models=ModelVersions(),
                policy_version="p",
                feature_hash="f",
                features_as_of=None,
            )
        )
        if number % 3 == 0:
            clicked_at = at + timedelta(hours=1)
            events.append(
                OutcomeEvent(message_id=message.message_id, outcome=Outcome.CLICKED, at=clicked_at)
            )
    requests = [DecisionRequest(customer_id=r.customer_id, trigger=r.trigger) for r in records]
    with store.transaction() as session:
        session.add_decisions(records, requests)
    for event in events:
        with store.transaction() as session:
            session.add_outcomes([event, event])


def test_a_learner_that_is_killed_again_and_again_ends_where_one_that_is_not_does(
    tmp_path: Path,
) -> None:
    store, files = Store(tmp_path / "store.db"), LearnerFiles(tmp_path / "bandit")
    rng = np.random.default_rng(5)
    lots = np.array_split(np.arange(N_MESSAGES), N_KILLS)
    seen: list[str | None] = []
    n_steps = 0
    with nursery(tmp_path) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for kill, lot in enumerate(lots):
            process.stdin.write(f"{1 + kill}\n")
            process.stdin.flush()
            child = int(process.stdout.readline())
            n_steps += process.stdout.readline() == "step\n"
            send_and_tell(store, range(int(lot[0]), int(lot[-1]) + 1))
            time.sleep(float(rng.uniform(0.0, 0.4)))
            os.kill(child, signal.SIGKILL)
            while process.stdout.readline() != "over\n":
                n_steps += 1
            settled = files.load_settled()
            assert settled is not None  # whole, whenever it was killed
            assert files.load_served() is not None
            seen.append(files.versions.current())
    with files.locked():  # the dead hold no lock
        step = take_step(files, store, as_of=END, policy=POLICY)
    expected = learn_from_log(store, RewardLog.empty(), as_of=END, policy=POLICY)
    served = files.load_served()
    store.close()

    assert n_steps >= N_KILLS
    assert len(set(seen)) > N_KILLS // 2
    assert step.learned.settled.n_messages == N_MESSAGES
    assert step.learned.settled.bandit.to_json() == expected.settled.bandit.to_json()
    assert served is not None
    assert served.bandit.to_json() == expected.served.to_json()
    assert served.bandit.version == N_MESSAGES
