"""A watcher wired with a key: the model sorts, its failures do not stop anything."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from features.errors import BadInputError
from serving.autopilot.inbound.arrivals import ArrivalDesk
from serving.autopilot.inbound.message import InboundMessage, TriagedBy
from serving.autopilot.inbound.records import InboundReport, InboundRow
from serving.autopilot.watch.prepared import PreparedDetector, write_prepared
from serving.autopilot.watch.watcher import Watcher
from serving.autopilot.watch.wiring import wire_watcher
from serving.settings import Settings
from serving.store.inbound import InboundState, Reading
from serving.store.store import Store
from tests.standin.app import Standin
from tests.standin.steps import Step

NOW = datetime(2026, 7, 14, 13, tzinfo=UTC)
ANSWER = {"topic": "queue", "is_complaint": True, "severity": "high", "sureness": "high"}


@contextmanager
def wired(
    home: Path, store: Store, prepared: PreparedDetector, standin: Standin
) -> Iterator[Watcher]:
    settings = Settings(home=home, anthropic=standin.settings())
    write_prepared(prepared, settings.detector_file)
    made = wire_watcher(settings, store=store)
    assert f"sorted by {settings.anthropic.triage_model}" in made.words
    yield made.watcher
    made.watcher.close()


def sort(store: Store, watcher: Watcher, text: str) -> Reading:
    with store.transaction() as session:
        session.inbound.add([InboundMessage("m1", NOW, "c1", "chat", "b", text)], arrived_at=NOW)
    until = time.monotonic() + 20
    assert watcher.look(NOW) == 0
    while watcher.n_waiting and time.monotonic() < until:
        watcher.look(NOW + timedelta(seconds=1))
    with store.reading() as session:
        return session.inbound.find_readings(["m1"])["m1"]


def test_the_model_sorts_and_sees_no_personal_data(
    tmp_path: Path, store: Store, assumed: PreparedDetector, standin: Standin
) -> None:
    standin.answer_with(lambda _: ANSWER)
    with wired(tmp_path, store, assumed, standin) as watcher:
        reading = sort(store, watcher, "час стою, +7 701 123 45 67")
    assert (reading.triaged.topic, reading.triaged.by) == ("queue", TriagedBy.MODEL)
    (asked,) = standin.bodies()
    assert "701" not in json.dumps(asked)
    assert "[phone]" in json.dumps(asked)


def test_a_model_that_fails_leaves_it_to_the_stems(
    tmp_path: Path, store: Store, assumed: PreparedDetector, standin: Standin
) -> None:
    standin.script(Step.unauthorized(), forever=True)
    with wired(tmp_path, store, assumed, standin) as watcher:
        reading = sort(store, watcher, "жарко")
    assert (reading.triaged.topic, reading.triaged.by) == ("heat", TriagedBy.LEXICON)


def test_messages_bring_a_moment_only_where_the_clock_is_the_callers(store: Store) -> None:
    row = InboundRow(inbound_id="m1", at=NOW, source="chat", text="a\x00b")
    own, callers = ArrivalDesk(store), ArrivalDesk(store, takes_callers_time=True)
    plain = InboundReport(messages=[row])
    dated = InboundReport(messages=[row], arrived_at=NOW)
    with pytest.raises(BadInputError, match="required"):
        callers.take(plain, now=NOW)
    with pytest.raises(BadInputError, match="not accepted"):
        own.take(dated, now=NOW)
    assert callers.take(dated, now=NOW + timedelta(days=1)).states == [InboundState.TAKEN]
    assert own.take(plain, now=NOW).states == [InboundState.DUPLICATE]
    with store.reading() as session:
        found = session.inbound.find("m1")
    assert found is not None
    assert (found.arrived_at, found.message.text) == (NOW, "a b")
