"""Decisions, messages and outcomes, kept so that nothing is lost and nothing counts twice."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path

import pandas as pd
from sqlalchemy import Connection
from sqlalchemy.sql.dml import ReturningInsert

from features.vocabulary import Outcome, Trigger
from serving.lots.decided import Kept
from serving.lots.lot import DecisionLot
from serving.policy.cases import from_us, to_us
from serving.records import Decision, DecisionRequest, OutcomeEvent, OutcomeState
from serving.store.amends import AmendsBook
from serving.store.approvals import find_approvers
from serving.store.assigned import Assigned, count_assigned
from serving.store.audit import AuditLog
from serving.store.budgets import Ledger
from serving.store.bursts import BurstBook
from serving.store.cancel import CancelDesk, CancelState
from serving.store.cases import CaseBook
from serving.store.console import ConsoleBook
from serving.store.disruptions import DisruptionBook
from serving.store.engine import WRITES, insert_into, open_engine
from serving.store.flows import FlowBook
from serving.store.holds import HoldBook
from serving.store.inbound import InboundBook
from serving.store.incidents import Incident, IncidentBook
from serving.store.learning import LearningSession
from serving.store.letters import LetterBook
from serving.store.lots import in_json_lots
from serving.store.notice_outbox import NoticeDesk
from serving.store.notices import NoticeBoard
from serving.store.online import OnlineSession
from serving.store.outbox import OutboxDesk
from serving.store.queries import (
    CONTACTS,
    CUSTOMERS_OF,
    MESSAGES_BETWEEN,
    OUTCOMES,
    SENDING_TIMES,
)
from serving.store.rates import RateBook
from serving.store.reach import Refusals, find_refusals
from serving.store.rows import DecisionRows, write_rows
from serving.store.schema import messages, metadata, outcomes
from serving.store.shelf import DecisionShelf
from serving.store.switches import SwitchBoard
from serving.store.tasks import TaskBook
from serving.store.upgrade import add_missing_columns
from serving.store.variants import VariantShelf
from serving.store.watch import WatchBook

_LOT = 5_000  # rows read at once, to bound memory


@dataclass(frozen=True, slots=True)
class StoredContact:
    """One notice that was or will be sent; its channels counted once."""

    decision_id: str
    customer_id: str
    trigger: Trigger
    sent_at_us: int
    opened: bool


class StoreSession:
    """One transaction: what it reads cannot change before what it writes is committed."""

    def __init__(self, connection: Connection) -> None:
        """Work on an open transaction."""
        self._connection = connection
        self.online = OnlineSession(connection)
        self.ledger = Ledger(connection)
        self.incidents = IncidentBook(connection)
        self.disruptions = DisruptionBook(connection)
        self._cancelling = CancelDesk(connection, self.ledger)
        self._shelf = DecisionShelf(connection)
        self.learning = LearningSession(connection)
        self.holds = HoldBook(connection)
        self.flows = FlowBook(connection)
        self.switches = SwitchBoard(connection)
        self.audit = AuditLog(connection)
        self.outbox = OutboxDesk(connection)
        self.console = ConsoleBook(connection)
        self.inbound = InboundBook(connection)
        self.bursts = BurstBook(connection)
        self.watch = WatchBook(connection)
        self.tasks = TaskBook(connection)
        self.cases = CaseBook(connection)
        self.notices = NoticeBoard(connection)
        self.notice_outbox = NoticeDesk(connection)
        self.rates = RateBook(connection)
        self.amends = AmendsBook(connection)
        self.letters = LetterBook(connection)

    def find_by_keys(self, requests: Sequence[DecisionRequest]) -> dict[str, Decision]:
        """Records that exist under the requests' idempotency keys, by key.

        Raises:
            ConflictError: A key was used for a different request.
        """
        return self._shelf.find_by_keys(requests)

    def find_contacts(self, customer_ids: Sequence[str], *, since_us: int) -> list[StoredContact]:
        """Notices to these customers sent or planned since then, with whether a human opened."""
        found: dict[str, StoredContact] = {}
        for ids in in_json_lots(customer_ids):
            rows = self._connection.execute(CONTACTS, {"ids": ids, "since_us": since_us})
            for decision_id, customer_id, trigger, sent_at_us, is_open in rows:
                earlier = found.get(decision_id)
                found[decision_id] = StoredContact(
                    decision_id,
                    customer_id,
                    Trigger(trigger),
                    sent_at_us,
                    bool(is_open) or (earlier is not None and earlier.opened),
                )
        return list(found.values())

    def find_approvers(self, variant_ids: Iterable[str]) -> dict[str, str | None]:
        """Who approved each stored variant; None: nobody. Texts that ship are left out."""
        return find_approvers(self._connection, variant_ids)

    def find_refusals(self, customer_ids: Sequence[str]) -> Refusals:
        """What stands against writing to these customers."""
        return find_refusals(self._connection, customer_ids)

    def find_incidents(self, customer_ids: Sequence[str], *, since_us: int) -> list[Incident]:
        """Incidents that are open or end after that moment, with whom of these they touch."""
        return self.incidents.find(customer_ids, since_us=since_us)

    def count_assigned(
        self, experiment: str, *, critical: Sequence[Trigger], until: datetime
    ) -> Assigned:
        """Customers by the day and arm of their first decision before a moment."""
        until_us = to_us(until)
        return count_assigned(self._connection, experiment, critical=critical, until_us=until_us)

    def cancel(self, message_ids: Sequence[str], *, at: datetime) -> list[CancelState]:
        """Cancel messages that are planned; states in their order."""
        return self._cancelling.cancel(message_ids, at_us=to_us(at))

    def note_unsent(self, message_ids: Sequence[str]) -> None:
        """These messages were not sent, and never will be: no contacts, and they took nothing."""
        self._cancelling.note_unsent(message_ids)

    def tell_time(self, at: datetime) -> None:
        """It is at least as late as this; a moment before one told earlier changes nothing."""
        self._cancelling.tell_time(to_us(at))

    def find_cancelled(self) -> list[str]:
        """Messages that were cancelled in time: never sent, and no contact."""
        return self._cancelling.find_in_time()

    def add_lot(self, lot: DecisionLot) -> Kept:
        """Keep new decisions and their messages; how they were kept."""
        self._cancelling.tell_time(int(lot.decided_us.max()))
        return self._shelf.add_lot(lot)

    def add_decisions(
        self, records: Sequence[Decision], requests: Sequence[DecisionRequest]
    ) -> None:
        """Keep records that were made elsewhere, and their messages."""
        self._add_rows(
            [write_rows(record, request) for record, request in zip(records, requests, strict=True)]
        )

    def book(self, rows: Sequence[DecisionRows]) -> int:
        """Keep decisions that were made elsewhere, but those whose key is there; how many are new.

        Raises:
            ConflictError: A key was used for a different request.
        """
        digests = {row.key: row.request_digest for row in rows if row.key is not None}
        known = self._shelf.find_keys(digests, digest=digests.__getitem__)
        fresh = [row for row in rows if row.key not in known]
        self._add_rows(fresh)
        return len(fresh)

    def _add_rows(self, rows: Sequence[DecisionRows]) -> None:
        if rows:
            self._cancelling.tell_time(max(row.decided_at_us for row in rows))
            self._shelf.add_rows(rows)

    def read_decisions(self) -> Iterator[list[Decision]]:
        """Every record in the order of time, in lots."""
        return self._shelf.read_all()

    def read_outcomes(self) -> Iterator[list[OutcomeEvent]]:
        """Every outcome in the order of booking, in lots."""
        found = self._connection.execute(OUTCOMES, execution_options={"yield_per": _LOT})
        for rows in found.partitions():
            yield [
                OutcomeEvent(
                    message_id=message_id,
                    outcome=Outcome(outcome),
                    at=from_us(at_us),
                    value_cents=value_cents,
                    machine=machine,
                )
                for message_id, outcome, at_us, value_cents, machine in rows
            ]

    def add_outcomes(
        self, events: Sequence[OutcomeEvent], *, now_us: int | None = None
    ) -> list[OutcomeState]:
        """Book outcomes; posting one twice changes nothing. States in the order of the events.

        A no is booked whatever moment it bears, and counts at once.

        Args:
            events: What is told.
            now_us: When; None where that is not known: then nothing is told before it happened.
        """
        sent_at: dict[str, int] = {}
        for ids in in_json_lots(e.message_id for e in events):
            rows = self._connection.execute(SENDING_TIMES, {"ids": ids})
            sent_at.update((message_id, sent_at_us) for message_id, sent_at_us in rows)
        states = [self._book(event, sent_at.get(event.message_id)) for event in events]
        booked = [
            event
            for event, state in zip(events, states, strict=True)
            if state is OutcomeState.BOOKED
        ]
        if booked:
            heard_us = max(_heard_us(event, now_us) for event in booked)
            self._cancelling.tell_time(heard_us if now_us is None else now_us)
            self._cancel_unwanted(booked, sent_at=sent_at, now_us=now_us)
        return states

    def _cancel_unwanted(
        self, booked: Sequence[OutcomeEvent], *, sent_at: Mapping[str, int], now_us: int | None
    ) -> None:
        """What is planned for customers who said no since is not sent.

        Nobody says no to a message before it was sent, whatever moment the no bears. A complaint
        says more than the unsubscribe beside it.
        """
        said_no = [event for event in booked if event.is_refusal]
        said_no.sort(key=lambda event: event.outcome is Outcome.COMPLAINED)
        refused = {event.message_id: event for event in said_no}
        for ids in in_json_lots(refused):
            rows = self._connection.execute(CUSTOMERS_OF, {"ids": ids}).all()
            for message_id, customer_id, channel in rows:
                event = refused[message_id]
                is_all = event.outcome is Outcome.COMPLAINED
                self._cancelling.cancel_planned(
                    customer_id,
                    at_us=max(_heard_us(event, now_us), sent_at[message_id]),
                    channel=None if is_all else channel,
                )

    def _book(self, reported: OutcomeEvent, sent_at_us: int | None) -> OutcomeState:
        if sent_at_us is None:
            return OutcomeState.UNKNOWN_MESSAGE
        at_us = to_us(reported.at)
        if at_us < sent_at_us and not reported.is_refusal:
            return OutcomeState.BEFORE_MESSAGE
        row = {
            "message_id": reported.message_id,
            "outcome": reported.outcome.value,
            "at_us": at_us,
            "value_cents": reported.value_cents,
            "machine": reported.machine,
        }
        added = self._connection.execute(_add_outcome(self._connection.dialect.name), row)
        return OutcomeState.DUPLICATE if added.first() is None else OutcomeState.BOOKED


class Store:
    """A database of SQLite (in WAL mode) or PostgreSQL: committed before it is acknowledged.

    Writers take the write lock when their transaction begins, so that limits which are read in
    it hold until it is committed, whichever process writes.

    Attributes:
        variants: Words that were written beside those that ship.
    """

    def __init__(self, where: Path | str) -> None:
        """Open the database at a path (SQLite, made where there is none) or at a URL."""
        self._engine = open_engine(where)
        # Workers start together: whoever comes second must see the tables, not make them again.
        with self._engine.execution_options(**{WRITES: True}).begin() as connection:
            metadata.create_all(connection, checkfirst=True)
            add_missing_columns(connection, metadata)
        self.variants = VariantShelf(self._engine)

    @contextmanager
    def transaction(self) -> Iterator[StoreSession]:
        """A transaction that holds the write lock; rolled back when the body raises."""
        with self._engine.execution_options(**{WRITES: True}).begin() as connection:
            yield StoreSession(connection)

    @contextmanager
    def reading(self) -> Iterator[StoreSession]:
        """A transaction that only reads; it waits for nobody."""
        with self._engine.begin() as connection:
            yield StoreSession(connection)

    def read_decision(self, decision_id: str) -> Decision | None:
        """The record of that identity, or None."""
        with self._engine.connect() as connection:
            return DecisionShelf(connection).find(decision_id)

    def read_messages(self, *, since: datetime, until: datetime) -> pd.DataFrame:
        """Messages with `since <= sent_at < until` as rows of the `messages` table."""
        period = {"since_us": to_us(since), "until_us": to_us(until)}
        with self._engine.connect() as connection:
            rows = connection.execute(MESSAGES_BETWEEN, period).mappings().all()
        columns = [*(column.name for column in messages.columns), "case_key"]
        frame = pd.DataFrame([dict(row) for row in rows], columns=columns)
        frame["sent_at"] = pd.to_datetime(frame.pop("sent_at_us"), unit="us", utc=True).astype(
            "datetime64[us, UTC]"
        )
        return frame

    def close(self) -> None:
        """Give back the connections."""
        self._engine.dispose()


def _heard_us(event: OutcomeEvent, now_us: int | None) -> int:
    """When it happened, or now where it says that it will have happened later."""
    at_us = to_us(event.at)
    return at_us if now_us is None else min(at_us, now_us)


@cache
def _add_outcome(dialect: str) -> ReturningInsert[int]:
    """Books an outcome and gives its identity; nothing where it was booked before."""
    add = insert_into(dialect, outcomes).on_conflict_do_nothing()
    return add.returning(outcomes.c.outcome_id)
