"""Decisions over rows at rest: the engine of the service, on parts that hold whole customers.

`write_cases` puts requests into a file, each with what the store knows of its customer.
`CaseDecider` decides them wherever they are, customer by customer, so that limits hold without
anybody else being asked. `book_decisions` brings the records home to the store. A record's identity
and its draws come from the request's key: the same case gives the same record in every process.
"""

import json
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import TypeVar

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic import TypeAdapter

from features.economics import Economics
from features.engines.batches import read_batches
from serving.batch.customers import read_customers
from serving.copy.library import Library, default_library
from serving.copy.settings import CopySettings
from serving.decide import LOOK_BACK_US, Engine
from serving.policy.cases import from_us, to_us
from serving.policy.newcomers import NO_NOVICES, Novices
from serving.policy.settings import PolicySettings
from serving.records import Decision, DecisionRequest
from serving.snapshot.state import Models, Snapshot
from serving.store.incidents import Incident
from serving.store.memory import Memory, MemoryStore
from serving.store.protocol import DecisionSession
from serving.store.rows import DecisionRows, write_rows
from serving.store.store import Store
from training.bandit.files import read_bandit
from training.bandit.policy import VariantPolicy
from training.registry.servable import ChannelModel, ChurnModel, SendTimeModel, UpliftModel

DECISIONS = pa.schema(
    [
        ("decision_id", pa.string()),
        ("customer_id", pa.string()),
        ("trigger", pa.string()),
        ("arm", pa.string()),
        ("reason", pa.string()),
        ("channels", pa.string()),
        ("variant", pa.string()),
        ("record", pa.string()),
        ("request", pa.string()),
        ("send", pa.bool_()),
        ("send_at", pa.timestamp("us", "UTC")),
        ("propensity", pa.float64()),
        ("rows", pa.string()),
    ]
)
"""A file of decisions: what one filters by in columns; record, request and the store's own rows of
them (without the record) as JSON."""

CASES = pa.schema(
    [
        ("customer_id", pa.string()),
        ("position", pa.int64()),
        ("request", pa.string()),
        ("earlier", pa.string()),
        ("memory", pa.string()),
    ]
)
"""A file of cases: requests in their order, the record of those answered before, and what the store
knows of the customer, both as JSON."""

_MEMORY = TypeAdapter(Memory)
_NOTHING = Memory()
_LOT = 5_000  # cases looked up, decided or booked at once
_T = TypeVar("_T")


@dataclass(frozen=True)
class CaseDecider:
    """Decides cases that come with their customers, all rows of a customer one after the other.

    Attributes:
        version: Of the snapshot.
        as_of_us: Moment of the features.
        models: Champions as JSON, by the name of their file.
        bandit: State of the variants' bandit, as JSON.
        policy: The policy.
        economics: Prices.
        copy_settings: Brand, currency and links of the texts.
        regional: Incidents of regions.
        library: What may be said; None for what ships.
        novices: Variants of which too little is known yet.
    """

    version: str
    as_of_us: int
    models: tuple[tuple[str, str], ...]
    bandit: str
    policy: PolicySettings
    economics: Economics
    copy_settings: CopySettings
    regional: tuple[Incident, ...] = ()
    library: Library | None = None
    novices: Novices = NO_NOVICES

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """The decisions of the cases, in lots of about 5,000."""
        for rows in _whole_customers(batches):
            earlier = rows.filter(pc.is_valid(rows["earlier"]))
            records = [
                Decision.model_validate_json(text) for text in earlier["earlier"].to_pylist()
            ]
            requests = _read_requests(earlier)
            fresh = rows.filter(pc.is_null(rows["earlier"]))
            if fresh.num_rows:
                asked = _read_requests(fresh)
                records += self._engine(fresh).decide_many(asked)
                requests += asked
            yield from to_table(records, requests).to_batches()

    def _engine(self, rows: pa.Table) -> Engine:
        store = MemoryStore(regional=self.regional)
        known = rows.filter(pc.is_valid(rows["memory"]))
        for customer_id, memory in zip(
            known["customer_id"].to_pylist(), known["memory"].to_pylist(), strict=True
        ):
            store.remember(customer_id, _MEMORY.validate_json(memory))
        as_of = from_us(self.as_of_us)
        customers, contacts = read_customers(rows)
        snapshot = Snapshot(
            self.version,
            as_of,
            customers,
            contacts,
            _read_models(self.models),
            _read_bandit(self.bandit),
        )
        return Engine(
            snapshot=snapshot,
            settings=self.policy,
            economics=self.economics,
            library=self.library or default_library(),
            copy_settings=self.copy_settings,
            store=store,
            clock=lambda: as_of,
            new_id=lambda: uuid.uuid4().hex,
            novices=self.novices,
        )


