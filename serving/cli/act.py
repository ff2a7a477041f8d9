"""The command that acts: playbooks and the autopilot, until it is interrupted."""

import logging
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from features.sources import locate
from serving.audit.daily_anchor import DailyAnchor, wire_daily_anchor
from serving.autopilot.acting.settings import load_acting_settings
from serving.autopilot.acting.workflow import make_incident_workflow, wire_pilot
from serving.autopilot.watch.watcher import Watcher
from serving.autopilot.watch.wiring import wire_watcher
from serving.cli.output import JsonOption, say, show_json
from serving.cli.zones import read_zone
from serving.corridor.settings import BrokenCorridor
from serving.decide import Engine
from serving.playbooks.workflow import make_case_workflow
from serving.runtime import EngineParts, Runtime, wire_parts
from serving.settings import Settings, read_settings
from serving.store.acting_lock import ActingLock, hold_acting_lock
from serving.workflows.catalogue import Catalogue
from serving.workflows.dbos_driver import DbosDriver
from serving.workflows.desk_file import DeskFile
from serving.workflows.parts import ActingParts
from serving.workflows.switches import SwitchWatch
from serving.workflows.telling import locate_fault

_log = logging.getLogger("opportune.act")
_PAUSE_AFTER_FAULT_SECONDS = 5.0


