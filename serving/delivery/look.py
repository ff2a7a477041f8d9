"""One look at the outbox: what is due is judged, claimed and handed over, message by message."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import numpy as np

from serving.corridor.stop_files import find_stop_file
from serving.delivery.judge import Go, SendingGuards, Wait
from serving.delivery.parcel import HandedOver, Parcel, Receipt, Rejected, Transport, TryAgain
from serving.delivery.settings import Retry
from serving.policy.cases import DAY_US, from_us, to_us
from serving.store.outbox import OutboxState, Queued
from serving.store.store import Store, StoreSession

DRY_RUN = "dry_run"
"""The lane of rehearsals: it changes nothing but the outbox's own rows of that lane."""

_SECOND_US = 1_000_000


@dataclass
class LookReport:
    """What one look did.

    Attributes:
        n_taken_in: Messages that are new in the outbox.
        states: Where messages were moved to, and how many.
        reasons: Why messages were refused, wait, or failed, and how many.
        stopped: Why nothing was handed over at all; None where a kill switch stops nothing.
    """

    n_taken_in: int = 0
    states: Counter[OutboxState] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    stopped: str | None = None

    def note(self, state: OutboxState, reason: str | None) -> None:
        """Count one move."""
        self.states[state] += 1
        if reason is not None:
            self.reasons[reason] += 1


@dataclass(frozen=True)
class Deliverer:
    """Takes messages from the outbox to a transport.

    Attributes:
        store: That holds both.
        transport: Takes messages.
        guards: Have the last word.
        rng: Of the pauses between attempts.
        home: Folder in which a STOP file is looked for.
    """

    store: Store
    transport: Transport
    guards: SendingGuards
    rng: np.random.Generator
    home: Path

    def look(
        self, clock: Callable[[], datetime], *, is_over: Callable[[], bool] = lambda: False
    ) -> LookReport:
        """Hand over what was due when the look began. A clock that goes back stands still.

        Args:
            clock: Tells now.
            is_over: Asked before each message: whether the rest is left to a later look.
        """
        report = LookReport()
        began_us = to_us(clock())
        since_us = began_us - round(self.guards.delivery.look_back_days * DAY_US)
        with self.store.transaction() as session:
            report.n_taken_in = session.outbox.enqueue(
                lane=self.guards.lane, at_us=began_us, since_us=since_us
            )
        while not is_over():
            at_us = max(to_us(clock()), began_us)
            with self.store.transaction() as session:
                report.stopped = self._find_stop(session)
                if report.stopped is not None:
                    return report
                queued = session.outbox.find_due(lane=self.guards.lane, at_us=began_us)
                if queued is None:
                    return report
                held = self._claim(session, queued, at_us=at_us, report=report)
            if held is not None:
                receipt = self._hand_over(held)
                at_us = max(to_us(clock()), began_us)
                with self.store.transaction() as session:
                    self._settle(session, held, receipt, at_us=at_us, report=report)
        return report

    def _find_stop(self, session: StoreSession) -> str | None:
        """Why a kill switch says stop, the file or the row; None where neither does."""
        stop = find_stop_file(self.home, branch=None)
        return stop or session.switches.find_stop(branch=None)

    def _claim(
        self, session: StoreSession, queued: Queued, *, at_us: int, report: LookReport
    ) -> Queued | None:
        """Hold the message; None where it is not to be handed over now."""
        if queued.is_cancelled:
            self._end(session, queued, OutboxState.CANCELLED, None, at_us=at_us, report=report)
            return None
        if queued.n_attempts >= self.guards.delivery.retry.max_attempts:
            why = queued.reason or "every process that tried ended in the middle"
            self._end(session, queued, OutboxState.DEAD, why, at_us=at_us, report=report)
            return None
        verdict = self.guards.judge(session, queued, at_us=at_us)
        lane = self.guards.lane
        if isinstance(verdict, Go):
            lease_us = round(self.guards.delivery.lease_seconds * _SECOND_US)
            return session.outbox.claim(queued, lane=lane, until_us=at_us + lease_us)
        if isinstance(verdict, Wait):
            session.outbox.wait(
                queued, lane=lane, until_us=verdict.until_us, reason=verdict.reason.value
            )
            report.note(OutboxState.PENDING, verdict.reason.value)
            return None
        why = verdict.reason.value
        self._end(session, queued, OutboxState.REFUSED, why, at_us=at_us, report=report)
        return None

    def _hand_over(self, held: Queued) -> Receipt:
        record = self.store.read_decision(held.decision_id)
        planned = () if record is None else record.messages
        found = next((one for one in planned if one.message_id == held.message_id), None)
        if found is None:
            return Rejected("its words are not in the record of its decision")
        return self.transport.hand_over(
            Parcel(
                message_id=held.message_id,
                customer_id=held.customer_id,
                channel=held.channel,
                trigger=held.trigger,
                planned_at=from_us(held.planned_at_us),
                content=found.content,
            )
        )

    def _settle(
        self,
        session: StoreSession,
        held: Queued,
        receipt: Receipt,
        *,
        at_us: int,
        report: LookReport,
    ) -> None:
        if isinstance(receipt, HandedOver):
            self._end(session, held, OutboxState.HANDED_OVER, None, at_us=at_us, report=report)
        elif isinstance(receipt, Rejected):
            why = receipt.reason
            self._end(session, held, OutboxState.REFUSED, why, at_us=at_us, report=report)
        else:
            self._try_again(session, held, receipt, at_us=at_us, report=report)

    def _try_again(
        self,
        session: StoreSession,
        held: Queued,
        receipt: TryAgain,
        *,
        at_us: int,
        report: LookReport,
    ) -> None:
        retry = self.guards.delivery.retry
        if held.n_attempts >= retry.max_attempts:
            why = receipt.reason
            self._end(session, held, OutboxState.DEAD, why, at_us=at_us, report=report)
            return
        pause_us = draw_pause_us(retry, n_attempts=held.n_attempts, rng=self.rng)
        lane = self.guards.lane
        if session.outbox.wait(held, lane=lane, until_us=at_us + pause_us, reason=receipt.reason):
            report.note(OutboxState.PENDING, receipt.reason)

    def _end(
        self,
        session: StoreSession,
        queued: Queued,
        state: OutboxState,
        reason: str | None,
        *,
        at_us: int,
        report: LookReport,
    ) -> None:
        lane = self.guards.lane
        if session.outbox.end(queued, state, lane=lane, at_us=at_us, reason=reason):
            report.note(state, reason)


def draw_pause_us(retry: Retry, *, n_attempts: int, rng: np.random.Generator) -> int:
    """Pause after that many attempts: between half and all of what doubles with each.

    Source: "equal jitter", Brooker, Exponential Backoff and Jitter (AWS Architecture Blog, 2015).
    """
    longest = min(retry.first_seconds * 2.0 ** (n_attempts - 1), retry.most_seconds)
    return max(1, round(longest * (0.5 + 0.5 * rng.random()) * _SECOND_US))
