"""Cancelling messages that are planned: they are not sent, and what they took is given back."""

from collections.abc import Sequence
from enum import StrEnum
from functools import cache

from sqlalchemy import Connection, Insert, bindparam, insert, select, update

from serving.store.budgets import Ledger
from serving.store.engine import insert_into
from serving.store.queries import IS_CANCELLED
from serving.store.schema import cancellations, clock, messages, outcomes

_LATEST = "latest"
_READ_CLOCK = select(clock.c.latest_us).where(clock.c.name == _LATEST)
_MOVE_CLOCK = (
    update(clock)
    .where(clock.c.name == _LATEST, clock.c.latest_us < bindparam("at_us"))
    .values(latest_us=bindparam("at_us"))
)
_MESSAGE = (
    select(
        messages.c.decision_id,
        messages.c.sent_at_us,
        cancellations.c.is_in_time,
        select(outcomes.c.outcome_id)
        .where(outcomes.c.message_id == messages.c.message_id)
        .exists()
        .label("has_outcome"),
    )
    .select_from(
        messages.outerjoin(cancellations, cancellations.c.message_id == messages.c.message_id)
    )
    .where(messages.c.message_id == bindparam("message_id"))
)
_IN_TIME = (
    select(cancellations.c.message_id)
    .where(cancellations.c.is_in_time.is_(True))
    .order_by(cancellations.c.message_id)
)
_PLANNED = (
    select(messages.c.message_id, messages.c.channel)
    .where(messages.c.customer_id == bindparam("customer_id"))
    .where(messages.c.sent_at_us > bindparam("after_us"))
    .where(~IS_CANCELLED)
)


class CancelState(StrEnum):
    """What became of a wish to cancel."""

    CANCELLED = "cancelled"  # in time: it counts as if it had never been planned
    TOO_LATE = "too_late"  # it may have been sent, and counts as sent
    DUPLICATE = "duplicate"  # it was cancelled in time before
    UNKNOWN_MESSAGE = "unknown_message"


class CancelDesk:
    """The part of a transaction that cancels, and that knows how late it is at least."""

    def __init__(self, connection: Connection, ledger: Ledger) -> None:
        """Work on an open transaction."""
        self._connection = connection
        self._ledger = ledger

    def tell_time(self, at_us: int) -> None:
        """It is at least as late as this; a moment before one told earlier changes nothing."""
        moved = self._connection.execute(_MOVE_CLOCK, {"at_us": at_us})
        if moved.rowcount == 0:
            start = _start_clock(self._connection.dialect.name)
            self._connection.execute(start, {"name": _LATEST, "latest_us": at_us})

    def cancel(self, message_ids: Sequence[str], *, at_us: int) -> list[CancelState]:
        """Cancel messages at that moment; states in their order.

        A message is cancelled in time when nothing says that it may have been sent: its moment is
        later than this one and than any that the store was told before, and nothing came of it.
        Then it is no contact and takes nothing of a budget. Otherwise the wish is kept, and the
        message counts as sent; to ask again is answered by that, too.
        """
        latest = self._connection.execute(_READ_CLOCK).scalar()
        now_us = at_us if latest is None else max(at_us, latest)
        return [self._cancel(message_id, at_us=at_us, now_us=now_us) for message_id in message_ids]

    def _cancel(self, message_id: str, *, at_us: int, now_us: int) -> CancelState:
        row = self._connection.execute(_MESSAGE, {"message_id": message_id}).first()
        if row is None:
            return CancelState.UNKNOWN_MESSAGE
        if row.is_in_time is not None:
            return CancelState.DUPLICATE if row.is_in_time else CancelState.TOO_LATE
        is_in_time = row.sent_at_us > now_us and not row.has_outcome
        self._keep(message_id, row.decision_id, at_us=at_us, is_in_time=is_in_time)
        return CancelState.CANCELLED if is_in_time else CancelState.TOO_LATE

    def _keep(self, message_id: str, decision_id: str, *, at_us: int, is_in_time: bool) -> None:
        wish = {"message_id": message_id, "at_us": at_us, "is_in_time": is_in_time}
        self._connection.execute(insert(cancellations), wish)
        if is_in_time:
            self._ledger.release(decision_id, message_ids=[message_id])

    def note_unsent(self, message_ids: Sequence[str]) -> None:
        """These messages were not sent, and never will be, whatever their moment.

        One that somebody wished away too late for it to count, or of which something came, stays
        as it is.
        """
        for message_id in message_ids:
            row = self._connection.execute(_MESSAGE, {"message_id": message_id}).first()
            if row is not None and row.is_in_time is None and not row.has_outcome:
                self._keep(message_id, row.decision_id, at_us=row.sent_at_us, is_in_time=True)

    def find_in_time(self) -> list[str]:
        """Messages that were cancelled in time, in their order."""
        return list(self._connection.execute(_IN_TIME).scalars())

    def cancel_planned(
        self, customer_id: str, *, at_us: int, channel: str | None = None
    ) -> list[str]:
        """Cancel what is planned for a customer, on one channel or on all; which messages."""
        rows = self._connection.execute(_PLANNED, {"customer_id": customer_id, "after_us": at_us})
        planned = [message_id for message_id, on in rows if channel in (None, on)]
        self.cancel(planned, at_us=at_us)
        return planned


@cache
def _start_clock(dialect: str) -> Insert:
    return insert_into(dialect, clock).on_conflict_do_nothing()
