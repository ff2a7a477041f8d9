"""`opportune act`: told within a second, killed, started again, and nothing is told twice."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from features.errors import ConflictError
from serving.audit.anchors import make_keys, read_anchors, read_public_key
from serving.audit.chain import verify_chain
from serving.autopilot.inbound.message import InboundMessage
from serving.autopilot.inbound.mood import Severity
from serving.store.acting_lock import hold_acting_lock
from serving.store.bursts import BurstComplaint, NewBurst
from serving.store.flows import FlowRow, FlowState
from serving.store.store import Store

pytestmark = pytest.mark.e2e

WORKFLOW = "incident/i1"
_MOST_SECONDS = 60.0


@contextmanager
def acting(home: Path) -> Iterator[subprocess.Popen[str]]:
    """The command, until the block ends; it must have come to its first look."""
    environment = {
        **os.environ,
        "OPPORTUNE_HOME": str(home),
        "OPPORTUNE_ANCHOR_KEY": str(home / "keys" / "anchor.key"),
        "OPPORTUNE_ANCHOR_FOLDER": str(home / "anchors"),
        "OMP_NUM_THREADS": "1",
    }
    process = subprocess.Popen(
        [Path(sys.executable).with_name("opportune"), "act"],
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        assert process.stderr is not None
        process.stderr.close()


def wait_until(holds: Callable[[], bool], *, seconds: float = _MOST_SECONDS) -> None:
    ends_at = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < ends_at
        time.sleep(0.02)


def open_incident(store: Store) -> None:
    now = datetime.now(UTC)
    minute = timedelta(minutes=1)
    burst = NewBurst(
        incident_id="i1",
        burst_id="Abay 10/heat/1",
        branch="Abay 10",
        topic="heat",
        seen_at=now,
        since=now - 10 * minute,
        n_usual=0.1,
        per_day=0.5,
        score=9.0,
        threshold=3.0,
        alarms_per_week=0.1,
        is_assumed=False,
    )
    complaints = [
        BurstComplaint(f"m{n}", f"c{n}", "ru", Severity.HIGH, now - n * minute) for n in range(5)
    ]
    said = [
        InboundMessage(
            inbound_id=one.inbound_id,
            at=one.at,
            customer_id=one.customer_id,
            source="whatsapp",
            branch="Abay 10",
            text="жарко",
        )
        for one in complaints
    ]
    with store.transaction() as session:
        session.inbound.add(said, arrived_at=now)
        session.bursts.open(burst, complaints)
        session.flows.start(
            WORKFLOW,
            kind="incident",
            subject=WORKFLOW,
            given_json='{"incident_id": "i1"}',
            at=now,
        )


def count_told(store: Store) -> int:
    with store.reading() as session:
        return len([n for n in session.notices.find_of(WORKFLOW) if "tell" in n.key])


def test_a_killed_process_goes_on_where_it_was(tmp_path: Path) -> None:
    store = Store(tmp_path / "store.db")
    _, public = make_keys(tmp_path / "keys")
    (tmp_path / "anchors").mkdir()
    with acting(tmp_path) as first:
        assert first.stderr is not None
        assert "acting on" in first.stderr.readline()
        asked_at = time.monotonic()
        open_incident(store)
        wait_until(lambda: count_told(store) > 0)
        # A second on a quiet machine; this one may be busy with other tests.
        assert time.monotonic() - asked_at < 10
        n_told = count_told(store)

        with (
            pytest.raises(ConflictError, match="another process acts"),
            hold_acting_lock(tmp_path / "store.db"),
        ):
            pass
        first.send_signal(signal.SIGKILL)
        first.wait()

    with acting(tmp_path) as again:
        assert again.stderr is not None
        assert "acting on" in again.stderr.readline()
        # The kill may have come before the first sleep: then it is told while it waits for news.
        wait_until(lambda: "close" in read_flow(store).topics)
        turn = read_flow(store).turn
        with store.transaction() as session:
            session.flows.signal(WORKFLOW, topic="close", at=datetime.now(UTC), key="close")
        wait_until(lambda: read_flow(store).turn > turn)
        again.send_signal(signal.SIGTERM)
        assert again.wait(_MOST_SECONDS) == 0

    assert count_told(store) == n_told
    with store.reading() as session:
        assert verify_chain(session.audit.read()).fault is None
        assert session.holds.find_faults() == []
        begins = [e.words for e in session.audit.read() if e.words.startswith("starts incident")]
        assert len(begins) == 1
    files = list((tmp_path / "anchors").glob("anchor-*.jsonl"))
    assert files  # two where it was midnight meanwhile
    for file in files:
        (anchor,) = read_anchors(file.read_text(), key=read_public_key(public), place=file.name)
        with store.reading() as session:
            assert verify_chain(session.audit.read(), anchors=[anchor]).fault is None
    store.close()


def read_flow(store: Store) -> FlowRow:
    with store.reading() as session:
        flow = session.flows.find(WORKFLOW)
    assert flow is not None
    assert flow.state in (FlowState.RUNNING, FlowState.ENDED)
    return flow
