"""Processes of several threads decide at once on one store: no cap and no budget is exceeded."""

import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path

import pandas as pd
import pytest
import yaml

from features.vocabulary import Channel
from serving.policy.settings import load_policy_settings
from serving.snapshot.files import publish_snapshot
from serving.snapshot.state import Snapshot
from serving.store.store import Store
from tests.conftest import AS_OF, NewDatabase

pytestmark = pytest.mark.e2e

N_PROCESSES = 3
SMS_CENTS, CONTACTS = 41.0, 30.0

DECIDER = """
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from itertools import count
from pathlib import Path

import numpy as np

from features.economics import default_economics
from features.vocabulary import Trigger
from serving.copy.library import default_library
from serving.copy.render import CopySettings
from serving.decide import Engine
from serving.policy.settings import load_policy_settings
from serving.records import DecisionRequest
from serving.snapshot.files import load_snapshot
from serving.store.store import Store

where, snapshots, policy, as_of, seed = sys.argv[1:]
ids = count()
engine = Engine(
    snapshot=load_snapshot(Path(snapshots)),
    settings=load_policy_settings(Path(policy)),
    economics=default_economics(),
    library=default_library(),
    copy_settings=CopySettings(),
    store=Store(where if "://" in where else Path(where)),
    clock=lambda: datetime.fromisoformat(as_of),
    new_id=lambda: f"{seed}-{next(ids)}",
)
triggers = [t for t in Trigger if t is not Trigger.SERVICE_DISRUPTION]
print("ready", flush=True)
sys.stdin.readline()

def decide(thread):
    rng = np.random.default_rng([int(seed), thread])
    for _ in range(7):
        engine.decide_many(
            [
                DecisionRequest(
                    customer_id=f"c{rng.integers(40):03d}",
                    trigger=triggers[rng.integers(len(triggers))],
                )
                for _ in range(int(rng.integers(1, 5)))
            ]
        )
        time.sleep(0.05)  # whoever waits polls: let them have their turn

with ThreadPoolExecutor(2) as pool:
    list(pool.map(decide, range(2)))
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return str(tmp_path / "store.db")
    new_database: NewDatabase = request.getfixturevalue("new_postgres_database")
    return new_database()


def write_policy(path: Path) -> Path:
    """The defaults with two budgets, and more chance in what is sent."""
    words = load_policy_settings().model_dump(mode="json")
    words["arms"] = {"learned": 0.2, "random": 0.6, "rules": 0.2, "holdout": 0.0}
    words["budgets"] = [
        {"name": "sms", "unit": "cents", "limit": SMS_CENTS, "per": "week", "channels": ["sms"]},
        {"name": "all", "unit": "contacts", "limit": CONTACTS, "per": "campaign"},
    ]
    path.write_text(yaml.safe_dump(words), encoding="utf-8")
    return path


def read_sent(store: Store) -> pd.DataFrame:
    window = pd.Timedelta(days=30).to_pytimedelta()
    return store.read_messages(since=AS_OF - window, until=AS_OF + window)


def test_processes_together_exceed_no_cap_and_no_budget(
    where: str, cold_snapshot: Snapshot, tmp_path: Path
) -> None:
    policy = write_policy(tmp_path / "policy.yaml")
    publish_snapshot(cold_snapshot, tmp_path / "snapshots")
    arguments = [where, str(tmp_path / "snapshots"), str(policy), AS_OF.isoformat()]
    store = Store(where if "://" in where else Path(where))
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", DECIDER, *arguments, str(seed)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for seed in range(N_PROCESSES)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:  # all at once
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        process.communicate(timeout=240)
        assert process.returncode == 0

    sent = read_sent(store)
    notices = sent.drop_duplicates("decision_id")
    by_process = Counter(notices["decision_id"].str.split("-").str[0])
    assert len(by_process) > 1  # they did work beside each other

    assert len(notices) <= CONTACTS
    assert len(notices) > CONTACTS - 1  # and nothing was left over, so the limit was reached
    sms = sent[sent["channel"] == Channel.SMS.value]
    by_week = sms.groupby(sms["sent_at"].dt.tz_localize(None).dt.to_period("W"))["cost_cents"].sum()
    assert by_week.max() <= SMS_CENTS + 1e-9

    fatigue = load_policy_settings().fatigue
    moments: dict[str, list[pd.Timestamp]] = defaultdict(list)
    for customer_id, at in zip(notices["customer_id"], notices["sent_at"], strict=True):
        moments[customer_id].append(at)
    for listed in moments.values():
        for first in listed:
            in_day = sum(first <= at < first + pd.Timedelta(days=1) for at in listed)
            assert in_day <= fatigue.max_per_day
    with store.transaction() as session:
        assert session.ledger.find_spent(["all/campaign"]) == {
            "all/campaign": len(notices) * 1_000_000
        }
    store.close()
