"""Notices that a kill switch was lifted, and wakes what waits for that."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from serving.corridor.stop_files import STOP
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
        before, self._thrown = self._thrown, thrown
        # One may have been lifted before the first look: then whatever waits asks once more.
        if (before is None and thrown) or (before is not None and not before - thrown):
            return 0
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
        names = (path.name for path in self.home.iterdir())
        files = {f"file {name}" for name in names if name.upper().startswith(STOP)}
        return frozenset(rows | files)
