"""What a workflow's interpreter asks of whoever runs it.

A workflow is a coroutine of Python that starts anew after a crash. All that it learns comes through
these three calls, each under a key of its own, and what one came to is kept: so it takes the same
way again, and does nothing twice.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeVar

from serving.store.flows import Signal
from serving.store.store import StoreSession
from serving.workflows.results import Kept

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Woken:
    """The end of a sleep.

    Attributes:
        signal: That ended it; None: its moment came.
        at: When.
    """

    signal: Signal | None
    at: datetime


class Driver(Protocol):
    """Runs one workflow."""

    async def once(
        self, key: str, effect: Callable[[StoreSession, datetime], R], *, as_: Kept[R]
    ) -> R:
        """Run an effect in a transaction that keeps its result, too; after that, the result."""
        ...

    async def do(self, key: str, act: Callable[[datetime], R], *, as_: Kept[R]) -> R:
        """Run what works outside of a transaction, then keep its result; after that, the result.

        A crash between both runs it again, and two processes may run it at once: it must be
        idempotent by a key of its own.
        """
        ...

    async def wait(self, key: str, *, until: datetime, topics: Collection[str]) -> Woken:
        """Sleep until a signal of these topics or the moment comes, whichever is first."""
        ...
