"""Notices that a kill switch was lifted, and wakes what waits for that."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from serving.corridor.stop_files import list_stop_files
from serving.store.flows import FlowState
from serving.store.store import Store, StoreSession
from serving.workflows.moves import RESUMED


@dataclass
class SwitchWatch:
    """Looks at the switches, rows and files, again and again.

    Attributes:
        store: With the rows, and the workflows.
        home: With the files.
    """

    store: Store
    home: Path
    _thrown: frozenset[str] | None = None

    def look(self, now: datetime) -> int:
        """Wake what waits for a switch if one was lifted since the last look; how many."""
        with self.store.reading() as session:
            thrown = self._find_thrown(session)
        before = self._thrown
        # One may have been lifted before the first look: then whatever waits asks once more.
        is_lifted = not thrown if before is None else bool(before - thrown)
        n_woken = self._wake_waiting(now) if is_lifted else 0
        self._thrown = thrown  # now, so that a fault on the way leaves the lifting to the next look
        return n_woken

    def _wake_waiting(self, now: datetime) -> int:
        with self.store.transaction() as session:
            waiting = [
                flow.workflow_id
                for flow in session.flows.list(state=FlowState.RUNNING, most=1_000_000)
                if RESUMED in flow.topics
            ]
            key = f"{RESUMED}/{now.isoformat()}"
            return sum(session.flows.signal(i, topic=RESUMED, at=now, key=key) for i in waiting)

    def _find_thrown(self, session: StoreSession) -> frozenset[str]:
        rows = {f"row {s.branch}" for s in session.switches.find_all() if s.is_stopped}
        files = {f"file {branch}" for branch, _ in list_stop_files(self.home)}
        return frozenset(rows | files)
