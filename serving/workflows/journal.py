"""Runs one workflow by a journal: what each of its effects came to is kept in the store.

The coroutine starts anew after a crash, and after every sleep where it was not kept in memory; what
is in the journal comes back from there. An effect and its result are one transaction, so that there
is no moment between them.

Before each, it is asked whether another process has ended the workflow, as one may where PostgreSQL
took the right to act from a process that lives on: what has ended has no journal any more that
would say what was done.
"""

from collections.abc import Callable, Collection, Generator
from datetime import datetime
from typing import TypeVar

from serving.store.flows import FlowRow
from serving.store.store import Store, StoreSession
from serving.workflows.driver import Woken
from serving.workflows.results import Kept

R = TypeVar("R")

Reach = Callable[[str], None]
"""Told of every point between two writes; a harness may end the process there."""


def pass_by(point: str) -> None:
    """Nobody wants to know of the points."""


_WOKEN = Kept(Woken)


class _Sleep:
    """Awaited where a workflow waits: gives control back to whoever runs it."""

    def __await__(self) -> Generator["_Sleep", None, None]:
        yield self


class JournalDriver:
    """A `Driver` for one workflow, until it sleeps or ends."""

    def __init__(
        self,
        store: Store,
        flow: FlowRow,
        *,
        results: dict[str, str],
        clock: Callable[[], datetime],
        reach: Reach = pass_by,
    ) -> None:
        """Go on with a workflow.

        Args:
            store: Where it is kept.
            flow: Its row.
            results: Its journal.
            clock: What time it is.
            reach: Told of every point.
        """
        self._store = store
        self._id = flow.workflow_id
        self._turn = flow.turn
        self._results = results
        self._clock = clock
        self._reach = reach

    async def once(
        self, key: str, effect: Callable[[StoreSession, datetime], R], *, as_: Kept[R]
    ) -> R:
        """Run an effect in a transaction that keeps its result, too; after that, the result."""
        if key not in self._results:
            self._results[key] = self._run(key, effect, as_=as_)
        return as_.read(self._results[key])

    async def do(self, key: str, act: Callable[[datetime], R], *, as_: Kept[R]) -> R:
        """Run what works outside of a transaction, then keep its result; after that, the result."""
        if key not in self._results:
            with self._store.reading() as session:
                session.flows.require_open(self._id)
            result = act(self._clock())
            self._reach(f"{key}: done, not kept")
            self._results[key] = self._run(key, lambda *_: result, as_=as_)
        return as_.read(self._results[key])

    async def wait(self, key: str, *, until: datetime, topics: Collection[str]) -> Woken:
        """Sleep until a signal of these topics or the moment comes, whichever is first."""
        while key not in self._results:
            text = self._look(key, until=until, topics=topics)
            if text is None:
                await _Sleep()
            else:
                self._results[key] = text
        return _WOKEN.read(self._results[key])

    def _run(self, key: str, effect: Callable[[StoreSession, datetime], R], *, as_: Kept[R]) -> str:
        with self._store.transaction() as session:
            session.flows.require_open(self._id)
            now = self._clock()
            text = as_.write(effect(session, now))
            session.flows.keep(self._id, key, text, at=now)
            self._reach(f"{key}: written, not kept")
        self._reach(f"{key}: kept")
        return text

    def _look(self, key: str, *, until: datetime, topics: Collection[str]) -> str | None:
        """The end of a sleep, in words that are kept; None where it goes on."""
        with self._store.transaction() as session:
            session.flows.require_open(self._id)
            now = self._clock()
            signal = session.flows.read_signal(self._id, topics, at=now)
            if signal is None and now < until:
                text = None
                self._turn += 1
                session.flows.sleep(self._id, turn=self._turn, until=until, topics=sorted(topics))
            else:
                text = _WOKEN.write(Woken(signal, now))
                session.flows.wake(self._id, at=now)
                session.flows.keep(self._id, key, text, at=now)
            self._reach(f"{key}: written, not kept")
        self._reach(f"{key}: kept")
        return text
