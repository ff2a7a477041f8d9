"""`opportune deliver`, as people and programs use it."""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from features.errors import BadInputError, SourceUnreadableError
from features.tables import Tables
from features.vocabulary import Channel, Trigger
from serving.cli.main import build_app
from serving.delivery.queue import DRY_RUN
from serving.delivery.recipients import RecipientBook, has_consent
from serving.policy.cases import to_us
from serving.store.claims import OutboxState
from serving.store.store import Store
from tests.serving.delivery.world import NOON, plan

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("OPPORTUNE_HOME", str(tmp_path / "home"))

    def invoke(*arguments: str) -> tuple[int, str]:
        result = CliRunner().invoke(
            build_app(("deliver",)), ["deliver", *arguments], catch_exceptions=False
        )
        return result.exit_code, result.stdout

    return invoke


def test_due_messages_become_files_and_changed_nothing_else(
    run: Run, tables: Tables, tables_folder: Path, tmp_path: Path
) -> None:
    book = RecipientBook.of_tables(tables)
    agreed = next(c for c, p in book.rows.items() if has_consent(p, channel=Channel.EMAIL))
    store = Store(tmp_path / "home" / "store.db")
    plan(store, 1, customer_id=agreed, trigger=Trigger.SERVICE_DISRUPTION)
    plan(store, 2, customer_id="nobody")
    plan(store, 3, at=NOON + timedelta(hours=9), customer_id=agreed)
    asked = ("--once", "--data", str(tables_folder), "--as-of", NOON.isoformat())

    code, out = run(*asked, "--json")
    _, again = run(*asked)
    _, listed = run("--list", "refused", "--json")
    _, words = run("--list", "refused")

    assert code == 0
    assert json.loads(out) == {
        "lane": "dry_run",
        "taken_in": 2,
        "states": {"handed_over": 1, "refused": 1},
        "reasons": {"unknown_customer": 1},
        "stopped": None,
        "elsewhere": {
            "n_later": 1,
            "first_at": (NOON + timedelta(hours=9)).isoformat(),
            "n_before_the_lane": 0,
            "lane_began_at": None,
        },
        "notices": {
            "lane": "dry_run",
            "taken_in": 0,
            "states": {},
            "reasons": {},
            "stopped": None,
        },
    }
    assert "nothing due" in again
    assert "1 more wait for their moment, the first until 20" in again
    assert [one["message_id"] for one in json.loads(listed)["messages"]] == ["m2"]
    assert "unknown_customer" in words
    (file,) = (tmp_path / "home" / "outbox").iterdir()
    assert file.suffix == ".eml"
    with store.transaction() as session:
        assert session.find_cancelled() == []
    with store.reading() as session:
        assert list(session.read_outcomes()) == []


def test_dead_messages_are_requeued_by_name_and_the_log_keeps_who(run: Run, tmp_path: Path) -> None:
    store = Store(tmp_path / "home" / "store.db")
    plan(store)
    now_us = to_us(NOON)
    with store.transaction() as session:
        session.outbox.enqueue(lane=DRY_RUN, at_us=now_us, since_us=0)
        due = session.outbox.find_due(lane=DRY_RUN, at_us=now_us)
        assert due is not None
        session.outbox.end(due, OutboxState.DEAD, lane=DRY_RUN, at_us=now_us, reason="busy")

    done, out = run("--requeue", "m0", "--by", "dana", "--json")
    refused, words = run("--requeue", "m0")

    assert (done, json.loads(out)) == (0, {"requeued": {"m0": True}})
    assert refused == 1
    assert "m0: is not dead" in words
    with store.reading() as session:
        (entry,) = session.audit.read(subject="outbox")
    assert (entry.by, json.loads(entry.body)) == ("dana", {"id": "m0", "lane": DRY_RUN})
    with pytest.raises(BadInputError, match="expected --by"):
        run("--requeue", "m0", "--by", "two\nlines")


def test_what_contradicts_itself_or_has_no_store_is_refused(run: Run, tmp_path: Path) -> None:
    with pytest.raises(SourceUnreadableError, match="this home has no store yet"):
        run("--once")
    Store(tmp_path / "home" / "store.db").close()
    with pytest.raises(BadInputError, match="--list and --requeue"):
        run("--list", "dead", "--requeue", "m0")
