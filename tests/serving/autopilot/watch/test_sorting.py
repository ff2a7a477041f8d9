"""A model sorts messages, and holds nothing up."""

from datetime import timedelta
from threading import Event
from time import monotonic

import pytest

from serving.autopilot.inbound.message import InboundMessage, Triaged, TriagedBy
from serving.autopilot.inbound.mood import Severity
from serving.autopilot.watch.prepared import PreparedDetector
from serving.store.inbound import Reading
from serving.store.store import Store
from tests.serving.autopilot.watch.conftest import DAY, Chain, make_watcher

BILLED = Triaged("billing", True, Severity.LOW, "ru", TriagedBy.MODEL, 0.9)


class SlowModel:
    """Answers once it may; fails for whoever asks about `boom`."""

    def __init__(self) -> None:
        self.may_answer = Event()
        self.n_asked = 0

    def triage(self, message: InboundMessage, *, language: str | None) -> Triaged:
        assert language is None or language == "ru"
        self.n_asked += 1
        self.may_answer.wait(20)
        if "boom" in message.text:
            raise ValueError(message.text)
        return BILLED


def readings(store: Store, *names: str) -> list[Reading | None]:
    with store.reading() as session:
        found = session.inbound.find_readings(names)
    return [found.get(name) for name in names]


def post(store: Store, text: str, *, seconds: float) -> str:
    at = DAY[0].at + timedelta(seconds=seconds)
    name = f"m{seconds}"
    with store.transaction() as session:
        message = InboundMessage(name, at, "c101", "whatsapp", "Abay 10", text)
        session.inbound.add([message], arrived_at=at)
    return name


def wait_for_answers(chain: Chain, *, seconds: float, n: int) -> None:
    """Look, at one moment, until as many answers have come."""
    n_read, ends_at = 0, monotonic() + 30
    while n_read < n:
        assert monotonic() < ends_at, "no answer came"
        n_read += chain.watcher.look(DAY[0].at + timedelta(seconds=seconds))


def test_a_model_is_waited_for_only_so_long(store: Store, assumed: PreparedDetector) -> None:
    model = SlowModel()
    chain = Chain(store, make_watcher(store, assumed, model=model))
    name = post(store, "жарко", seconds=0)
    assert chain.watcher.look(DAY[0].at) == 0
    assert chain.watcher.look(DAY[0].at + timedelta(seconds=2.9)) == 0
    assert chain.watcher.n_waiting == 1
    with store.reading() as session:
        assert session.watch.find_place().deferred == (1,)
    assert chain.watcher.look(DAY[0].at + timedelta(seconds=3)) == 1
    (reading,) = readings(store, name)
    assert reading is not None
    assert (reading.triaged.topic, reading.triaged.by) == ("heat", TriagedBy.LEXICON)
    assert model.n_asked == 1
    model.may_answer.set()
    chain.watcher.close()


def test_a_model_has_its_say_and_its_faults_are_nobodys(
    store: Store, assumed: PreparedDetector, caplog: pytest.LogCaptureFixture
) -> None:
    model = SlowModel()
    model.may_answer.set()
    chain = Chain(store, make_watcher(store, assumed, model=model))
    names = [post(store, "жарко", seconds=0), post(store, "душно boom", seconds=1)]
    wait_for_answers(chain, seconds=1.5, n=2)
    one, other = readings(store, *names)
    assert one is not None
    assert other is not None
    assert one.triaged == BILLED
    assert (other.triaged.topic, other.triaged.by) == ("heat", TriagedBy.LEXICON)
    assert [record.getMessage() for record in caplog.records] == [
        "messages are sorted without the model: ValueError"
    ]
    chain.watcher.close()


def test_what_was_put_off_is_read_after_a_restart(store: Store, assumed: PreparedDetector) -> None:
    stuck = SlowModel()
    chain = Chain(store, make_watcher(store, assumed, model=stuck))
    name = post(store, "жарко", seconds=0)
    chain.watcher.look(DAY[0].at)
    ready = SlowModel()
    ready.may_answer.set()
    again = Chain(store, make_watcher(store, assumed, model=ready))
    wait_for_answers(again, seconds=1, n=1)
    (reading,) = readings(store, name)
    assert reading is not None
    assert reading.triaged == BILLED
    with store.reading() as session:
        assert session.watch.find_place().deferred == ()
    stuck.may_answer.set()
    for one in (chain, again):
        one.watcher.close()