def act(
    every: Annotated[
        float, typer.Option(min=0.05, max=60, help="Seconds from one look to the next.")
    ] = 0.25,
    once: Annotated[
        bool, typer.Option("--once", help="Do what can be done now, then end.")
    ] = False,
    data: Annotated[
        str | None,
        typer.Option("--data", help="Tables with `vendors`, and customers not posted to /events."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Run playbooks and the autopilot: what was asked for, what is due, what comes in."""
    settings = read_settings()
    settings.home.mkdir(parents=True, exist_ok=True)  # STOP files are looked for in it
    stop = _stop_on_signals()
    with hold_acting_lock(settings.store_place) as lock, _open(settings, data) as acting:
        if not as_json:
            say(f"acting on {', '.join(acting.driver.catalogue.kinds)}; {acting.words}")
            corridor = acting.driver.parts.desk().corridor
            if isinstance(corridor, BrokenCorridor):
                say(f"nothing is allowed until it is mended: {corridor.why}")
        if once:
            acting.look_until_quiet()
        else:
            acting.look_until(stop, lock, every=every)
    n = acting.driver.n_woken  # those, too, that came to their end while it was closed
    if as_json:
        show_json({"wake_ups": n})
    else:
        say(f"{n:,} wake-ups")


@dataclass
class _Acting:
    """All that one process looks at."""

    driver: DbosDriver
    watcher: Watcher
    switches: SwitchWatch
    anchor: DailyAnchor | None
    words: str
    _fault: str = field(default="")
    _news: threading.Event = field(default_factory=threading.Event)

    def look_until(self, stop: threading.Event, lock: ActingLock, *, every: float) -> None:
        """Look again and again until told to stop."""
        threads = [
            threading.Thread(target=self._read_inbound, args=(stop, every), name="inbound"),
            threading.Thread(target=self._keep_anchors, args=(stop,), name="anchors"),
        ]
        for thread in threads:
            thread.start()
        try:
            while not stop.is_set():
                lock.require()
                self._news.clear()
                self._look()
                self._rest(stop, _PAUSE_AFTER_FAULT_SECONDS if self._fault else every)
        finally:
            stop.set()
            for thread in threads:
                thread.join()

    def _rest(self, stop: threading.Event, seconds: float) -> None:
        """Wait as long, or until there is news, or nearly until told to stop."""
        ends_at = time.monotonic() + seconds
        while not stop.is_set() and (left := ends_at - time.monotonic()) > 0:
            if self._news.wait(min(left, 0.5)):
                return

    def look_until_quiet(self) -> None:
        """Look until nothing can go on now."""
        now = self.driver.parts.clock
        pause = threading.Event()
        while (read := self.watcher.look(now())) or self.watcher.n_waiting:
            _log.info("%d messages read", read)
            pause.wait(0 if read else 0.1)
        self.switches.look(now())
        n_quiet = 0
        while n_quiet < 2:  # one that ends between a look and its count may have woken another
            woken = self.driver.look()
            n_quiet = 0 if woken or self.driver.n_awake else n_quiet + 1
            pause.wait(0.02)
        self._sign()

    def _look(self) -> None:
        """One look; a fault is logged once, and tried again."""
        try:
            self.switches.look(self.driver.parts.clock())
            self.driver.look()
        except Exception as fault:  # noqa: BLE001  # the store may be back in a moment
            self._note(fault)
            return
        self._fault = ""

    def _note(self, fault: Exception) -> None:
        if type(fault).__name__ != self._fault:
            _log.error("cannot look, and try again: %s", locate_fault(fault))
        self._fault = type(fault).__name__

    def _read_inbound(self, stop: threading.Event, every: float) -> None:
        """Messages have a thread of their own: sorting one may wait for a model."""
        is_faulty = False
        while not stop.is_set():
            try:
                n = self.watcher.look(self.driver.parts.clock())
                is_faulty = False
            except Exception as fault:  # noqa: BLE001  # as above
                if not is_faulty:
                    _log.error("cannot read messages, and try again: %s", locate_fault(fault))
                is_faulty, n = True, 0
            if n:
                self._news.set()  # an incident may have begun: nobody waits for the next look
            stop.wait(_PAUSE_AFTER_FAULT_SECONDS if is_faulty else 0 if n else every)

    def _keep_anchors(self, stop: threading.Event) -> None:
        """Anchors have a thread of their own: a folder elsewhere may be long in answering."""
        is_faulty = False
        while not stop.is_set():
            try:
                self._sign()
                is_faulty = False
            except Exception as fault:  # noqa: BLE001  # as above
                if not is_faulty:
                    _log.error("cannot sign the log, and try again: %s", locate_fault(fault))
                is_faulty = True
            stop.wait(_PAUSE_AFTER_FAULT_SECONDS)

    def _sign(self) -> None:
        """Make the anchor of the day, where anchors are made and it is not there."""
        made = None if self.anchor is None else self.anchor.look(self.driver.parts.clock())
        if made is not None:
            _log.log(logging.INFO if made.is_kept else logging.ERROR, "%s", made.words)


@contextmanager
def _open(settings: Settings, data: str | None) -> Iterator[_Acting]:
    place = None if data is None else locate(data)
    with ExitStack() as stack:
        parts = wire_parts(settings, clock=_read_clock)
        stack.enter_context(closing(parts.store))
        acting = ActingParts(
            parts.store,
            DeskFile(settings.corridor, settings.home),
            _EngineSource(settings, parts),
            _read_clock,
            language=load_acting_settings(settings.autopilot).language,
            zone=read_zone(settings.zone, given="OPPORTUNE_ZONE").key,
            console_address=settings.console_address,
        )
        anchor = wire_daily_anchor(
            parts.store, key=settings.anchor_key, folder=settings.anchor_folder
        )
        wired = wire_watcher(settings, store=parts.store, data=place)
        stack.callback(wired.watcher.close)
        pilot = wire_pilot(settings, taxonomy=wired.watcher.taxonomy, data=place)
        catalogue = Catalogue(
            [
                make_incident_workflow(acting, pilot=pilot),
                make_case_workflow(acting, opener=parts.opener),
            ]
        )
        driver = stack.enter_context(DbosDriver(catalogue, acting, _find_database(settings)))
        switches = SwitchWatch(parts.store, settings.home)
        yield _Acting(driver, wired.watcher, switches, anchor, wired.words)


@dataclass
class _EngineSource:
    """The engine for what is current; made when it is first asked for.

    There may be nothing published yet: what does not need an engine goes on without. It shares the
    store that is open: it may be asked for in a transaction, in which another could not be opened.
    """

    settings: Settings
    parts: EngineParts
    _runtime: Runtime | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self) -> Engine:
        """The engine; NotReadyError where nothing is published."""
        with self._lock:
            if self._runtime is None:
                self._runtime = Runtime(self.settings, clock=_read_clock, parts=self.parts)
            return self._runtime.engine()


def _find_database(settings: Settings) -> Path | str:
    """Beside the store: a file of its own in SQLite, a schema of its own in PostgreSQL."""
    place = settings.store_place
    if isinstance(place, str) and not place.startswith("sqlite"):
        return place
    return settings.home / "workflows.db"


def _read_clock() -> datetime:
    return datetime.now(UTC)


def _stop_on_signals() -> threading.Event:
    """An event that an interrupt or a polite kill sets: what runs comes to its next sleep."""
    stop = threading.Event()

    def _note(_: int, __: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _note)
    return stop
