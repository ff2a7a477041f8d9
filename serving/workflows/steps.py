"""One step of a workflow: its moment, its condition, its plan, and what comes of that."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Generic, TypeVar

from serving.corridor.actions import ActionRequest
from serving.moments import show_moment
from serving.store.store import StoreSession
from serving.workflows.actions import How, Later, Plan, Planned, Skip, Turn, Written
from serving.workflows.group import Group
from serving.workflows.moves import Moves, require_own
from serving.workflows.results import Kept, Raised
from serving.workflows.run import Leave, Run
from serving.workflows.spec import After, OnFailed, Step
from serving.workflows.telling import tell_failure, write_log

ContextT = TypeVar("ContextT")

_PLANNED: Kept[Planned] = Kept[Planned](Plan, Skip, Written, Later)


@dataclass(frozen=True, slots=True)
class Begun:
    """When a step began, and why it is skipped, if it is."""

    at: datetime
    skipped: str = ""


@dataclass(frozen=True, slots=True)
class Finished:
    """When a step was over."""

    at: datetime


_MOST_ATTEMPTS = 200  # of a plan that wants to be made again and again
_FAILURES = frozenset({How.FAILED, How.GIVEN_UP})
_BEGUN = Kept(Begun)
_FINISHED = Kept(Finished)


@dataclass
class Report:
    """What came of a step.

    Attributes:
        settled: Requests that were done, in order.
        faults: Why others were not; of the last planning.
        n_done: Requests that were done in the last planning.
    """

    settled: list[ActionRequest] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    n_done: int = 0

    @property
    def has_failed(self) -> bool:
        """Whether something failed and nothing was done."""
        return bool(self.faults) and not self.n_done


@dataclass
class StepRun(Generic[ContextT]):
    """Takes a step.

    Attributes:
        started_at: When the workflow started.
        report: What came of it.
    """

    run: Run[ContextT]
    step: Step
    started_at: datetime
    report: Report = field(default_factory=Report)

    async def take(self, *, after: datetime) -> datetime | Leave:
        """Wait for the step's moment, and do it as often as it is to be done.

        Args:
            after: When the step before was over.

        Returns:
            When it was over; Leave where the workflow ends.
        """
        step = self.step
        base = self.started_at if step.after is After.START else after
        begins_at = base + timedelta(minutes=step.after_minutes)
        times = 1 if step.repeat is None else step.repeat.times
        for n in range(times):
            done = await self._do(n, begins_at=begins_at, after=after)
            if isinstance(done, Leave):
                return done
            after = done
            if step.repeat is not None:
                begins_at = done + timedelta(minutes=step.repeat.every_minutes)
        return after

    async def _do(self, n: int, *, begins_at: datetime, after: datetime) -> datetime | Leave:
        key = f"{self.step.name}/{n}"
        if begins_at > after:
            leave = await self._wait(key, begins_at=begins_at, after=after)
            if leave is not None:
                return leave
        leave = await self.run.look(f"{key}/exits")
        if leave is not None:
            return leave
        begun = await self._begin(key)
        if isinstance(begun, Leave):
            return begun
        if begun.skipped:
            return begun.at
        self.report.faults, self.report.n_done = [], 0
        leave = await self._plan_and_act(key, n=n, begun=begun)
        if leave is not None:
            return leave
        return await self._finish(key)

    async def _wait(self, key: str, *, begins_at: datetime, after: datetime) -> Leave | None:
        def log(session: StoreSession, now: datetime) -> Finished:
            begins = show_moment(begins_at, zone=self.run.parts.zone)
            words = f"waits until {begins}, then step {self.step.name}"
            write_log(session, self.run.flow, words, at=now, step=self.step.name)
            return Finished(now)

        await self.run.driver.once(f"{key}/waits", log, as_=_FINISHED)
        slept = await self.run.sleep(f"{key}/until", until=begins_at, since=after)
        return slept if isinstance(slept, Leave) else None

    async def _begin(self, key: str) -> Begun | Leave:
        run, step = self.run, self.step

        def begin(session: StoreSession, now: datetime) -> Begun:
            session.flows.set_step(run.flow.workflow_id, step.name)
            if step.when and not run.workflow.conditions[step.when](session, run.context, now):
                words = f"step {step.name} is skipped: not {step.when}"
                write_log(session, run.flow, words, at=now, step=step.name)
                return Begun(now, words)
            write_log(session, run.flow, f"step {step.name} begins", at=now, step=step.name)
            return Begun(now)

        # From now on, as nothing was kept that says when it should have begun at the latest.
        asked = await run.driver.once(f"{key}/asked", lambda _, now: Finished(now), as_=_FINISHED)
        until = asked.at + timedelta(minutes=step.deadline_minutes)
        begun = await run.persist(f"{key}/begin", begin, as_=_BEGUN, until=until)
        if not isinstance(begun, Raised):
            return begun
        await self._tell(f"{key}/unbegun", f"its condition could not be told: {begun.why}")
        if step.on_failed is OnFailed.END:
            return Leave(f"step {step.name} failed", failed=True)
        return Begun(begun.at, skipped=begun.why)

    async def _plan_and_act(self, key: str, *, n: int, begun: Begun) -> Leave | None:
        """Plan, act, and plan once more as long as the action asks for it, until the deadline."""
        deadline = begun.at + timedelta(minutes=self.step.deadline_minutes)
        attempt = 0
        for m in count():
            turn = Turn(self.run.flow.workflow_id, self.step.name, n, attempt)
            planned = await self._plan(f"{key}/plan/{m}", turn, deadline=deadline)
            match planned:
                case Leave():
                    return planned
                case Raised(why=why):
                    self.report.faults.append(why)
                    await self._tell(f"{key}/unplanned", f"it could not be planned: {why}")
                    return None
                case Skip() | Written():
                    return None
                case Later():
                    next_ = await self._put_off(f"{key}/later/{m}", planned, deadline=deadline)
                case Plan():
                    next_ = await self._act(f"{key}/act/{m}", planned, turn, deadline=deadline)
                    attempt += 1
            if isinstance(next_, Leave):
                return next_
            if not next_:
                return None
        raise AssertionError  # pragma: no cover  # the loop has no other end

    async def _plan(self, key: str, turn: Turn, *, deadline: datetime) -> Planned | Raised | Leave:
        run, action = self.run, self.run.workflow.actions[self.step.do]

        def plan(session: StoreSession, now: datetime) -> Planned:
            planned = action.plan(session, context=run.context, turn=turn, now=now)
            if isinstance(planned, Plan):
                require_own(planned.requests, turn)
            words = f"step {self.step.name}: {_say(planned, zone=self.run.parts.zone)}"
            write_log(session, run.flow, words, at=now, step=self.step.name)
            return planned

        return await run.persist(key, plan, as_=_PLANNED, until=deadline)

    async def _put_off(self, key: str, later: Later, *, deadline: datetime) -> bool | Leave:
        """Sleep until it is to be planned again; False where the deadline comes first."""
        began = await self.run.driver.once(
            f"{key}/asked", lambda _, now: Finished(now), as_=_FINISHED
        )
        slept = await self.run.sleep(
            key, until=min(later.until, deadline), since=began.at, topics=later.topics
        )
        if isinstance(slept, Leave):
            return slept
        if slept.signal is not None or later.until < deadline:
            return True
        self.report.faults.append("it was not done by its deadline")
        await self._tell(f"{key}/late", f"it was not done by its deadline: {later.why}")
        return False

    async def _act(self, key: str, plan: Plan, turn: Turn, *, deadline: datetime) -> bool | Leave:
        """Take the requests to their ends; whether to plan once more."""
        run = self.run
        began = await run.driver.once(f"{key}/asked", lambda _, now: Finished(now), as_=_FINISHED)
        moves = Moves(run, self.step, run.workflow.actions[self.step.do], turn)
        group = Group(run, moves, key, begun_at=began.at, deadline=deadline)
        leave = await group.pursue(plan.requests)
        ends = [(course.request, course.at.end) for course in group.courses]
        done = [request for request, end in ends if end is not None and end.how is How.DONE]
        self.report.settled += done
        self.report.n_done = len(done)
        self.report.faults = [
            end.why for _, end in ends if end is not None and end.how in _FAILURES
        ]
        if leave is not None:
            return leave
        ended = await run.driver.once(f"{key}/ended", lambda _, now: Finished(now), as_=_FINISHED)
        wants_more = plan.again and bool(plan.requests) and turn.attempt + 1 < _MOST_ATTEMPTS
        return wants_more and ended.at < deadline

    async def _finish(self, key: str) -> datetime | Leave:
        """The step is over, and with it the workflow where it failed and that matters."""
        run, step, report = self.run, self.step, self.report
        failed = report.has_failed

        def finish(session: StoreSession, now: datetime) -> Finished:
            words = f"step {step.name} failed: {report.faults[0]}" if failed else ""
            words = words or f"step {step.name} is over"
            write_log(session, run.flow, words, at=now, step=step.name, failed=failed)
            return Finished(now)

        finished = await run.driver.once(f"{key}/end", finish, as_=_FINISHED)
        if failed and step.on_failed is OnFailed.END:
            return Leave(f"step {step.name} failed", failed=True)
        return finished.at

    async def _tell(self, key: str, why: str) -> None:
        """Tell log and owner that the step is not done."""
        run, step = self.run, self.step

        def tell(session: StoreSession, now: datetime) -> Finished:
            write_log(session, run.flow, f"step {step.name}: {why}", at=now, step=step.name)
            tell_failure(
                session,
                run.flow,
                f"{run.flow.workflow_id}: {step.name}",
                key=f"{run.flow.workflow_id}/{key}",
                why=why,
                parts=run.parts,
                at=now,
            )
            return Finished(now)

        await run.driver.once(f"{key}/told", tell, as_=_FINISHED)


def _say(planned: Planned, *, zone: str) -> str:
    match planned:
        case Plan(requests=requests, words=words):
            kinds = ", ".join(sorted({request.kind for request in requests})) or "nothing"
            return f"plans {len(requests)}: {kinds}" + (f" ({words})" if words else "")
        case Skip(why=why):
            return f"skipped: {why}"
        case Written(words=words):
            return words
        case Later(until=until, why=why):
            again = show_moment(until, zone=zone, with_seconds=True)
            return f"looks again at {again}" + (f": {why}" if why else "")
