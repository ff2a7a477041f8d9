"""Lets a workflow go on until it sleeps or ends."""

from collections.abc import Coroutine
from dataclasses import dataclass, field
from datetime import timedelta

from serving.store.flows import FlowRow, FlowState
from serving.workflows.catalogue import Catalogue
from serving.workflows.interpreter import run_workflow
from serving.workflows.journal import JournalDriver, Reach, pass_by
from serving.workflows.parts import ActingParts
from serving.workflows.telling import describe_fault, tell_failure, write_log

_LATER = timedelta(minutes=2)
_OVER = frozenset({FlowState.ENDED, FlowState.FAILED})


@dataclass
class FlowRunner:
    """Runs workflows, each in the thread of its caller.

    Attributes:
        catalogue: Which there are.
        parts: What they act with.
        reach: Told of every point between two writes.
        keeps: Whether sleeping workflows stay in memory; else they start anew from their journal,
            as after a crash, and nothing of a sleeping one is in memory.
    """

    catalogue: Catalogue
    parts: ActingParts
    reach: Reach = pass_by
    keeps: bool = False
    _kept: dict[str, Coroutine[object, None, None]] = field(default_factory=dict)

    def advance(self, workflow_id: str) -> FlowRow | None:
        """Let a workflow go on until it sleeps or ends; where it stands then.

        Of one that is asleep nothing happens unless its moment or a signal has come. None where
        nobody asked for it, or this version knows no such workflow.
        """
        coroutine = self._kept.pop(workflow_id, None) or self._begin(workflow_id)
        if coroutine is not None:
            self._step(workflow_id, coroutine)
        return self._find(workflow_id)

    def postpone(self, workflow_id: str, fault: Exception) -> None:
        """It cannot go on: tell log and owner, once for each kind of fault, and try it later."""
        why = describe_fault(fault)
        with self.parts.store.transaction() as session:
            flow = session.flows.find(workflow_id)
            if flow is None or flow.state is not FlowState.RUNNING:
                return
            now = self.parts.clock()
            is_new = tell_failure(
                session,
                flow,
                workflow_id,
                key=f"{workflow_id}/cannot-go-on/{type(fault).__name__}",
                why=f"it cannot go on, and is tried again: {why}",
                parts=self.parts,
                at=now,
            )
            if is_new:
                write_log(session, flow, f"cannot go on, and is tried again: {why}", at=now)
            session.flows.sleep(workflow_id, turn=flow.turn + 1, until=now + _LATER, topics=())

    def _step(self, workflow_id: str, coroutine: Coroutine[object, None, None]) -> None:
        is_asleep = False
        try:
            coroutine.send(None)
            is_asleep = True
        except StopIteration:
            pass
        finally:
            if is_asleep and self.keeps:
                self._kept[workflow_id] = coroutine
            else:
                coroutine.close()

    def _begin(self, workflow_id: str) -> Coroutine[object, None, None] | None:
        with self.parts.store.reading() as session:
            flow = session.flows.find(workflow_id)
            workflow = None if flow is None else self.catalogue.find(flow.kind)
            if flow is None or workflow is None or flow.state in _OVER:
                return None
            results = session.flows.read_results(workflow_id)
        driver = JournalDriver(
            self.parts.store, flow, results=results, clock=self.parts.clock, reach=self.reach
        )
        return run_workflow(driver, flow, workflow=workflow, parts=self.parts)

    def _find(self, workflow_id: str) -> FlowRow | None:
        with self.parts.store.reading() as session:
            flow = session.flows.find(workflow_id)
        return None if flow is None or self.catalogue.find(flow.kind) is None else flow