def write_models(models: Models) -> tuple[tuple[str, str], ...]:
    """The champions as JSON, by the name of their file."""
    return tuple((name, json.dumps(model.to_json())) for name, model in models.by_file().items())


def write_cases(requests: Iterable[DecisionRequest], store: Store, *, out: Path) -> int:
    """Write requests with what the store knows of their customers; how many of them it answered.

    The store is read in lots while the file is written; neither is ever in memory as a whole.
    """
    n_answered = 0
    position = 0
    out.parent.mkdir(parents=True, exist_ok=True)
    with pq.ParquetWriter(out, CASES, compression="zstd") as writer:
        for lot in _in_lots(requests):
            with store.reading() as session:
                earlier = session.find_by_keys(lot)
                memories = _recall(session, lot)
            n_answered += len(earlier)
            rows = {
                "customer_id": [r.customer_id for r in lot],
                "position": range(position, position + len(lot)),
                "request": [r.model_dump_json() for r in lot],
                "earlier": [_write_earlier(r, earlier) for r in lot],
                "memory": [memories.get(r.customer_id) for r in lot],
            }
            position += len(lot)
            writer.write_table(pa.table(rows, schema=CASES))
    return n_answered


def book_decisions(decisions: Path, store: Store) -> "Counter[str]":
    """Keep the records of a file of decisions; what is kept already stays as it is.

    Booking goes in lots, each whole or not at all, and can be repeated after a crash: a record is
    found again by its key.

    Args:
        decisions: File or folder of `DECISIONS`.
        store: Where to.

    Returns:
        Decisions by reason.

    Raises:
        ConflictError: A key was used for a different request.
    """
    reasons: Counter[str] = Counter()
    for part in read_batches(decisions, columns=("reason", "record", "rows"), n_rows=_LOT):
        reasons.update(part["reason"].to_pylist())
        # Nothing is parsed as a record again: whoever decided has written the rows already.
        texts = zip(part["rows"].to_pylist(), part["record"].to_pylist(), strict=True)
        booked = [_read_rows(rows, record=record) for rows, record in texts]
        with store.transaction() as session:
            session.book(booked)
    return reasons


def to_tables(
    decisions: Sequence[Decision], requests: Sequence[DecisionRequest]
) -> Iterator[pa.Table]:
    """`to_table` in lots, at least one: records are made for one lot at a time."""
    for start in range(0, max(len(requests), 1), _LOT):
        chosen = slice(start, start + _LOT)
        yield to_table(decisions[chosen], requests[chosen])


def to_table(decisions: Sequence[Decision], requests: Sequence[DecisionRequest]) -> pa.Table:
    """One row per decision, `DECISIONS`."""
    columns: Mapping[str, list[object]] = {
        "decision_id": [d.decision_id for d in decisions],
        "customer_id": [d.customer_id for d in decisions],
        "trigger": [d.trigger.value for d in decisions],
        "arm": [d.arm.value for d in decisions],
        "reason": [d.reason.value for d in decisions],
        "channels": ["+".join(d.channels) for d in decisions],
        "variant": [d.variant for d in decisions],
        "record": [d.model_dump_json() for d in decisions],
        "request": [r.model_dump_json() for r in requests],
        "send": [d.send for d in decisions],
        "send_at": [d.send_at for d in decisions],
        "propensity": [d.propensity for d in decisions],
        "rows": [_write_rows(d, r) for d, r in zip(decisions, requests, strict=True)],
    }
    return pa.table(columns, schema=DECISIONS)


