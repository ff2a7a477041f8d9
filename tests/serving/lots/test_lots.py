import hashlib
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from features.errors import ConflictError
from features.vocabulary import Channel, Outcome, Trigger
from serving.decide import Engine
from serving.lots.decided import Kept
from serving.lots.lot import DecisionLot
from serving.lots.packing import pack_lot, unpack_lot
from serving.lots.reading import read_record, read_records
from serving.policy.budgets import Budget, BudgetPeriod, BudgetUnit
from serving.records import Decision, DecisionRequest, OutcomeEvent, Profile, Reason
from serving.snapshot.state import Snapshot
from serving.store.rows import digest_of
from serving.store.schema import decisions, messages
from serving.store.shelf import DecisionShelf
from serving.store.store import Store

EngineMaker = Callable[[Snapshot], Engine]
EvidenceMaker = Callable[[Trigger], dict[str, str | int]]


class Recorder(DecisionShelf):
    """A shelf that shows the lots it was given."""

    lots: ClassVar[list[DecisionLot]] = []

    def add_lot(self, lot: DecisionLot) -> Kept:
        self.lots.append(lot)
        return super().add_lot(lot)


@pytest.fixture
def lots(monkeypatch: pytest.MonkeyPatch) -> list[DecisionLot]:
    """Lots in the order in which they are kept."""
    monkeypatch.setattr(Recorder, "lots", [])
    monkeypatch.setattr("serving.store.store.DecisionShelf", Recorder)
    return Recorder.lots


