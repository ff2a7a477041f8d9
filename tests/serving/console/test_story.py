"""What the log's page makes of rows that somebody changed."""

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import create_engine, text

from serving.audit.chain import verify_chain
from serving.audit.entries import EntryKind
from serving.console.story import list_days
from serving.store.store import Store

AT = datetime(2026, 6, 10, tzinfo=UTC)


@pytest.mark.parametrize("moment", ["9000000000000000000", "'abc'"])
def test_a_row_whose_moment_was_changed_stands_on_the_page_without_one(
    moment: str, tmp_path: Path
) -> None:
    store = Store(tmp_path / "store.db")
    with store.transaction() as session:
        for n in range(3):
            session.audit.append(
                EntryKind.OBSERVATION, "incident/i7", {"n": n}, by="d", at=AT, words=f"w{n}"
            )
    engine = create_engine(f"sqlite:///{tmp_path / 'store.db'}")
    with engine.begin() as connection:
        connection.execute(text(f"UPDATE audit_log SET at_us = {moment} WHERE seq = 2"))
    engine.dispose()

    with store.reading() as session:
        entries = list(session.audit.read())
    days = list_days(entries, zone=ZoneInfo("UTC"))
    store.close()

    assert "row 2" in str(verify_chain(entries).fault)
    assert [(day.at, [one.words for one in day.told]) for day in days] == [
        (AT, ["w0"]),
        (None, ["w1"]),
        (AT, ["w2"]),
    ]