def _write_rows(record: Decision, request: DecisionRequest) -> str:
    rows = write_rows(record, request)
    decision = {name: value for name, value in rows.decision.items() if name != "record"}
    return json.dumps({"decision": decision, "messages": rows.messages}, ensure_ascii=False)


def _read_rows(text: str, *, record: str) -> DecisionRows:
    rows = json.loads(text)
    return DecisionRows({**rows["decision"], "record": record}, rows["messages"])


def _recall(session: DecisionSession, requests: Sequence[DecisionRequest]) -> Mapping[str, str]:
    """What the store knows of these customers, as JSON; who is absent is unknown to it."""
    ids = list(dict.fromkeys(r.customer_id for r in requests))
    moments = [to_us(r.decided_at) for r in requests if r.decided_at is not None]
    contacts = session.find_contacts(ids, since_us=min(moments, default=0) - LOOK_BACK_US)
    refusals = session.find_refusals(ids)
    known: dict[str, Memory] = {}
    for contact in contacts:
        memory = known.get(contact.customer_id, _NOTHING)
        known[contact.customer_id] = replace(memory, contacts=(*memory.contacts, contact))
    for withdrawal in refusals.withdrawals:
        memory = known.get(withdrawal.customer_id, _NOTHING)
        withdrawals = (*memory.withdrawals, withdrawal)
        known[withdrawal.customer_id] = replace(memory, withdrawals=withdrawals)
    for bounce in refusals.bounces:
        memory = known.get(bounce.customer_id, _NOTHING)
        known[bounce.customer_id] = replace(memory, bounces=(*memory.bounces, bounce))
    for incident in session.find_incidents(ids, since_us=min(moments, default=0)):
        for customer_id in incident.customer_ids:
            memory = known.get(customer_id, _NOTHING)
            named = replace(incident, region=None, customer_ids=frozenset({customer_id}))
            known[customer_id] = replace(memory, incidents=(*memory.incidents, named))
    return {id_: _MEMORY.dump_json(memory).decode() for id_, memory in known.items()}


def _write_earlier(request: DecisionRequest, known: Mapping[str, Decision]) -> str | None:
    record = known.get(request.idempotency_key or "")
    return None if record is None else record.model_dump_json()


def _read_requests(rows: pa.Table | pa.RecordBatch) -> list[DecisionRequest]:
    return [DecisionRequest.model_validate_json(text) for text in rows["request"].to_pylist()]


def _in_lots(items: Iterable[_T]) -> Iterator[list[_T]]:
    iterator = iter(items)
    while lot := list(islice(iterator, _LOT)):
        yield lot


def _whole_customers(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.Table]:
    """Lots of about 5,000 rows; a customer's rows are never in two."""
    held: list[pa.RecordBatch] = []
    for batch in batches:
        held.append(batch)
        if sum(part.num_rows for part in held) >= _LOT:
            rows = pa.Table.from_batches(held)
            begin = _begin_of_last(rows["customer_id"])
            if begin:
                yield rows.slice(0, begin)
            held = rows.slice(begin).to_batches()
    if held:
        yield pa.Table.from_batches(held)


def _begin_of_last(ids: pa.ChunkedArray) -> int:
    """Position of the first row of the last customer."""
    return int(pc.index(ids, ids[-1]).as_py())


@lru_cache(maxsize=2)
def _read_models(texts: tuple[tuple[str, str], ...]) -> Models:
    """Read once per process, whatever number of parts it decides."""
    by_name = {name: json.loads(text) for name, text in texts}
    return Models(
        churn=ChurnModel.from_json(by_name["churn"]) if "churn" in by_name else None,
        channel=ChannelModel.from_json(by_name["channel"]) if "channel" in by_name else None,
        send_time=SendTimeModel.from_json(by_name["send_time"]) if "send_time" in by_name else None,
        uplift=UpliftModel.from_json(by_name["uplift"]) if "uplift" in by_name else None,
    )


@lru_cache(maxsize=2)
def _read_bandit(text: str) -> VariantPolicy:
    return read_bandit(text)
