"""One look at an outbox: what is due is judged, claimed and handed over, one by one."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, assert_never

import numpy as np

from serving.delivery.doors import Doors
from serving.delivery.parcel import (
    Down,
    HandedOver,
    Later,
    Lost,
    Moment,
    Receipt,
    Rejected,
    TryAgain,
    Uncertain,
)
from serving.delivery.queue import Go, Item, Queue, Wait
from serving.delivery.settings import DeliverySettings, Retry
from serving.policy.cases import from_us, to_us
from serving.store.claims import OutboxState
from serving.store.rates import Rate
from serving.store.store import Store, StoreSession

_SECOND_US = 1_000_000
_FAILURES_OF_MESSAGES = 2  # so many in a row may be for the messages' sake
_ABANDONED = "whoever handed it over ended in the middle, and the receiver cannot be asked"
_TAKEN_FOR = {"sent": "taken as sent, as the settings say", "not_sent": "sent again, as they say"}


@dataclass
class LookReport:
    """What one look did.

    Attributes:
        n_taken_in: What is new in the outbox.
        states: Where things were moved to, and how many.
        reasons: Why things were refused, wait, or failed, and how many.
        stopped: Why nothing was handed over at all; None where a kill switch stops nothing.
        opens_at_us: When the first door opens again behind which something may wait; None: none
            is closed.
    """

    n_taken_in: int = 0
    states: Counter[OutboxState] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    stopped: str | None = None
    opens_at_us: int | None = None

    def note(self, state: OutboxState, reason: str | None) -> None:
        """Count one move."""
        self.states[state] += 1
        if reason is not None:
            self.reasons[reason] += 1


@dataclass(frozen=True)
class Deliverer(Generic[Item]):
    """Takes what waits in an outbox to where it goes.

    Attributes:
        store: That holds the outbox.
        queue: What waits there.
        settings: Leases, attempts and pauses.
        rng: Of the pauses between attempts.
        doors: Which are closed; kept from look to look.
    """

    store: Store
    queue: Queue[Item]
    settings: DeliverySettings
    rng: np.random.Generator
    doors: Doors = field(default_factory=Doors)

    def look(
        self,
        clock: Callable[[], datetime],
        *,
        is_over: Callable[[], bool] = lambda: False,
        takes_in: bool = True,
    ) -> LookReport:
        """Hand over what was due when the look began. A clock that goes back stands still.

        Args:
            clock: Tells now.
            is_over: Asked before each item: whether the rest is left to a later look.
            takes_in: Whether what is due and new is looked for, which reads all that is planned.
        """
        began_us = to_us(clock())
        report = LookReport()
        if takes_in:
            with self.store.transaction() as session:
                taken = self.queue.take_in(session, at_us=began_us)
            report.n_taken_in = taken.n
            for reason in taken.refused:
                report.note(OutboxState.REFUSED, reason)
        look = _Look(self, report, began_us, lambda: max(to_us(clock()), began_us))
        while not is_over() and look.step():
            pass
        closed = self.doors.list_closed(at_us=began_us)
        report.opens_at_us = min(closed.values(), default=None)
        return report


@dataclass(frozen=True)
class _Look(Generic[Item]):
    """The steps of one look."""

    by: Deliverer[Item]
    report: LookReport
    began_us: int
    read_us: Callable[[], int]

    def step(self) -> bool:
        """Deal with one item; whether there may be another."""
        at_us = self.read_us()
        with self.by.store.transaction() as session:
            self.report.stopped = self.by.queue.find_stop(session)
            if self.report.stopped is not None:
                return False
            closed = frozenset(self.by.doors.list_closed(at_us=at_us))
            item = self.by.queue.find_due(session, at_us=self.began_us, closed=closed)
            if item is None:
                return False
            held = self._claim(session, item, at_us=at_us)
        if held is not None:
            receipt = self.by.queue.hand_over(held, self._make_moment(held))
            with self.by.store.transaction() as session:
                self._settle(session, held, receipt, at_us=self.read_us())
        return True

    # ------------------------------------------------------------ before

    def _claim(self, session: StoreSession, item: Item, *, at_us: int) -> Item | None:
        """Hold the item; None where it is not to be handed over now."""
        queue = self.by.queue
        if item.is_begun:
            self._leave_uncertain(session, item, _ABANDONED, at_us=at_us, receipt=None)
            return None
        if queue.is_cancelled(item):
            self._end(session, item, OutboxState.CANCELLED, None, at_us=at_us)
            return None
        if item.n_attempts >= self.by.settings.retry.max_attempts:
            why = item.reason or "every process that tried ended in the middle"
            self._end(session, item, OutboxState.DEAD, why, at_us=at_us)
            return None
        verdict = queue.judge(session, item, at_us=at_us)
        if isinstance(verdict, Go):
            return self._claim_within_rate(session, item, at_us=at_us)
        if isinstance(verdict, Wait):
            self._wait(session, item, verdict.reason, until_us=verdict.until_us)
            return None
        self._end(session, item, OutboxState.REFUSED, verdict.reason, at_us=at_us)
        return None

    def _claim_within_rate(self, session: StoreSession, item: Item, *, at_us: int) -> Item | None:
        queue = self.by.queue
        door, rate = queue.door_of(item), queue.find_rate(item)
        bucket = f"door/{door}"
        until_us = None if rate is None else session.rates.take(bucket, rate, at_us=at_us)
        if until_us is not None:
            self.by.doors.close(door, until_us=until_us)
            return None
        queue.note_claim(session, at=from_us(at_us))
        lease_us = round(self.by.settings.lease_seconds * _SECOND_US)
        return queue.desk(session).claim(item, lane=queue.lane, until_us=at_us + lease_us)

    def _make_moment(self, held: Item) -> Moment:
        queue, store = self.by.queue, self.by.store

        def begin() -> bool:
            with store.transaction() as session:
                desk = queue.desk(session)
                return desk.begin(held, lane=queue.lane, at_us=self.read_us())

        def take(bucket: str, rate: Rate) -> int | None:
            with store.transaction() as session:
                return session.rates.take(bucket, rate, at_us=self.read_us())

        return Moment(from_us(self.read_us()), begin, take)

    # ------------------------------------------------------------ after

    def _settle(self, session: StoreSession, held: Item, receipt: Receipt, *, at_us: int) -> None:
        door = self.by.queue.door_of(held)
        if isinstance(receipt, HandedOver):
            self.by.doors.note_passage(door)
            state = OutboxState.HANDED_OVER
            self._end(session, held, state, None, at_us=at_us, receipt=receipt)
        elif isinstance(receipt, Rejected):
            self.by.doors.note_passage(door)
            state, why = OutboxState.REFUSED, receipt.reason
            self._end(session, held, state, why, at_us=at_us, receipt=receipt)
        elif isinstance(receipt, TryAgain):
            if receipt.hints_down:
                self._note_hint(held, receipt, at_us=at_us)
            self._try_again(session, held, receipt, at_us=at_us)
        elif isinstance(receipt, Uncertain):
            self._leave_uncertain(session, held, receipt.reason, at_us=at_us, receipt=receipt)
        elif isinstance(receipt, Down):
            until_us = at_us + self._find_pause_us(receipt, self.by.doors.count_failure(door))
            self.by.doors.close(door, until_us=until_us)
            self._wait(session, held, receipt.reason, until_us=until_us, gives_back=True)
        elif isinstance(receipt, Later):
            until_us = max(receipt.until_us, self.began_us + 1)
            self._wait(session, held, receipt.reason, until_us=until_us, gives_back=True)
        elif not isinstance(receipt, Lost):
            assert_never(receipt)

    def _try_again(
        self, session: StoreSession, held: Item, receipt: TryAgain, *, at_us: int
    ) -> None:
        if held.n_attempts >= self.by.settings.retry.max_attempts:
            self._end(session, held, OutboxState.DEAD, receipt.reason, at_us=at_us)
            return
        until_us = at_us + self._find_pause_us(receipt, held.n_attempts)
        self._wait(session, held, receipt.reason, until_us=until_us)

    def _note_hint(self, held: Item, receipt: TryAgain, *, at_us: int) -> None:
        """Several failures in a row are no longer the messages': the others wait."""
        door = self.by.queue.door_of(held)
        n = self.by.doors.count_failure(door) - _FAILURES_OF_MESSAGES
        if n > 0:
            self.by.doors.close(door, until_us=at_us + self._find_pause_us(receipt, n))

    def _find_pause_us(self, receipt: TryAgain | Down, n_failures: int) -> int:
        """Ours, or the receiver's where it wishes for a longer one that we bear."""
        retry = self.by.settings.retry
        ours_us = draw_pause_us(retry, n_attempts=n_failures, rng=self.by.rng)
        wish_seconds = min(receipt.after_seconds or 0.0, retry.most_seconds)
        return max(ours_us, round(wish_seconds * _SECOND_US))

    def _leave_uncertain(
        self, session: StoreSession, item: Item, reason: str, *, at_us: int, receipt: Receipt | None
    ) -> None:
        """Nobody knows what became of it: what the settings say, or somebody is asked."""
        resolution = self.by.queue.resolve(item)
        if resolution == "ask":
            state = OutboxState.UNCERTAIN
            self._end(session, item, state, reason, at_us=at_us, receipt=receipt)
            return
        why = f"{reason}; {_TAKEN_FOR[resolution]}"
        if resolution == "sent":
            state = OutboxState.HANDED_OVER
            self._end(session, item, state, why, at_us=at_us, receipt=receipt)
        else:
            self._try_again(session, item, TryAgain(why), at_us=at_us)

    def _wait(
        self,
        session: StoreSession,
        item: Item,
        reason: str,
        *,
        until_us: int,
        gives_back: bool = False,
    ) -> None:
        queue = self.by.queue
        desk = queue.desk(session)
        if desk.wait(
            item, lane=queue.lane, until_us=until_us, reason=reason, gives_back=gives_back
        ):
            self.report.note(OutboxState.PENDING, reason)

    def _end(
        self,
        session: StoreSession,
        item: Item,
        state: OutboxState,
        reason: str | None,
        *,
        at_us: int,
        receipt: Receipt | None = None,
    ) -> None:
        queue = self.by.queue
        if queue.desk(session).end(item, state, lane=queue.lane, at_us=at_us, reason=reason):
            queue.note_end(session, item, state, receipt=receipt, at=from_us(at_us))
            self.report.note(state, reason)


def draw_pause_us(retry: Retry, *, n_attempts: int, rng: np.random.Generator) -> int:
    """Pause after that many attempts: between half and all of what doubles with each.

    Source: "equal jitter", Brooker, Exponential Backoff and Jitter (AWS Architecture Blog, 2015).
    """
    doubled = retry.first_seconds * 2.0 ** min(n_attempts - 1, 60)
    longest = min(doubled, retry.most_seconds)
    return max(1, round(longest * (0.5 + 0.5 * rng.random()) * _SECOND_US))
