"""Two processes that act at once, as where PostgreSQL took the right from one that lives on."""

import threading
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from features.errors import ConflictError
from serving.store.acting_lock import hold_acting_lock
from serving.store.flows import FlowState
from serving.store.store import Store, StoreSession
from serving.workflows.catalogue import Catalogue
from serving.workflows.journal import JournalDriver
from serving.workflows.results import Flag, Kept
from serving.workflows.runner import FlowRunner
from tests.conftest import NewDatabase
from tests.serving.workflows.small import NOON, Small, make_workflow, read_spec

_MOST_SECONDS = 30.0
_ENDED = "case/c1: is ended, expected one that is asked or running"


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Path | str:
    if request.param == "sqlite":
        return tmp_path / "store.db"
    new_database: NewDatabase = request.getfixturevalue("new_postgres_database")
    return new_database()


@pytest.fixture
def case(place: Path | str, tmp_path: Path) -> Iterator[Small]:
    store = Store(place)
    yield Small(store, tmp_path, read_spec("steps: [{do: free, after_minutes: 30}]"))
    store.close()


def test_the_right_to_act_is_lost_with_its_connection(new_postgres_database: NewDatabase) -> None:
    url = new_postgres_database()
    with hold_acting_lock(url) as lock:
        with psycopg.connect(url.replace("+psycopg", "")) as admin:
            admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'"
                " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            )
        with pytest.raises(ConflictError, match="right to act is lost"):
            lock.require()
        with hold_acting_lock(url):
            pass


def test_what_has_ended_is_not_done_again(case: Small, place: Path | str) -> None:
    """The old process has its journal in memory; the new one comes to the end meanwhile."""
    store = Store(place)
    new = Small(store, case.home, case.spec, world=case.world, clock=case.clock)
    catalogue = Catalogue([make_workflow(case.spec, case.world)])
    old = FlowRunner(catalogue, case.parts, keeps=True)
    case.start()
    old.advance("case/c1")
    case.clock.now += timedelta(minutes=31)
    FlowRunner(catalogue, new.parts).advance("case/c1")
    assert case.find().state is FlowState.ENDED
    log = case.read_log()

    with pytest.raises(ConflictError, match=_ENDED):
        old.advance("case/c1")

    assert case.world.calls == {"case/c1/free": 1}
    assert case.read_log() == log
    store.close()


def test_an_end_that_is_being_written_is_waited_for(case: Small, place: Path | str) -> None:
    """What is asked before an effect holds until its commit; what acts outside asks as well."""
    case.start()
    driver = JournalDriver(case.store, case.find(), results={}, clock=case.clock)
    begun = threading.Event()
    found: list[str] = []

    def act(now: datetime) -> Flag:
        found.append("it was done")
        return Flag(True)

    def note(session: StoreSession, now: datetime) -> Flag:
        return act(now)

    def do_once() -> None:
        begun.set()
        try:
            driver.once("k", note, as_=Kept(Flag)).send(None)
        except ConflictError as fault:
            found.append(str(fault))

    thread = threading.Thread(target=do_once)
    store = Store(place)
    with store.transaction() as session:
        thread.start()
        assert begun.wait(_MOST_SECONDS)
        time.sleep(0.1)  # by now it waits for the lock
        session.flows.end("case/c1", state=FlowState.ENDED, why="a test", at=NOON)
    thread.join(_MOST_SECONDS)
    store.close()

    with pytest.raises(ConflictError, match=_ENDED):
        driver.do("k", act, as_=Kept(Flag)).send(None)
    assert len(found) == 1
    assert _ENDED in found[0]
