"""Runs workflows on a clock of its own: months in seconds, the same every time."""

from dataclasses import dataclass
from datetime import datetime

from features.errors import ConflictError
from serving.store.flows import FlowRow, FlowState
from serving.workflows.catalogue import Catalogue
from serving.workflows.journal import Reach, pass_by
from serving.workflows.parts import ActingParts
from serving.workflows.runner import FlowRunner

_MOST = 10_000  # at once; the rest follows in the next round


@dataclass
class VirtualClock:
    """A clock that stands still until it is set; call it for the time."""

    now: datetime

    def __call__(self) -> datetime:
        """What time it is."""
        return self.now


class VirtualDriver:
    """Runs the workflows of a store in the order of their moments.

    For tests and rehearsals: the same interpreter, store and journal as in `opportune act`.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        parts: ActingParts,
        *,
        clock: VirtualClock,
        keeps: bool = True,
        reach: Reach = pass_by,
    ) -> None:
        """Run what was asked for.

        Args:
            catalogue: Which workflows there are.
            parts: What they act with; `parts.clock` must be `clock`, or read it.
            clock: Set by this driver.
            keeps: Whether sleeping workflows stay in memory; else each wake-up starts anew from
                the journal, as after a crash.
            reach: Told of every point between two writes.
        """
        self._store = parts.store
        self._clock = clock
        self._kinds = catalogue.kinds
        self._runner = FlowRunner(catalogue, parts, reach=reach, keeps=keeps)

    @property
    def now(self) -> datetime:
        """What time it is."""
        return self._clock.now

    def run_now(self) -> int:
        """Let everything go on that can at this moment; how many wake-ups that took."""
        n = 0
        while ready := self._find_ready():
            for flow in ready:
                self._runner.advance(flow.workflow_id)
            n += len(ready)
        return n

    def run_until(self, moment: datetime) -> int:
        """Live until a moment, whatever comes due on the way; how many wake-ups that took."""
        n = self.run_now()
        while (due_at := self._find_next()) is not None and due_at <= moment:
            self._clock.now = max(self._clock.now, due_at)
            n += self.run_now()
        self._clock.now = max(self._clock.now, moment)
        return n + self.run_now()

    def run_to_end(self, *, until: datetime) -> int:
        """Live until everything has ended; how many wake-ups that took.

        Raises:
            ConflictError: Something has not ended by that moment.
        """
        n = self.run_now()
        while (due_at := self._find_next()) is not None and due_at <= until:
            self._clock.now = max(self._clock.now, due_at)
            n += self.run_now()
        waiting = self._list(FlowState.RUNNING)
        if waiting:
            names = ", ".join(f"{flow.workflow_id} (step {flow.step})" for flow in waiting[:5])
            raise ConflictError(f"not ended by {until}: {names}")
        return n

    def _find_ready(self) -> list[FlowRow]:
        """What was asked for, told something that it waits for, or is due."""
        with self._store.reading() as session:
            found = [
                *session.flows.find_asked(self._kinds, most=_MOST),
                *(flow for flow in session.flows.find_told() if flow.kind in self._kinds),
                *session.flows.find_due(self._kinds, now=self._clock.now, most=_MOST),
            ]
        return list({flow.workflow_id: flow for flow in found}.values())

    def _find_next(self) -> datetime | None:
        with self._store.reading() as session:
            return session.flows.find_next_due(self._clock.now)

    def _list(self, state: FlowState) -> list[FlowRow]:
        with self._store.reading() as session:
            return session.flows.list(state=state)
