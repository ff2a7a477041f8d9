"""One run of a workflow: effects that are tried again, and sleeps in which exits are looked at."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
from typing import Generic, TypeVar

from serving.store.flows import FlowRow
from serving.store.store import StoreSession
from serving.workflows.catalogue import Workflow
from serving.workflows.driver import Driver, Woken
from serving.workflows.parts import ActingParts
from serving.workflows.results import Kept, Raised
from serving.workflows.spec import WorkflowSpec
from serving.workflows.telling import describe_fault, write_log

ContextT = TypeVar("ContextT")
R = TypeVar("R")

_FIRST_PAUSE_SECONDS = 5.0
_MOST_PAUSE_SECONDS = 1_800.0
_MOST_LOOKS = 9  # 90 minutes of pauses


@dataclass(frozen=True, slots=True)
class Leave:
    """The workflow goes no further, and why; `failed` where it should have."""

    why: str
    failed: bool = False


@dataclass(frozen=True, slots=True)
class _Looked:
    """Name of the exit that holds; empty where none does."""

    exit: str


_LOOKED = Kept(_Looked)


@dataclass(frozen=True)
class Run(Generic[ContextT]):
    """What the interpreter knows of the workflow it runs.

    Attributes:
        is_closing: Whether nothing ends it early any more.
    """

    driver: Driver
    flow: FlowRow
    workflow: Workflow[ContextT]
    spec: WorkflowSpec
    context: ContextT
    parts: ActingParts
    is_closing: bool = False

    @property
    def actor(self) -> str:
        """Who claims actions."""
        return f"workflow/{self.flow.kind}"

    async def attempt(
        self, key: str, effect: Callable[[StoreSession, datetime], R], *, as_: Kept[R]
    ) -> R | Raised:
        """An effect; where it raises, that is kept in its stead, and nothing of it.

        Raises:
            ConflictError: Another process has kept a result, or ended the workflow: what it did
                holds.
        """
        kept = as_.or_(Raised)
        try:
            return await self.driver.once(key, effect, as_=kept)
        except Exception as fault:  # noqa: BLE001  # whatever it was, it is tried again
            return await self._keep_fault(key, fault, as_=kept)

    async def attempt_doing(
        self, key: str, act: Callable[[datetime], R], *, as_: Kept[R]
    ) -> R | Raised:
        """Like `attempt`, outside of a transaction."""
        kept = as_.or_(Raised)
        try:
            return await self.driver.do(key, act, as_=kept)
        except Exception as fault:  # noqa: BLE001  # whatever it was, it is tried again
            return await self._keep_fault(key, fault, as_=kept)

    async def _keep_fault(self, key: str, fault: Exception, *, as_: Kept[R | Raised]) -> R | Raised:
        why = describe_fault(fault)

        def keep(session: StoreSession, now: datetime) -> R | Raised:
            write_log(session, self.flow, f"{key} failed, and is tried again: {why}", at=now)
            return Raised(why, now)

        return await self.driver.once(key, keep, as_=as_)

    async def persist(
        self,
        key: str,
        effect: Callable[[StoreSession, datetime], R],
        *,
        as_: Kept[R],
        until: datetime,
    ) -> R | Raised | Leave:
        """An effect that is tried again, with pauses, until a moment; then how it failed."""
        for n in count():
            result = await self.attempt(f"{key}/{n}", effect, as_=as_)
            if not isinstance(result, Raised):
                return result
            again_at = result.at + pause_after(n)
            if again_at >= until:
                return result
            slept = await self.sleep(f"{key}/{n}/pause", until=again_at, since=result.at)
            if isinstance(slept, Leave):
                return slept
        raise AssertionError  # pragma: no cover  # the loop has no other end

    async def sleep(
        self, key: str, *, until: datetime, since: datetime, topics: Collection[str] = ()
    ) -> Woken | Leave:
        """Wait for a moment or a signal; whenever it wakes, the exits are looked at.

        Args:
            key: Its own.
            until: The moment.
            since: When the exits were looked at last, as it was kept.
            topics: Of the signals.
        """
        every = None if self.is_closing else self.spec.look_every_minutes
        wakes = () if self.is_closing else self.spec.wakes
        look_at = None if every is None else since + timedelta(minutes=every)
        for n in count():
            moment = until if look_at is None else min(until, look_at)
            woken = await self.driver.wait(f"{key}/{n}", until=moment, topics={*topics, *wakes})
            leave = await self.look(f"{key}/{n}/exits")
            if leave is not None:
                return leave
            if woken.signal is None and moment == until:
                return woken
            if woken.signal is not None and woken.signal.topic in topics:
                return woken
            if every is not None:
                look_at = woken.at + timedelta(minutes=every)
        raise AssertionError  # pragma: no cover  # the loop has no other end

    async def look(self, key: str) -> Leave | None:
        """Whether an exit holds; where that cannot be told for long, the workflow failed."""
        if self.is_closing or not self.spec.exits:
            return None
        for n in range(_MOST_LOOKS):
            looked = await self.attempt(f"{key}/{n}", self._find_exit, as_=_LOOKED)
            if isinstance(looked, _Looked):
                return Leave(looked.exit) if looked.exit else None
            if n + 1 < _MOST_LOOKS:
                again_at = looked.at + pause_after(n)
                await self.driver.wait(f"{key}/{n}/pause", until=again_at, topics=())
        return Leave("the exits could not be looked at", failed=True)

    def _find_exit(self, session: StoreSession, now: datetime) -> _Looked:
        for name in self.spec.exits:
            if self.workflow.conditions[name](session, self.context, now):
                write_log(session, self.flow, f"leaves: {name}", at=now, exit=name)
                return _Looked(name)
        return _Looked("")


def pause_after(n_tries: int) -> timedelta:
    """How long to wait after that many tries before: 5 s, 15 s, 45 s, up to half an hour.

    >>> [pause_after(n).total_seconds() for n in (0, 1, 2, 5, 6, 1_000)]
    [5.0, 15.0, 45.0, 1215.0, 1800.0, 1800.0]
    """
    seconds = _FIRST_PAUSE_SECONDS * 3.0 ** min(n_tries, 10)
    return timedelta(seconds=min(seconds, _MOST_PAUSE_SECONDS))
