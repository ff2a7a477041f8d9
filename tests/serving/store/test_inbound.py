"""Messages and incidents in the store."""

from datetime import UTC, datetime, timedelta

import pytest

from features.errors import BadInputError, ConflictError
from features.vocabulary import Trigger
from serving.autopilot.inbound.message import InboundMessage, Triaged, TriagedBy
from serving.autopilot.inbound.mood import Severity
from serving.store.bursts import BurstComplaint, BurstState, Link, NewBurst
from serving.store.inbound import InboundState, Label, Reading
from serving.store.store import Store
from serving.store.watch import WatchPlace

NOW = datetime(2026, 7, 14, 13, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def message(name: str, text: str = "жарко", *, customer: str | None = "c1") -> InboundMessage:
    return InboundMessage(name, NOW, customer, "whatsapp", "Abay 10", text)


def burst(name: str = "heat-1", *, seen_at: datetime = NOW) -> NewBurst:
    return NewBurst(
        incident_id=name,
        burst_id=f"Abay 10/heat/{name}",
        branch="Abay 10",
        topic="heat",
        seen_at=seen_at,
        since=seen_at - 10 * MINUTE,
        n_usual=0.01,
        per_day=0.3,
        score=12.0,
        threshold=8.0,
        alarms_per_week=0.07,
        is_assumed=False,
        links=(Link(Trigger.SERVICE_DISRUPTION, "d1", 2, 3),),
    )


def complaint(
    name: str, customer: str | None, *, language: str | None = "ru", after: int = 0
) -> BurstComplaint:
    return BurstComplaint(name, customer, language, Severity.HIGH, NOW + after * MINUTE)


def test_messages_are_kept_once_in_the_order_of_arrival(store: Store) -> None:
    with store.transaction() as session:
        told = [message("m2"), message("m1"), message("m2"), message("m1", "душно")]
        states = session.inbound.add(told, arrived_at=NOW + MINUTE)
    assert states == [
        *(InboundState.TAKEN, InboundState.TAKEN),
        *(InboundState.DUPLICATE, InboundState.DIFFERS),
    ]
    with store.transaction() as session:
        again = session.inbound.add([message("m1"), message("m3")], arrived_at=NOW + 2 * MINUTE)
        assert again == [InboundState.DUPLICATE, InboundState.TAKEN]
    with store.reading() as session:
        found = session.inbound.read(after_seq=0, limit=10)
        assert [one.message.inbound_id for one in found] == ["m2", "m1", "m3"]
        assert [one.message.text for one in found] == ["жарко"] * 3
        assert session.inbound.read(after_seq=found[1].seq, limit=10) == [found[2]]
        assert session.inbound.find("m1") == found[1]
        assert session.inbound.find("nobody") is None
        assert session.inbound.last_seq() == found[2].seq


def test_forgotten_texts_are_gone_and_told_again_they_stay_gone(store: Store) -> None:
    with store.transaction() as session:
        session.inbound.add([message("m1")], arrived_at=NOW)
        assert session.inbound.forget(before=NOW) == 0
        assert session.inbound.forget(before=NOW + MINUTE) == 1
        states = session.inbound.add([message("m1", "other words")], arrived_at=NOW)
        assert states == [InboundState.DUPLICATE]
        found = session.inbound.find("m1")
    assert found is not None
    assert (found.message.text, found.is_forgotten) == ("", True)


def test_readings_and_labels_are_kept(store: Store) -> None:
    triaged = Triaged("heat", True, Severity.MEDIUM, None, TriagedBy.LEXICON, 0.75)
    with store.transaction() as session:
        session.inbound.add([message("m1"), message("m2")], arrived_at=NOW)
        (one, _) = session.inbound.read(after_seq=0, limit=2)
        reading = Reading(one.seq, triaged, "counted", True, NOW)
        session.inbound.add_readings([reading])
        before = session.inbound.labels_version()
        session.inbound.label(Label("m1", "cold", "жарко", "Dana", NOW))
        session.inbound.label(Label("m1", "heat", "жарко", "Dana", NOW + MINUTE))
    with store.reading() as session:
        assert session.inbound.find_readings(["m1", "m2"]) == {"m1": reading}
        assert [one.reading for one in session.inbound.read_past(after_seq=0, limit=9)] == [reading]
        assert session.inbound.read_latest(topic="cold", limit=9) == []
        (label,) = session.inbound.find_labels()
        assert session.inbound.labels_version() != before
    assert (label.topic, label.example.text) == ("heat", "жарко")


def test_incidents_hold_who_complained_and_how(store: Store) -> None:
    with store.transaction() as session:
        session.inbound.add([message(f"m{n}") for n in range(5)], arrived_at=NOW)
        begun = [complaint("m0", "c1"), complaint("m1", "c2", language="kk", after=1)]
        assert session.bursts.open(burst(), begun)
        assert not session.bursts.open(burst(), begun)
        more = [complaint("m2", "c1", language=None, after=2), complaint("m3", None, after=3)]
        session.bursts.grow("heat-1", more)
        session.bursts.grow("heat-1", more)
    with store.reading() as session:
        row = session.bursts.find("heat-1")
        affected = session.bursts.affected("heat-1")
        assert session.bursts.affected("nobody") == ()
        assert [one.inbound_id for one in session.bursts.find_complaints("heat-1")] == [
            f"m{n}" for n in range(4)
        ]
    assert row is not None
    assert row.seen == burst()
    assert (row.customer_ids, row.n_messages, row.n_strangers) == (("c1", "c2"), 3, 1)
    assert row.languages == {"ru": 1, "kk": 1, "unknown": 1}
    assert (row.severity, row.last_at) == (Severity.HIGH, NOW + 3 * MINUTE)
    assert row.how_often == "about once in 14 weeks"
    assert [(one.customer_id, one.language, one.inbound_ids) for one in affected] == [
        ("c1", "ru", ("m0", "m2")),
        ("c2", "kk", ("m1",)),
    ]


def test_incidents_end_once_and_close_for_good(store: Store) -> None:
    with store.transaction() as session:
        for n in range(3):
            session.bursts.open(burst(f"heat-{n}", seen_at=NOW + n * MINUTE), [])
        assert session.bursts.end("heat-0", at=NOW, reason="silence")
        assert not session.bursts.end("heat-0", at=NOW + MINUTE, reason="stale")
        session.bursts.set_state("heat-0", BurstState.ACTING, at=NOW)
        session.bursts.close("heat-0", at=NOW + MINUTE, report="all is well")
        with pytest.raises(ConflictError, match="it is closed"):
            session.bursts.set_state("heat-0", BurstState.TOLD, at=NOW)
        with pytest.raises(BadInputError, match="none of that name"):
            session.bursts.close("nobody", at=NOW, report="")
    with store.reading() as session:
        closed = session.bursts.find("heat-0")
        shown = [one.incident_id for one in session.bursts.list()]
        still_open = [one.incident_id for one in session.bursts.list(only_open=True, limit=1)]
        recent = [one.incident_id for one in session.bursts.list(since=NOW + 2 * MINUTE)]
    assert closed is not None
    assert (closed.ended_at, closed.end_reason) == (NOW, "silence")
    assert (closed.state, closed.report) == (BurstState.CLOSED, "all is well")
    assert shown == ["heat-2", "heat-1", "heat-0"]
    assert still_open == ["heat-2"]
    assert recent == ["heat-2", "heat-1"]


def test_a_watcher_moves_only_from_where_it_is(store: Store) -> None:
    first, second = WatchPlace(3, "v1", (2,)), WatchPlace(5, "v1")
    with store.transaction() as session:
        assert session.watch.find_place() == WatchPlace()
        session.watch.move(WatchPlace(), first)
        session.watch.move(first, second)
        session.watch.put_streams({("b", "heat"): b"1", ("a", "heat"): b"2"})
        session.watch.put_streams({("b", "heat"): b"3"})
    with store.reading() as session:
        assert session.watch.find_place() == second
        kept = [(one.branch, one.state) for one in session.watch.read_streams()]
    assert kept == [("a", b"2"), ("b", b"3")]
    with pytest.raises(ConflictError, match="another watcher"), store.transaction() as session:
        session.watch.move(first, second)
