"""Customers as the tables or the store know them."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from features.tables import Tables
from features.vocabulary import Channel
from serving.delivery.recipients import RecipientBook, has_consent
from serving.online.facts import Fact
from serving.online.ledger import require_generation, take_facts
from serving.online.rebuild import rebuild_online
from serving.policy.cases import to_us
from serving.store.store import Store

NOON = datetime(2026, 6, 10, 12, tzinfo=UTC)


def test_tables_say_what_customers_agreed_to(tables: Tables, tmp_path: Path) -> None:
    store = Store(tmp_path / "store.db")
    book = RecipientBook.of_tables(tables)
    customers = tables["customers"]
    with store.reading() as session:
        for row in customers.to_dict(orient="records"):
            found = book.find(session, row["customer_id"], at_us=to_us(NOON))
            assert found is not None
            assert found.timezone == row["timezone"]
            for channel in Channel:
                said = row[f"consent_{channel}"]
                assert has_consent(found, channel=channel) is (said is True or said is np.True_)
        assert book.find(session, "nobody", at_us=to_us(NOON)) is None


def test_newer_tables_win_over_a_rebuild_of_older_ones(tables: Tables, tmp_path: Path) -> None:
    store = Store(tmp_path / "store.db")
    rebuild_online(store, tables, as_of=NOON)
    today = tables["customers"].assign(consent_email=False)
    book = RecipientBook.of_tables({**tables, "customers": today})
    with store.reading() as session:
        for customer_id in today["customer_id"]:
            found = book.find(session, customer_id, at_us=to_us(NOON) + 10**9)
            assert found is not None
            assert not has_consent(found, channel=Channel.EMAIL)


def test_a_row_that_was_posted_since_wins_over_the_tables(tables: Tables, tmp_path: Path) -> None:
    store = Store(tmp_path / "store.db")
    book = RecipientBook.of_tables(tables)
    customer_id = next(
        customer_id
        for customer_id, profile in book.rows.items()
        if has_consent(profile, channel=Channel.EMAIL)
    )
    told = {
        "customer_id": customer_id,
        "signed_up_at": to_us(NOON) - 10**12,
        "timezone": "Asia/Almaty",
        "language": "kk",
        **{f"consent_{channel}": False for channel in Channel},
    }
    with store.transaction() as session:
        require_generation(session.online)
        take_facts(session.online, [(Fact("customers", told, to_us(NOON)), to_us(NOON))])

    with store.reading() as session:
        found = book.find(session, customer_id, at_us=to_us(NOON))
        before = book.find(session, customer_id, at_us=to_us(NOON) - 1)

    assert found is not None
    assert found.timezone == "Asia/Almaty"
    assert not found.consent.any()
    assert before is not None
    assert has_consent(before, channel=Channel.EMAIL)
