"""The watcher is killed, and another one goes on: nothing twice, nothing lost."""

import os
import signal
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from types import FrameType

import pytest
from sqlalchemy import Row, create_engine, text

from serving.autopilot.inbound.message import InboundMessage
from serving.autopilot.watch.prepared import PreparedDetector
from serving.store.store import Store
from tests.serving.autopilot.watch.conftest import DAY, LAG, make_watcher

N_KILLS = 6
TABLES = (
    *("inbound_readings", "bursts", "burst_complaints", "watch_place", "watch_streams"),
    *("flows", "flow_signals", "audit_log"),
)
Look = tuple[datetime, tuple[InboundMessage, ...]]
HOME = f"serving{os.sep}autopilot{os.sep}watch{os.sep}"


def plan() -> list[Look]:
    """Messages of an afternoon, each looked at in a moment, and looks until all is over."""
    looks: list[Look] = [(one.at + LAG, (one,)) for one in DAY[4:13]]
    last = looks[-1][0]
    return [*looks, *((last + timedelta(minutes=20 * n), ()) for n in range(1, 10))]


def run(path: Path, prepared: PreparedDetector) -> None:
    """From the last message that arrived on; what is done already is done once."""
    with closing(Store(path)) as store:
        watcher = make_watcher(store, prepared)
        with store.reading() as session:
            n_arrived = session.inbound.last_seq()
        for now, messages in plan()[max(0, n_arrived - 1) :]:
            with store.transaction() as session:
                session.inbound.add(messages, arrived_at=now - LAG)
            watcher.look(now)


def count_lines(path: Path, prepared: PreparedDetector, *, stop_at: int = 0) -> int:
    """Lines of the watcher that ran; the process kills itself before one of them."""
    n_lines = 0

    def trace(frame: FrameType, event: str, _: object) -> Callable[..., object] | None:
        nonlocal n_lines
        if HOME not in frame.f_code.co_filename:
            return None
        if event == "line":
            n_lines += 1
            if n_lines == stop_at:
                os.kill(os.getpid(), signal.SIGKILL)
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        run(path, prepared)
    finally:
        sys.settrace(before)
    return n_lines


def dump(path: Path) -> dict[str, list[Row[*tuple[object, ...]]]]:
    engine = create_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        found = {
            name: list(connection.execute(text(f"SELECT * FROM {name} ORDER BY 1, 2")))
            for name in TABLES
        }
    engine.dispose()
    return found


@pytest.fixture(scope="module")
def whole(assumed: PreparedDetector, tmp_path_factory: pytest.TempPathFactory) -> tuple[int, Path]:
    path = tmp_path_factory.mktemp("whole") / "store.db"
    return count_lines(path, assumed), path


def test_killed_at_any_line_it_ends_as_if_it_had_not_been(
    whole: tuple[int, Path], assumed: PreparedDetector, tmp_path: Path
) -> None:
    n_lines, unharmed = whole
    wanted = dump(unharmed)
    assert {name: len(rows) > 0 for name, rows in wanted.items()} == dict.fromkeys(TABLES, True)
    assert wanted["bursts"][0].end_reason == "silence"
    for n in range(N_KILLS):
        path = tmp_path / f"{n}.db"
        stop_at = 1 + (n_lines - 1) * n // (N_KILLS - 1)
        child = os.fork()
        if child == 0:
            count_lines(path, assumed, stop_at=stop_at)
            os._exit(0)  # it was to be killed
        _, status = os.waitpid(child, 0)
        assert os.WIFSIGNALED(status), stop_at
        run(path, assumed)
        assert dump(path) == wanted, f"killed at line {stop_at} of {n_lines}"
