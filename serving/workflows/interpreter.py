"""Takes a workflow from its first step to its end.

steps, each after a look at the exits -> undo what is not to stay -> closing steps -> end
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

from serving.corridor.actions import ActionRequest
from serving.store.flows import FlowRow, FlowState
from serving.store.store import StoreSession
from serving.workflows.catalogue import Workflow
from serving.workflows.driver import Driver
from serving.workflows.parts import ActingParts
from serving.workflows.results import Flag, Kept
from serving.workflows.run import Leave, Run
from serving.workflows.spec import Step, WorkflowSpec
from serving.workflows.steps import StepRun
from serving.workflows.telling import describe_fault, tell_failure, write_log
from serving.workflows.undoing import undo_request

ContextT = TypeVar("ContextT")


@dataclass(frozen=True, slots=True)
class Started:
    """The steps that a workflow was started with, as JSON; or why it could not be."""

    at: datetime
    spec_json: str
    fault: str = ""


_STARTED = Kept(Started)
_FLAG = Kept(Flag)
Settled = tuple[Step, ActionRequest]


async def run_workflow(
    driver: Driver, flow: FlowRow, *, workflow: Workflow[ContextT], parts: ActingParts
) -> None:
    """Run a workflow, from wherever its journal says that it is."""
    started = await driver.once(
        "start",
        lambda s, now: _start(s, flow, workflow=workflow, parts=parts, now=now),
        as_=_STARTED,
    )
    if started.fault:
        return
    spec = WorkflowSpec.model_validate_json(started.spec_json)
    context = workflow.make_context(flow)
    run = Run(driver, flow, workflow, spec, context, parts)
    settled: list[Settled] = []
    leave = await _take_steps(run, spec.steps, started_at=started.at, settled=settled)
    closing = replace(run, is_closing=True)
    await _take_back(closing, settled, is_early=leave is not None)
    closed = await _take_steps(closing, spec.closing, started_at=started.at, settled=settled)
    leave = leave or closed
    await driver.once("end", lambda s, now: _end(run, s, leave=leave, now=now), as_=_FLAG)


def _start(
    session: StoreSession,
    flow: FlowRow,
    *,
    workflow: Workflow[ContextT],
    parts: ActingParts,
    now: datetime,
) -> Started:
    try:
        spec = workflow.require_known(workflow.choose_spec(flow.given_json))
    except Exception as fault:  # noqa: BLE001  # whatever it was: it would be asked for for ever
        why = f"it cannot be started: {describe_fault(fault)}"
        write_log(session, flow, why, at=now)
        key = f"{flow.workflow_id}/unstarted"
        tell_failure(session, flow, flow.workflow_id, key=key, why=why, parts=parts, at=now)
        session.flows.end(flow.workflow_id, state=FlowState.FAILED, why=why, at=now)
        return Started(now, "", why)
    spec_json = spec.model_dump_json()
    session.flows.begin(flow.workflow_id, spec_json=spec_json, at=now)
    words = f"starts {spec.name}, version {spec.version}"
    write_log(session, flow, words, at=now, spec=spec.name, version=spec.version)
    return Started(now, spec_json)


async def _take_steps(
    run: Run[ContextT],
    steps: Sequence[Step],
    *,
    started_at: datetime,
    settled: list[Settled],
) -> Leave | None:
    """Steps in their order; what they did joins `settled`. Leave where they end early."""
    after = started_at
    for step in steps:
        taken = StepRun(run, step, started_at)
        over = await taken.take(after=after)
        settled += [(step, request) for request in taken.report.settled]
        if isinstance(over, Leave):
            return over
        after = over
    return None


async def _take_back(run: Run[ContextT], settled: Sequence[Settled], *, is_early: bool) -> None:
    """Undo what is not to stay, the latest first."""
    for n, (step, request) in enumerate(reversed(settled)):
        if step.undo_at_end or (is_early and step.undo_on_exit):
            await undo_request(run, step, request, key=f"undo/{n}")


def _end(run: Run[ContextT], session: StoreSession, *, leave: Leave | None, now: datetime) -> Flag:
    failed = leave is not None and leave.failed
    state = FlowState.FAILED if failed else FlowState.ENDED
    why = "all steps were taken" if leave is None else leave.why
    write_log(session, run.flow, f"ends ({state}): {why}", at=now, state=state.value)
    if failed:
        tell_failure(
            session,
            run.flow,
            run.flow.workflow_id,
            key=f"{run.flow.workflow_id}/failed",
            why=why,
            parts=run.parts,
            at=now,
        )
    session.flows.end(run.flow.workflow_id, state=state, why=why, at=now)
    return Flag(True)
