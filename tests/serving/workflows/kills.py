"""Kills a process that acts at every point between two writes, and lets it go on.

A zygote, which has everything imported, forks a child for each life. A child opens the store, runs
the real driver on a clock that jumps to whatever comes next, and ends itself with SIGKILL at the
first point at which no child before it did. So every point is died at once, also those that only
come after a crash, until a child lives to the end.

A scene is a module with a function `open_scene(folder, clock) -> Scene`; it is named when a test
calls `Zygote.run_killed(...)`.
"""

import importlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

from serving.audit.entries import Entry
from serving.corridor.held import Held
from serving.store.flows import FlowRow, FlowState
from serving.store.notices import Notice
from serving.store.store import Store, StoreSession
from serving.workflows.catalogue import Catalogue
from serving.workflows.parts import ActingParts
from serving.workflows.virtual import VirtualClock, VirtualDriver

CLOCK = "clock"  # file that holds the moment
POINTS = "points"  # file of points that were died at
NOT_KEPT = ": written, not kept"
_MOST_LIVES = 2_000
_MOST_SECONDS = 60.0


@dataclass(frozen=True)
class Scene:
    """What is run, and what happens meanwhile.

    Attributes:
        catalogue: Workflows.
        parts: What they act with, their store among them.
        start: The first moment.
        begin: Asks for the workflows.
        script: What else happens, by its time after the start; each in a transaction, once.
        until: How long everything may take at most.
    """

    catalogue: Catalogue
    parts: ActingParts
    start: datetime
    begin: Callable[[StoreSession, datetime], None]
    script: Mapping[timedelta, Callable[[StoreSession, datetime], None]]
    until: timedelta = timedelta(days=90)


@dataclass
class FileClock:
    """A clock whose moment is in a file, so that the next life goes on from there."""

    path: Path

    def __call__(self) -> datetime:
        return datetime.fromisoformat(self.path.read_text(encoding="utf-8"))

    def set(self, moment: datetime) -> None:
        fresh = self.path.with_suffix(".fresh")
        fresh.write_text(moment.isoformat(), encoding="utf-8")
        fresh.replace(self.path)


OpenScene = Callable[[Path, Callable[[], datetime]], Scene]


