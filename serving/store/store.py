"""Decisions, messages and outcomes, kept so that nothing is lost and nothing counts twice."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pandas as pd
from sqlalchemy import Connection, Engine, create_engine, event, insert, select
from sqlalchemy.dialects.sqlite import insert as insert_or_ignore
from sqlalchemy.pool import ConnectionPoolEntry

from features.errors import ConflictError
from features.vocabulary import Channel, Outcome, Trigger
from serving.policy.cases import DAY_US, to_us
from serving.records import (
    Decision,
    DecisionRequest,
    OutcomeEvent,
    OutcomeState,
)
from serving.store.queries import (
    CONTACTS,
    MESSAGES_BETWEEN,
    RECORDS_BY_KEY,
    SENDING_TIMES,
    WITHDRAWALS,
    select_rewards,
)
from serving.store.schema import decisions, messages, metadata, outcomes
from training.bandit.rewards import Reward

_BUSY_TIMEOUT_MS = 30_000
_MANY = 500  # bound on the values of one IN list
_WRITES = "opportune_writes"  # execution option: take the write lock when the transaction begins


@dataclass(frozen=True)
class StoredContact:
    """One notice that was or will be sent; its channels counted once."""

    decision_id: str
    customer_id: str
    trigger: Trigger
    sent_at_us: int
    opened: bool


@dataclass(frozen=True)
class Withdrawal:
    """A customer's no: to one channel, or (after a complaint) to all of them."""

    customer_id: str
    channel: Channel
    from_all: bool


class StoreSession:
    """One transaction: what it reads cannot change before what it writes is committed."""

    def __init__(self, connection: Connection) -> None:
        """Work on an open transaction."""
        self._connection = connection

    def find_by_keys(self, requests: Sequence[DecisionRequest]) -> dict[str, Decision]:
        """Records that exist under the requests' idempotency keys, by key.

        Raises:
            ConflictError: A key was used for a different request.
        """
        digests = {r.idempotency_key: digest_of(r) for r in requests if r.idempotency_key}
        found: dict[str, Decision] = {}
        for keys in _in_lots(list(digests)):
            for key, digest, record in self._connection.execute(RECORDS_BY_KEY, {"keys": keys}):
                if digest != digests[key]:
                    raise ConflictError(
                        f"idempotency_key {key!r} was used for a different request before"
                    )
                found[key] = Decision.model_validate_json(record)
        return found

    def find_contacts(self, customer_ids: Sequence[str], *, since_us: int) -> list[StoredContact]:
        """Notices to these customers sent or planned since then, with whether a human opened."""
        found: dict[str, StoredContact] = {}
        for ids in _in_lots(list(dict.fromkeys(customer_ids))):
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

    def find_withdrawals(self, customer_ids: Sequence[str]) -> list[Withdrawal]:
        """Unsubscribes and complaints of these customers."""
        found: list[Withdrawal] = []
        for ids in _in_lots(list(dict.fromkeys(customer_ids))):
            rows = self._connection.execute(WITHDRAWALS, {"ids": ids})
            for customer_id, channel, outcome in rows:
                found.append(
                    Withdrawal(customer_id, Channel(channel), outcome == Outcome.COMPLAINED.value)
                )
        return found

    def add_decisions(
        self, records: Sequence[Decision], requests: Sequence[DecisionRequest]
    ) -> None:
        """Keep new records and their messages."""
        if not records:
            return
        self._connection.execute(
            insert(decisions),
            [
                _decision_row(record, request)
                for record, request in zip(records, requests, strict=True)
            ],
        )
        rows = [row for record in records for row in _message_rows(record)]
        if rows:
            self._connection.execute(insert(messages), rows)

    def add_outcomes(self, events: Sequence[OutcomeEvent]) -> list[OutcomeState]:
        """Book outcomes; posting one twice changes nothing. States in the order of the events."""
        sent_at: dict[str, int] = {}
        for ids in _in_lots(list({e.message_id for e in events})):
            rows = self._connection.execute(SENDING_TIMES, {"ids": ids})
            sent_at.update((message_id, sent_at_us) for message_id, sent_at_us in rows)
        return [self._book(event, sent_at.get(event.message_id)) for event in events]

    def _book(self, reported: OutcomeEvent, sent_at_us: int | None) -> OutcomeState:
        if sent_at_us is None:
            return OutcomeState.UNKNOWN_MESSAGE
        at_us = to_us(reported.at)
        if at_us < sent_at_us:
            return OutcomeState.BEFORE_MESSAGE
        row = {
            "message_id": reported.message_id,
            "outcome": reported.outcome.value,
            "at_us": at_us,
            "value_cents": reported.value_cents,
            "machine": reported.machine,
        }
        result = self._connection.execute(
            insert_or_ignore(outcomes).on_conflict_do_nothing(), [row]
        )
        return OutcomeState.BOOKED if result.rowcount else OutcomeState.DUPLICATE


