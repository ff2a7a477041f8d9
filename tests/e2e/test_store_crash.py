"""What was acknowledged survives `kill -9` of the process that wrote it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from serving.store.store import Store

pytestmark = pytest.mark.e2e

WRITER = """
import sys
from datetime import UTC, datetime
from pathlib import Path

from features.vocabulary import Arm, Priority, Trigger
from serving.records import Decision, DecisionRequest, ModelVersions, Reason
from serving.store.store import Store

store = Store(Path(sys.argv[1]))
for n in range(1_000_000):
    record = Decision(
        decision_id=f"d{n}", customer_id="c", trigger=Trigger.INACTIVITY,
        decided_at=datetime(2026, 1, 1, tzinfo=UTC), arm=Arm.RULES, send=False,
        reason=Reason.NO_CONSENT, propensity=1.0, priority=Priority.LOW, cold_start=True,
        models=ModelVersions(), policy_version="p", feature_hash="f", features_as_of=None,
    )
    with store.transaction() as session:
        session.add_decisions(
            [record], [DecisionRequest(customer_id="c", trigger=Trigger.INACTIVITY)]
        )
    print(record.decision_id, flush=True)
"""


def test_store_keeps_what_it_acknowledged_before_a_kill(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout is not None
        acknowledged = [writer.stdout.readline().strip() for _ in range(300)]
        os.kill(writer.pid, signal.SIGKILL)
        acknowledged += [line.strip() for line in writer.stdout if line.endswith("\n")]

    store = Store(path)
    lost = [decision_id for decision_id in acknowledged if store.read_decision(decision_id) is None]
    store.close()

    assert len(acknowledged) >= 300
    assert lost == []
