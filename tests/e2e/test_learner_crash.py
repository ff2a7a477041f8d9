"""A learner that is killed at any moment loses nothing and counts nothing twice."""

import itertools
import os
import shutil
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
from serving.learner.step import basis_of, learn_from_log, take_step
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
N_KILLS = 6
POLICY = load_policy_settings()

# One process imports, and its children are the learners: they start in a moment, and are killed.
NURSERY = """
import os, signal, sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from serving.learner.files import LearnerFiles
from serving.learner.step import take_step
from serving.policy.settings import load_policy_settings
from serving.store.store import Store

CHANGES = {"open", "os.mkdir", "os.rename", "shutil.rmtree"}

def learn(home, day):
    files, store = LearnerFiles(home / "bandit"), Store(home / "store.db")
    policy = load_policy_settings()
    with files.locked():
        while True:
            now = datetime(2026, 6, 1, tzinfo=UTC) + timedelta(days=day)
            take_step(files, store, as_of=now, policy=policy)
            print("step", flush=True)
            day += 0.25

def learn_up_to(home, day, nth):
    # One morning, killed right before the nth thing that it does to the learner's folder.
    # Where that is to write a file, half of one is left behind.
    left = [nth]

    def count(event, arguments):
        if event not in CHANGES or not str(arguments[0]).startswith(str(home / "bandit")):
            return
        writes = event == "open" and str(arguments[1]) in {"w", "wb"}
        if event == "open" and not writes:
            return
        left[0] -= 1
        if left[0] == 0:
            if writes and not str(arguments[0]).endswith("LOCK"):
                left[0] = -1
                Path(arguments[0]).write_bytes(b'{"half')
            os.kill(os.getpid(), signal.SIGKILL)

    files, store = LearnerFiles(home / "bandit"), Store(home / "store.db")
    policy = load_policy_settings()
    now = datetime(2026, 6, 1, tzinfo=UTC) + timedelta(days=day)
    with store.reading() as session:
        history = session.learning.read_log(since_us=0)
    sys.addaudithook(count)
    files.keep_history(history)
    with files.locked():
        take_step(files, store, as_of=now, policy=policy)
    print("survived", flush=True)
    os._exit(0)

print("ready", flush=True)
for line in sys.stdin:
    where, day, nth = line.split()
    child = os.fork()
    if child == 0 and int(nth):
        learn_up_to(Path(where), float(day), int(nth))
    if child == 0:
        learn(Path(where), float(day))
    print(child, flush=True)
    os.waitpid(child, 0)
    print("over", flush=True)
"""


@contextmanager
def nursery() -> Iterator["subprocess.Popen[str]"]:
    with subprocess.Popen(
        [sys.executable, "-c", NURSERY],
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
                OutcomeEvent(
                    message_id=message.message_id, outcome=Outcome.CONVERTED, at=clicked_at
                )
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
    with nursery() as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for kill, lot in enumerate(lots):
            process.stdin.write(f"{tmp_path} {2 * (1 + kill)} 0\n")
            process.stdin.flush()
            child = int(process.stdout.readline())
            n_steps += process.stdout.readline() == "step\n"
            send_and_tell(store, range(int(lot[0]), int(lot[-1]) + 1))
            time.sleep(float(rng.uniform(0.0, 0.4)))
            os.kill(child, signal.SIGKILL)
            while process.stdout.readline() != "over\n":
                n_steps += 1
            place = files.load_place(basis=basis_of(POLICY))
            assert place is not None  # whole, whenever it was killed
            assert place.settled is not None
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


def learn_in(process: "subprocess.Popen[str]", home: Path, *, day: int, nth: int) -> bool:
    """Whether a learner that dies before the nth thing that it does had less to do than that."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{home} {day} {nth}\n")
    process.stdin.flush()
    told = [line.strip() for line in iter(process.stdout.readline, "over\n")]
    return "survived" in told


def state_of(files: LearnerFiles) -> tuple[str, str, int]:
    """What is current: the settled bandit, the served one, and how many messages are settled."""
    place, served = files.load_place(basis=basis_of(POLICY)), files.load_served()
    assert place is not None
    assert place.settled is not None
    assert served is not None
    texts = place.settled.bandit.to_json(), served.bandit.to_json()
    return *texts, place.settled.n_messages


def test_a_learner_that_is_killed_at_any_step_leaves_what_was_or_what_is(tmp_path: Path) -> None:
    """Every step, one after the other: with the tables' history kept anew, as each morning."""
    home = tmp_path / "before"
    store, files = Store(home / "store.db"), LearnerFiles(home / "bandit")
    send_and_tell(store, range(18))
    with store.reading() as session:
        files.keep_history(session.learning.read_log(since_us=0))
    for day in (4, 5, 6):  # so that an old version is to be cleared away
        take_step(files, store, as_of=START + timedelta(days=day), policy=POLICY)
    send_and_tell(store, range(18, 20))
    store.close()
    before, n_steps, seen = state_of(files), 0, set()
    done = tmp_path / "done"
    shutil.copytree(home, done)
    with nursery() as process:
        assert learn_in(process, done, day=7, nth=1_000)
        after = state_of(LearnerFiles(done / "bandit"))
        for nth in itertools.count(1):
            copy = tmp_path / str(nth)
            shutil.copytree(home, copy)
            if learn_in(process, copy, day=7, nth=nth):
                break
            killed = LearnerFiles(copy / "bandit")
            found = state_of(killed)
            assert found in (before, after)
            seen.add(found == after)
            assert learn_in(process, copy, day=7, nth=1_000)  # whoever comes next
            assert state_of(killed) == after
            n_steps = nth

    assert before[2] < after[2]  # a day has settled, so that there was something to lose
    assert seen == {False, True}
    assert n_steps >= 15