@pytest.fixture(params=[0, 1_000], ids=["in lots", "as records"])
def few(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways in which the store keeps a lot."""
    monkeypatch.setattr("serving.store.shelf.FEW", request.param)


def ask_everything(evidence_of: EvidenceMaker) -> list[DecisionRequest]:
    """Every trigger, customers without consent, strangers with a profile and without."""
    triggers = list(Trigger)
    known = [
        DecisionRequest(
            customer_id=f"c{n:03d}",
            trigger=triggers[n % len(triggers)],
            evidence=evidence_of(triggers[n % len(triggers)]) if n % 3 else {},
            idempotency_key=f"k{n}" if n % 2 else None,
        )
        for n in range(60)
    ]
    profile = Profile(consents=frozenset(Channel), language="kk", first_name="Әсел")
    strangers = [
        DecisionRequest(customer_id="new", trigger=Trigger.DELIVERY_DELAY, profile=profile),
        DecisionRequest(customer_id="nobody", trigger=Trigger.DELIVERY_DELAY),
    ]
    return [*known, *strangers]


def test_a_lot_says_the_same_after_it_was_packed(
    snapshot: Snapshot,
    engine_of: EngineMaker,
    evidence_of: EvidenceMaker,
    lots: list[DecisionLot],
) -> None:
    decided = engine_of(snapshot).decide_batch(ask_everything(evidence_of))

    found = [list(read_records(lot)) for lot in lots]
    assert sum(map(len, found)) == len(decided) == 62
    assert {d.reason for records in found for d in records} >= {
        Reason.CHOSEN, Reason.NO_CONSENT, Reason.UNKNOWN_CUSTOMER,
    }  # fmt: skip
    assert any(len(d.channels) > 1 for records in found for d in records)
    for lot, records in zip(lots, found, strict=True):
        assert list(read_records(unpack_lot(pack_lot(lot)))) == records
    by_id = {d.decision_id: d for records in found for d in records}
    assert {d.decision_id: d for d in decided} == by_id


def test_records_of_a_lot_pass_through_json(
    snapshot: Snapshot, engine_of: EngineMaker, evidence_of: EvidenceMaker
) -> None:
    for record in engine_of(snapshot).decide_batch(ask_everything(evidence_of)):
        assert Decision.model_validate_json(record.model_dump_json()) == record


def test_a_lot_up_to_a_row_is_the_first_rows(
    snapshot: Snapshot,
    engine_of: EngineMaker,
    evidence_of: EvidenceMaker,
    lots: list[DecisionLot],
) -> None:
    evidence = evidence_of(Trigger.DELIVERY_DELAY)
    engine_of(snapshot).decide_batch(
        [
            DecisionRequest(
                customer_id=f"c{n:03d}", trigger=Trigger.DELIVERY_DELAY, evidence=evidence
            )
            for n in range(30)
        ]
    )
    (lot,) = lots
    whole = list(read_records(lot))
    for n in (1, 7, 29, 30):
        first = lot.up_to(n)
        assert list(read_records(first)) == whole[:n]
        assert list(read_records(unpack_lot(pack_lot(first)))) == whole[:n]


@pytest.mark.usefixtures("few")
def test_the_store_has_rows_of_a_lot_as_of_records(
    snapshot: Snapshot,
    engine_of: EngineMaker,
    evidence_of: EvidenceMaker,
    store: Store,
    tmp_path: Path,
) -> None:
    """What is looked up without a record is the same whichever way it was kept."""
    requests = ask_everything(evidence_of)
    decided = engine_of(snapshot).decide_many(requests)
    elsewhere = Store(tmp_path / "elsewhere.db")
    with elsewhere.transaction() as session:
        session.add_decisions(decided, requests)

    rows = []
    for one in (store, elsewhere):
        with one.reading() as session:
            connection = session._connection
            kept = connection.execute(select(decisions).order_by("decision_id")).mappings().all()
            sent = connection.execute(select(messages).order_by("message_id")).mappings().all()
            passing = ("record", "lot_id", "lot_row")
            rows.append(
                (
                    [{k: v for k, v in row.items() if k not in passing} for row in kept],
                    [dict(row) for row in sent],
                )
            )
    elsewhere.close()

    assert rows[0] == rows[1]
    assert len(rows[0][1]) > 40


@pytest.mark.usefixtures("few")
def test_records_are_found_among_those_that_earlier_versions_kept(
    snapshot: Snapshot, engine_of: EngineMaker, evidence_of: EvidenceMaker, store: Store
) -> None:
    engine = engine_of(snapshot)
    requests = ask_everything(evidence_of)
    new = engine.decide_many(requests[:40])
    later = snapshot.as_of - timedelta(days=60)
    old = [
        record.model_copy(
            update={
                "decision_id": f"old{n}",
                "idempotency_key": f"o{n}",
                "decided_at": later,
                "messages": (),
                "send_at": None,
            }
        )
        for n, record in enumerate(new[:5])
    ]
    asked = [r.model_copy(update={"idempotency_key": f"o{n}"}) for n, r in enumerate(requests[:5])]
    with store.transaction() as session:
        session.add_decisions(old, asked)

    with store.reading() as session:
        found = [record for part in session.read_decisions() for record in part]
        by_key = session.find_by_keys([*requests, *asked])
    assert found[:5] == old
    assert sorted(found[5:], key=lambda d: d.decision_id) == sorted(
        new, key=lambda d: d.decision_id
    )
    keyed = {d.idempotency_key: d for d in (*new, *old) if d.idempotency_key}
    assert by_key == keyed
    assert engine.decide_many(requests[:40])[1::2] == new[1::2]
    with pytest.raises(ConflictError, match="'k1'"):
        engine.decide(requests[1].model_copy(update={"customer_id": "another"}))


@pytest.mark.usefixtures("few")
def test_outcomes_are_booked_for_messages_of_a_lot(
    snapshot: Snapshot, engine_of: EngineMaker, evidence_of: EvidenceMaker, store: Store
) -> None:
    engine = engine_of(snapshot)
    sent = next(d for d in engine.decide_batch(ask_everything(evidence_of)) if d.send)
    assert sent.send_at is not None
    event = OutcomeEvent(
        message_id=sent.messages[0].message_id, outcome=Outcome.CLICKED, at=sent.send_at
    )
    with store.transaction() as session:
        session.add_outcomes([event])
        log = session.learning.read_log(since_us=0)
        (contact,) = session.find_contacts([sent.customer_id], since_us=0)

    row = log.messages.set_index("message_id").loc[event.message_id]
    assert row["variant"] == sent.messages[0].variant
    assert row["p_variant"] == sent.variants[sent.variant or ""]
    assert sent.context is not None
    kept = log.numbers[log.messages["message_id"].tolist().index(event.message_id)]
    told = [np.nan if x is None else x for x in sent.context.numbers]
    np.testing.assert_array_equal(kept, told)
    assert contact.opened


def test_a_batch_decides_alike_whatever_the_size_of_its_lots(
    snapshot: Snapshot,
    engine_of: EngineMaker,
    evidence_of: EvidenceMaker,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With a budget that runs out on the way, too."""
    budget = Budget(name="cents", unit=BudgetUnit.CENTS, limit=4.0, per=BudgetPeriod.CAMPAIGN)
    engine = engine_of(snapshot)
    engine = replace(engine, settings=engine.settings.model_copy(update={"budgets": (budget,)}))
    requests = [
        request.model_copy(update={"idempotency_key": f"k{n}"})
        for n, request in enumerate(ask_everything(evidence_of))
    ]
    found: list[list[Decision]] = []
    for rows in (2_000, 7):
        monkeypatch.setattr("serving.decide._ROWS", rows)
        store = Store(tmp_path / f"{rows}.db")
        found.append(replace(engine, store=store).decide_many(requests))
        store.close()

    assert found[0] == found[1]
    assert any(d.reason is Reason.BUDGET for d in found[0])


def test_decided_makes_records_where_they_are_read(
    snapshot: Snapshot,
    engine_of: EngineMaker,
    evidence_of: EvidenceMaker,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("serving.store.shelf.FEW", 0)
    made: list[int] = []

    def read(lot: DecisionLot, row: int) -> Decision:
        made.append(row)
        return read_record(lot, row)

    monkeypatch.setattr("serving.lots.decided.read_record", read)
    decided = engine_of(snapshot).decide_batch(ask_everything(evidence_of))

    reasons = decided.count_reasons()
    assert made == []
    assert decided[3] == decided[3]
    assert len(made) == 2
    assert sum(reasons.values()) == len(decided)
    assert [d.decision_id for d in decided[2:4]] == [d.decision_id for d in list(decided)[2:4]]


def test_decided_gives_the_records_that_a_few_were_kept_as(
    snapshot: Snapshot,
    engine_of: EngineMaker,
    evidence_of: EvidenceMaker,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One record is made of a single request, though it is both kept and answered."""
    made: list[int] = []

    def read(lot: DecisionLot, row: int) -> Decision:
        made.append(row)
        return read_record(lot, row)

    monkeypatch.setattr("serving.lots.reading.read_record", read)
    engine = engine_of(snapshot)
    decided = engine.decide_batch(ask_everything(evidence_of)[:1])

    assert engine.store.read_decision(decided[0].decision_id) == decided[0]
    assert made == [0]


def test_a_lot_keeps_each_frame_once(
    snapshot: Snapshot,
    engine_of: EngineMaker,
    evidence_of: EvidenceMaker,
    lots: list[DecisionLot],
) -> None:
    """Whatever the library says later: a lot holds all that its texts are read from."""
    items = [f"Kettle <{n}> & more" for n in range(40)]
    engine_of(snapshot).decide_batch(
        [
            DecisionRequest(
                customer_id=f"c{n:03d}",
                trigger=Trigger.ABANDONED_CART,
                evidence={**evidence_of(Trigger.ABANDONED_CART), "item": item},
            )
            for n, item in enumerate(items)
        ]
    )
    (lot,) = lots
    read = unpack_lot(pack_lot(lot)).words.contents

    assert [one.to_content() for one in read] == [one.to_content() for one in lot.words.contents]
    frames = {id(one.frame) for one in read}
    assert len(frames) == len({one.frame.model_dump_json() for one in read}) < len(read)


@given(
    customer_id=st.text(
        st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=30
    )
)
def test_digest_is_that_of_earlier_versions(customer_id: str) -> None:
    """Which was taken of the request's own JSON."""
    request = DecisionRequest(customer_id=customer_id, trigger=Trigger.PRICE_DROP)
    body = request.model_dump_json(include={"customer_id", "trigger"})
    expected = hashlib.blake2b(body.encode(), digest_size=12).hexdigest()
    assert digest_of(customer_id, Trigger.PRICE_DROP) == expected


def test_decided_reads_packed_lots_of_large_batches(
    snapshot: Snapshot,
    engine_of: EngineMaker,
    evidence_of: EvidenceMaker,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    requests = [
        request.model_copy(update={"idempotency_key": f"k{n}"})
        for n, request in enumerate(ask_everything(evidence_of))
    ]
    engine = engine_of(snapshot)
    expected = engine.decide_many(requests)
    monkeypatch.setattr("serving.lots.decided._MOST_OPEN", 0)
    monkeypatch.setattr("serving.store.shelf.FEW", 0)
    store = Store(tmp_path / "packed.db")

    decided = replace(engine, store=store).decide_batch(requests)
    store.close()

    assert list(decided) == expected
