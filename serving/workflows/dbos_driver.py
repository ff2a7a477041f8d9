"""Runs workflows in a process that may be killed: the one door of DBOS.

Every wake-up of a workflow is a workflow of DBOS, which keeps what is under way in a database of
its own, and starts it again after a crash. What sleeps is a row of the store, and neither a task
nor a thread. What was done is in the journal, in the store: should DBOS's database be lost, nothing
else is.
"""

import logging
import sqlite3
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from dbos import DBOS, DBOSConfig, SetWorkflowID

from serving.store.flows import FlowRow
from serving.workflows.catalogue import Catalogue
from serving.workflows.journal import Reach, pass_by
from serving.workflows.parts import ActingParts
from serving.workflows.runner import FlowRunner
from serving.workflows.telling import locate_fault

_NAME = "opportune"
_VERSION = "1"  # of the journal: what runs goes on after a deploy, as long as this stays
_EXECUTOR = "act"  # one process acts, so that it finds again what it had begun
_MOST_AT_ONCE = 64
_FORGET_AT = 500
_REVIVE_AFTER = 20  # looks, at four a second
_ALIVE = frozenset({"PENDING", "ENQUEUED", "DELAYED"})
_log = logging.getLogger("opportune.act")


@dataclass
class DbosDriver:
    """Runs what was asked for, told something or is due; a context, one in a process.

    Attributes:
        catalogue: Which workflows there are.
        parts: What they act with.
        database: Of DBOS: a file of SQLite, made where there is none, or the URL of PostgreSQL.
        reach: Told of every point between two writes.
        n_threads: Wake-ups that run at once.
        n_woken: Wake-ups that are over.
    """

    catalogue: Catalogue
    parts: ActingParts
    database: Path | str
    reach: Reach = pass_by
    n_threads: int = 4
    n_woken: int = field(default=0, init=False)
    _awake: set[str] = field(default_factory=set)
    _handed: dict[str, str] = field(default_factory=dict)
    _idle: dict[str, int] = field(default_factory=dict)
    _over: deque[str] = field(default_factory=deque)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __enter__(self) -> Self:
        """Start DBOS; what it had begun before a crash goes on."""
        runner = FlowRunner(self.catalogue, self.parts, reach=self.reach)

        def wake(workflow_id: str, turn: int) -> None:
            with self._lock:
                if workflow_id in self._awake:  # recovered twice, or started by an old look
                    return
                self._awake.add(workflow_id)
            try:
                self.reach(f"{workflow_id}@{turn}: begins")
                runner.advance(workflow_id)
                self.reach(f"{workflow_id}@{turn}: over")
            except Exception as fault:  # noqa: BLE001  # it is tried again, the others go on
                # No trace: what others' exceptions say may hold secrets.
                where = locate_fault(fault)
                _log.error("%s cannot go on: %s", workflow_id, where)
                runner.postpone(workflow_id, fault)
            finally:
                with self._lock:
                    self.n_woken += 1
                    self._awake.discard(workflow_id)
                    self._handed.pop(workflow_id, None)
                    self._over.append(_name(workflow_id, turn))

        DBOS(config=self._configure())
        self._wake = DBOS.workflow(name="wake", max_recovery_attempts=None)(wake)
        DBOS.launch()
        self._forget_earlier()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Let what runs come to its next sleep, and end."""
        DBOS.destroy(destroy_registry=True, workflow_completion_timeout_sec=30)

    def look(self) -> int:
        """Wake every workflow that can go on; how many can, those handed over before among them."""
        now, kinds = self.parts.clock(), self.catalogue.kinds
        with self.parts.store.reading() as session:
            found = [
                *session.flows.find_asked(kinds, most=_MOST_AT_ONCE),
                *session.flows.find_told(),
                *session.flows.find_due(kinds, now=now, most=_MOST_AT_ONCE),
            ]
        flows = {flow.workflow_id: flow for flow in found}
        ready = [flow for flow in flows.values() if self._is_ready(flow)]
        for flow in ready:
            self._hand_over(flow)
        self._revive(ready)
        self._forget()
        return len(ready)

    @property
    def n_awake(self) -> int:
        """Workflows that run at this moment."""
        with self._lock:
            return len(self._awake)

    def _is_ready(self, flow: FlowRow) -> bool:
        with self._lock:
            return (
                flow.workflow_id not in self._awake and self.catalogue.find(flow.kind) is not None
            )

    def _hand_over(self, flow: FlowRow) -> None:
        """Hand a wake-up to DBOS; where it knows it already, nothing happens."""
        name = _name(flow.workflow_id, flow.turn)
        with self._lock:
            if self._handed.get(flow.workflow_id) == name:
                return
            self._handed[flow.workflow_id] = name
        with SetWorkflowID(name):
            DBOS.start_workflow(self._wake, flow.workflow_id, flow.turn)

    def _revive(self, ready: Sequence[FlowRow]) -> None:
        """Start again what could go on for many looks, and did not.

        The store could not even be told that it failed, or is older than DBOS's database, as after
        a restore.
        """
        names = {_name(flow.workflow_id, flow.turn): flow.workflow_id for flow in ready}
        self._idle = {name: self._idle.get(name, 0) + 1 for name in names}
        for name, n_looks in self._idle.items():
            if n_looks % _REVIVE_AFTER == 0:
                status = DBOS.get_workflow_status(name)
                if status is not None and status.status not in _ALIVE:
                    DBOS.delete_workflows([name])
                    with self._lock:
                        self._handed.pop(names[name], None)

    def _forget(self) -> None:
        """Remove from DBOS's database what is over: the journal and the log tell of it."""
        with self._lock:
            if len(self._over) < 2 * _FORGET_AT:  # the latest may still be written
                return
            over = [self._over.popleft() for _ in range(_FORGET_AT)]
        DBOS.delete_workflows(over)

    def _forget_earlier(self) -> None:
        """As above, of earlier processes."""
        while over := DBOS.list_workflows(
            status=["SUCCESS", "ERROR"], limit=_FORGET_AT, load_input=False, load_output=False
        ):
            DBOS.delete_workflows([one.workflow_id for one in over])

    def _configure(self) -> DBOSConfig:
        url = self.database
        if isinstance(url, Path):
            _switch_to_wal(url)
            url = f"sqlite:///{url}"
        return DBOSConfig(
            name=_NAME,
            system_database_url=url,
            application_version=_VERSION,
            executor_id=_EXECUTOR,
            log_level="ERROR",
            enable_otlp=False,
            max_executor_threads=self.n_threads,
        )


def _name(workflow_id: str, turn: int) -> str:
    return f"{workflow_id}@{turn}"


def _switch_to_wal(path: Path) -> None:
    """The file's journal, for good: commits then wait for one write instead of three."""
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
    finally:
        connection.close()
