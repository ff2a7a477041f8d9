import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from features.vocabulary import Trigger
from serving.decide import Engine
from serving.records import DecisionRequest
from serving.snapshot.state import Snapshot
from serving.store.store import Store


def test_an_earlier_store_takes_lots_beside_its_records(
    tmp_path: Path, snapshot: Snapshot, engine_of: Callable[[Snapshot], Engine]
) -> None:
    path = tmp_path / "old.db"
    requests = [
        DecisionRequest(
            customer_id=f"c{n:03d}", trigger=Trigger.PRICE_DROP, idempotency_key=f"k{n}"
        )
        for n in range(20)
    ]
    engine = engine_of(snapshot)
    earlier = engine.decide_many(requests[:10])
    old = Store(path)
    with old.transaction() as session:
        session.add_decisions(earlier, requests[:10])
    old.close()
    with sqlite3.connect(path) as connection:
        for column in ("lot_id", "lot_row"):
            connection.execute(f"ALTER TABLE decisions DROP COLUMN {column}")
        for table in ("decision_lots", "served_lots"):
            connection.execute(f"DROP TABLE {table}")
    connection.close()

    store = Store(path)
    decided = replace(engine, store=store).decide_many(requests)
    with store.reading() as session:
        found = [record for part in session.read_decisions() for record in part]
    one = store.read_decision(decided[-1].decision_id)
    store.close()

    assert decided[:10] == earlier
    assert {d.decision_id: d for d in found} == {d.decision_id: d for d in decided}
    assert one == decided[-1]


def test_a_store_of_an_earlier_version_gets_the_columns_it_lacks(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    Store(path).close()
    with sqlite3.connect(path) as connection:
        for column in ("language", "segment", "context"):
            connection.execute(f"ALTER TABLE messages DROP COLUMN {column}")
        for column in ("lot_id", "lot_row"):
            connection.execute(f"ALTER TABLE decisions DROP COLUMN {column}")
        for table in ("decision_lots", "served_lots"):
            connection.execute(f"DROP TABLE {table}")
        connection.execute(
            "INSERT INTO decisions (decision_id, customer_id, trigger, decided_at_us, arm, send, "
            "reason, propensity, record) VALUES "
            "('d', 'c', 'price_drop', 1, 'learned', 1, 'chosen', 0.5, '{}')"
        )
        connection.execute(
            "INSERT INTO messages (message_id, decision_id, customer_id, trigger, channel, "
            "variant, sent_at_us, arm, propensity, p_variant, cost_cents) VALUES "
            "('m', 'd', 'c', 'price_drop', 'email', 'v', 1, 'learned', 0.5, 0.5, 0.1)"
        )
    connection.close()

    Store(path).close()
    store = Store(path)  # a second opening finds nothing to do
    with store.reading() as session:
        log = session.learning.read_log(since_us=0)
    store.close()

    assert log.messages["message_id"].tolist() == ["m"]
    assert log.messages["language"].tolist() == [""]
