"""A salon chain whose messages arrive one by one."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from serving.autopilot.inbound.desk import KnownCustomers
from serving.autopilot.inbound.files import read_messages
from serving.autopilot.inbound.message import InboundMessage
from serving.autopilot.inbound.triage import OfflineTriage, Triage
from serving.autopilot.story import KnownFacts
from serving.autopilot.watch.known import Directory
from serving.autopilot.watch.prepared import PreparedDetector
from serving.autopilot.watch.sorting import Sorter
from serving.autopilot.watch.watcher import Watcher
from serving.store.store import Store
from tests.serving.autopilot.acting.chain import find_detector

DAY = read_messages(Path(__file__).parents[1] / "heat.csv")
LAG = timedelta(milliseconds=200)


@pytest.fixture(scope="session")
def assumed() -> PreparedDetector:
    return find_detector()


def everybody() -> KnownFacts:
    """Whoever has an identity is a customer; c104 has chosen Russian."""
    who = {one.customer_id for one in DAY if one.customer_id is not None}
    return KnownFacts(KnownCustomers({**dict.fromkeys(who), "c104": "ru"}, {}, {"c101": "Айгуль"}))


def make_watcher(
    store: Store,
    prepared: PreparedDetector,
    *,
    known: KnownFacts | None = None,
    model: Triage | None = None,
) -> Watcher:
    triage = OfflineTriage(prepared.taxonomy)
    return Watcher(
        store,
        prepared=prepared,
        triage=triage,
        sorter=Sorter(triage, model=model, patience_seconds=3.0),
        directory=Directory(known or everybody()),
    )


@dataclass
class Chain:
    """Messages come in, and are looked at a moment later."""

    store: Store
    watcher: Watcher
    n_posted: int = field(default=0)

    def post(self, messages: Sequence[InboundMessage]) -> None:
        for one in messages:
            with self.store.transaction() as session:
                session.inbound.add([one], arrived_at=one.at)
            self.watcher.look(one.at + LAG)

    def wait(self, until: datetime, *, since: datetime, step: timedelta) -> None:
        moment = since
        while moment < until:
            moment += step
            self.watcher.look(moment)

    def write(self, minutes: float, customer: str | None, text: str, **changes: str) -> None:
        at = DAY[0].at + timedelta(days=7, minutes=minutes)
        self.n_posted += 1
        inbound_id = changes.get("inbound_id", f"w{self.n_posted}")
        branch = changes.get("branch", "Dostyk 5")
        self.post([InboundMessage(inbound_id, at, customer, "whatsapp", branch, text)])


@pytest.fixture
def chain(store: Store, assumed: PreparedDetector) -> Chain:
    return Chain(store, make_watcher(store, assumed))


@pytest.fixture(params=["sqlite", "postgresql"])
def either_store(request: pytest.FixtureRequest, store: Store) -> Iterator[Store]:
    if request.param == "sqlite":
        yield store
        return
    new_database: Callable[[], str] = request.getfixturevalue("new_postgres_database")
    opened = Store(new_database())
    yield opened
    opened.close()
