import sqlite3
from pathlib import Path

from serving.store.store import Store


def test_a_store_of_an_earlier_version_gets_the_columns_it_lacks(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    Store(path).close()
    with sqlite3.connect(path) as connection:
        for column in ("language", "segment", "context"):
            connection.execute(f"ALTER TABLE messages DROP COLUMN {column}")
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