class KillPoints:
    """Ends the process at the first point that nobody died at before.

    A kill just before a commit leaves the very rows that the commit before it left: the
    suite does not die there once more, unless `KILL_POINTS=all` says so.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._dies_in_transactions = os.environ.get("KILL_POINTS") == "all"
        self._known = set(path.read_text(encoding="utf-8").splitlines()) if path.exists() else set()

    def __call__(self, point: str) -> None:
        if point.endswith(NOT_KEPT) and not self._dies_in_transactions:
            return
        if point not in self._known:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(f"{point}\n")
            os.kill(os.getpid(), signal.SIGKILL)


# ------------------------------------------------------------ in the child


def live(open_scene: OpenScene, folder: Path, *, is_killed: bool) -> None:
    """One life: until killed, or until everything has ended."""
    from serving.workflows.dbos_driver import DbosDriver
    from serving.workflows.journal import pass_by

    clock = FileClock(folder / CLOCK)
    scene = open_scene(folder, clock)
    if not clock.path.exists():
        clock.set(scene.start)
        with scene.parts.store.transaction() as session:
            scene.begin(session, scene.start)
    reach = KillPoints(folder / POINTS) if is_killed else pass_by
    driver = DbosDriver(scene.catalogue, scene.parts, folder / "workflows.db", reach=reach)
    driver.__enter__()  # never left: the process ends as it is
    ends_at = time.monotonic() + _MOST_SECONDS
    while True:
        _play(scene, clock())
        while driver.look() or driver.n_awake or _has_wakings():
            time.sleep(0.001)
            assert time.monotonic() < ends_at, "it hangs"
        moment = _find_next(scene, clock())
        if moment is None:
            break
        assert moment < scene.start + scene.until, "it does not end"
        clock.set(max(moment, clock()))


def _has_wakings() -> bool:
    """Whether a wake-up is to go on that a kill cut off: in no moment but the one it began in."""
    from dbos import DBOS

    alive = ["PENDING", "ENQUEUED"]
    return bool(DBOS.list_workflows(status=alive, load_input=False, load_output=False))


def _play(scene: Scene, now: datetime) -> None:
    """What the script has until now, once: its marks are kept with what it does."""
    for after, act in sorted(scene.script.items(), key=lambda item: item[0]):
        at = scene.start + after
        if at > now:
            return
        with scene.parts.store.transaction() as session:
            if session.flows.signal("script", topic="script", at=at, key=str(after)):
                act(session, now)


def _find_next(scene: Scene, now: datetime) -> datetime | None:
    """What comes next; None where everything has ended."""
    with scene.parts.store.reading() as session:
        due = session.flows.find_next_due(now)
        running = session.flows.list(state=FlowState.RUNNING)
    coming = [scene.start + after for after in scene.script if scene.start + after > now]
    if not running and not coming:
        return None
    return min(moment for moment in (due, *coming) if moment is not None)


# ------------------------------------------------------------ the zygote


def serve_lives() -> None:
    """Fork a child for each line: a scene, a folder, and whether it is killed."""
    from dbos._queue import Queue

    import serving.workflows.dbos_driver  # noqa: F401  # imported once, for all children
    from serving.store import store

    # What was under way is picked up by a queue that looks once a second: tests do not wait.
    Queue.__init__.__kwdefaults__["polling_interval_sec"] = 0.01
    # The store is of this version: to look for missing columns is a fifth of a short life.
    store.add_missing_columns = lambda *_: None
    warmed: dict[str, OpenScene] = {}
    for line in sys.stdin:
        name, folder, is_killed = json.loads(line)
        if name not in warmed:
            warmed[name] = importlib.import_module(name).open_scene
            _warm_up(warmed[name])
        open_scene = warmed[name]
        child = os.fork()
        if child == 0:
            status = 1
            try:
                live(open_scene, Path(folder), is_killed=is_killed)
                status = 0
            finally:
                sys.stderr.flush()
                os._exit(status)
        _, status = os.waitpid(child, 0)
        sys.stdout.write(json.dumps(os.waitstatus_to_exitcode(status)) + "\n")
        sys.stdout.flush()


def _warm_up(open_scene: OpenScene) -> None:
    """Run the scene once without threads, so that children find compiled what they use."""
    clock = VirtualClock(datetime(2000, 1, 1, tzinfo=UTC))
    with tempfile.TemporaryDirectory() as folder:
        scene = open_scene(Path(folder), clock)
        clock.now = scene.start
        driver = VirtualDriver(scene.catalogue, scene.parts, clock=clock, keeps=False)
        with scene.parts.store.transaction() as session:
            scene.begin(session, scene.start)
        for after in sorted(scene.script):
            driver.run_until(scene.start + after)
            _play(scene, clock())
        driver.run_to_end(until=scene.start + scene.until)
        scene.parts.store.close()


class Zygote:
    """A process that forks lives; a context."""

    def __enter__(self) -> Self:
        root = Path(__file__).parents[3]
        self._process = subprocess.Popen(
            [sys.executable, "-c", f"from {__name__} import serve_lives; serve_lives()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=root,
            env={**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"},
            text=True,
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(timeout=30)
        self._process.stdout.close()

    def run_whole(self, scene: str, folder: Path) -> None:
        """Run a scene without a crash."""
        assert self.live(scene, folder, is_killed=False)

    def run_killed(self, scene: str, folder: Path) -> list[str]:
        """Run a scene with a SIGKILL at every point; the points, in the order of the deaths."""
        for _ in range(_MOST_LIVES):
            if self.live(scene, folder, is_killed=True):
                return (folder / POINTS).read_text(encoding="utf-8").splitlines()
        raise AssertionError("it does not come to an end")

    def live(self, scene: str, folder: Path, *, is_killed: bool) -> bool:
        """One life of a scene; whether it came to the end of everything."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([scene, str(folder), is_killed]) + "\n")
        self._process.stdin.flush()
        status: int = json.loads(self._process.stdout.readline())
        assert status in (0, -signal.SIGKILL), f"a child ended by {status}, not by its kill"
        return status == 0


# ------------------------------------------------------------ what it came to


@dataclass(frozen=True)
class End:
    """All that a run left in the store, moments included."""

    flows: tuple[FlowRow, ...]
    actions: tuple[Held, ...]
    log: tuple[Entry, ...]
    notices: tuple[Notice, ...]
    ledger_faults: tuple[str, ...]


def read_end(folder: Path) -> End:
    """What a run left; how often it slept depends on crashes, and is left out."""
    store = Store(folder / "store.db")
    with store.reading() as session:
        flows = session.flows.list()
        ids = [flow.workflow_id for flow in flows]
        end = End(
            tuple(replace(flow, turn=0) for flow in flows),
            tuple(held for i in ids for held in session.holds.find_of(i)),
            tuple(session.audit.read()),
            tuple(notice for i in ids for notice in session.notices.find_of(i)),
            tuple(session.holds.find_faults()),
        )
    store.close()
    return end