class Store:
    """A SQLite database in WAL mode: committed before it is acknowledged, survives `kill -9`.

    Writers take the write lock when their transaction begins, so that limits which are read in
    it hold until it is committed, whichever process writes.
    """

    def __init__(self, path: Path) -> None:
        """Open the database at that path, and make it where there is none."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._engine = _open_engine(path)
        # Workers start together: whoever comes second must see the tables, not make them again.
        with self._engine.execution_options(**{_WRITES: True}).begin() as connection:
            metadata.create_all(connection, checkfirst=True)

    @contextmanager
    def transaction(self) -> Iterator[StoreSession]:
        """A transaction that holds the write lock; rolled back when the body raises."""
        with self._engine.execution_options(**{_WRITES: True}).begin() as connection:
            yield StoreSession(connection)

    def read_decision(self, decision_id: str) -> Decision | None:
        """The record of that identity, or None."""
        query = select(decisions.c.record).where(decisions.c.decision_id == decision_id)
        with self._engine.connect() as connection:
            record = connection.execute(query).scalar()
        return None if record is None else Decision.model_validate_json(record)

    def read_messages(self, *, since: datetime, until: datetime) -> pd.DataFrame:
        """Messages with `since <= sent_at < until` as rows of the `messages` table."""
        period = {"since_us": to_us(since), "until_us": to_us(until)}
        with self._engine.connect() as connection:
            rows = connection.execute(MESSAGES_BETWEEN, period).mappings().all()
        columns = [column.name for column in messages.columns]
        frame = pd.DataFrame([dict(row) for row in rows], columns=columns)
        frame["sent_at"] = pd.to_datetime(frame.pop("sent_at_us"), unit="us", utc=True).astype(
            "datetime64[us, UTC]"
        )
        return frame

    def read_rewards(self, *, as_of: datetime, window_days: int) -> list[Reward]:
        """Rewards of every message whose window had closed by `as_of`.

        Success is a click or a conversion by a human within the window. Later outcomes do not
        count, and a message whose window is open is pending, not failed.
        """
        moments = {"window_us": window_days * DAY_US, "as_of_us": to_us(as_of)}
        with self._engine.connect() as connection:
            return [
                Reward(row[0], Trigger(row[1]), Channel(row[2]), row[3], bool(row[4]))
                for row in connection.execute(select_rewards(), moments)
            ]

    def close(self) -> None:
        """Give back the connections."""
        self._engine.dispose()


def _in_lots(values: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(values), _MANY):
        yield values[start : start + _MANY]


def digest_of(request: DecisionRequest) -> str:
    """What makes two requests the same; the key itself is left out."""
    body = request.model_dump_json(exclude={"idempotency_key"})
    return hashlib.blake2b(body.encode(), digest_size=12).hexdigest()


def _open_engine(path: Path) -> Engine:
    engine = create_engine(f"sqlite:///{path}", connect_args={"timeout": _BUSY_TIMEOUT_MS / 1000})

    @event.listens_for(engine, "connect")
    def _configure(connection: object, _: ConnectionPoolEntry) -> None:
        # The driver must not open transactions of its own: "begin" below does.
        connection.isolation_level = None  # type: ignore[attr-defined]  # sqlite3's own attribute
        cursor = connection.cursor()  # type: ignore[attr-defined]
        cursor.execute(f"PRAGMA busy_timeout={_BUSY_TIMEOUT_MS}")
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=NORMAL")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get(_WRITES, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _decision_row(record: Decision, request: DecisionRequest) -> dict[str, object]:
    return {
        "decision_id": record.decision_id,
        "idempotency_key": record.idempotency_key,
        "request_digest": digest_of(request) if request.idempotency_key else None,
        "customer_id": record.customer_id,
        "trigger": record.trigger.value,
        "decided_at_us": to_us(record.decided_at),
        "arm": record.arm.value,
        "send": record.send,
        "reason": record.reason.value,
        "propensity": record.propensity,
        "record": record.model_dump_json(),
    }


def _message_rows(record: Decision) -> list[dict[str, object]]:
    if record.send_at is None or record.variant is None:
        return []
    return [
        {
            "message_id": message.message_id,
            "decision_id": record.decision_id,
            "customer_id": record.customer_id,
            "trigger": record.trigger.value,
            "channel": message.channel.value,
            "variant": message.variant,
            "sent_at_us": to_us(record.send_at),
            "arm": record.arm.value,
            "propensity": record.propensity,
            "p_variant": record.variants[record.variant],
            "cost_cents": message.cost_cents,
        }
        for message in record.messages
    ]
