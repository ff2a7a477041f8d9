"""Messages arrive; incidents begin, grow and end."""

import json
from contextlib import closing
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from features.errors import ConflictError
from features.vocabulary import Trigger
from serving.audit.chain import verify_chain
from serving.autopilot.detection.links import KnownDelay, KnownDisruption
from serving.autopilot.inbound.desk import KnownCustomers
from serving.autopilot.inbound.message import InboundMessage
from serving.autopilot.inbound.mood import Severity
from serving.autopilot.story import KnownFacts
from serving.autopilot.watch.prepared import PreparedDetector
from serving.policy.cases import to_us
from serving.store.bursts import BurstRow, BurstState
from serving.store.flows import FlowState
from serving.store.inbound import Label
from serving.store.store import Store
from tests.serving.autopilot.watch.conftest import DAY, LAG, Chain, make_watcher

CUT = " " + "." * 282 + "+77011234567"  # where a quote is cut off


def incidents(store: Store) -> list[BurstRow]:
    with store.reading() as session:
        return list(session.bursts.list())


def test_the_heat_is_seen_grows_and_ends(either_store: Store, assumed: PreparedDetector) -> None:
    store = either_store
    chain = Chain(store, make_watcher(store, assumed))
    heat = [one for one in DAY if one.branch == "Abay 10" and one.at <= DAY[12].at]
    chain.post(heat)
    (row,) = incidents(store)
    assert (row.branch, row.topic, row.state) == ("Abay 10", "heat", BurstState.DETECTED)
    assert row.seen_at - row.since == timedelta(minutes=11)
    assert row.customer_ids == ("c101", "c102", "c103", "c104", "c105", "c106", "c107")
    assert (row.n_messages, row.n_strangers) == (7, 1)
    assert row.languages == {"ru": 5, "kk": 2}  # c104 wrote in Kazakh and has chosen Russian
    assert row.severity is Severity.LOW  # one message alone is worse
    assert row.ended_at is None
    chain.wait(DAY[12].at + timedelta(hours=4), since=DAY[12].at, step=timedelta(minutes=5))
    (row,) = incidents(store)
    assert row.ended_at is not None
    assert row.end_reason == "silence"
    with store.reading() as session:
        flow = session.flows.find(f"incident/{row.incident_id}")
        assert flow is not None
        assert (flow.kind, flow.state) == ("incident", FlowState.ASKED)
        assert json.loads(flow.given_json) == {"incident_id": row.incident_id}
        affected = {one.customer_id: one for one in session.bursts.affected(row.incident_id)}
        assert affected["c104"].language == "ru"
        assert affected["c101"].inbound_ids == ("e10",)  # "are you there?" is not about heat
        entries = list(session.audit.read())
    assert verify_chain(entries).fault is None
    assert {entry.subject for entry in entries} == {flow.workflow_id}
    told = [entry.words for entry in entries]
    assert told[0].startswith(
        "3 customers complain about heat in Abay 10 since 2026-07-14 18:02 (Asia/Almaty)"
    )
    assert [words for words in told if "one more customer" in words] == [
        f"one more customer complains, {n} in all" for n in (4, 5, 6, 7)
    ]
    assert told[-1] == "over: complaints are as rare as usual again"


def test_workflows_are_told_once_of_each_customer_and_of_the_end(chain: Chain) -> None:
    chain.post(DAY[:13])
    chain.wait(DAY[12].at + timedelta(hours=4), since=DAY[12].at, step=timedelta(minutes=5))
    (row,) = incidents(chain.store)
    with chain.store.transaction() as session:
        flow_id = f"incident/{row.incident_id}"
        session.flows.begin(flow_id, spec_json="{}", at=row.seen_at)
        told = []
        while signal := session.flows.read_signal(flow_id, ["grew", "ended"], at=row.seen_at):
            told.append((signal.topic, json.loads(signal.body_json)))
    assert [(topic, body.get("n_customers")) for topic, body in told] == [
        ("grew", 4),
        ("grew", 5),
        ("grew", 6),
        ("grew", 7),
        ("ended", None),
    ]
    assert told[-1][1]["reason"] == "silence"


def test_a_late_start_sees_what_was_to_be_seen(store: Store, assumed: PreparedDetector) -> None:
    for one in DAY[:13]:
        with store.transaction() as session:
            session.inbound.add([one], arrived_at=one.at)
    late = make_watcher(store, assumed)
    now = DAY[12].at + timedelta(hours=9)
    assert late.look(now) == 13
    (row,) = incidents(store)
    assert len(row.customer_ids) == 7
    assert (row.seen_at - row.since, row.ended_at) == (timedelta(minutes=11), now)
    assert late.look(now + LAG) == 0


def test_two_people_start_nothing_and_strangers_do_not_count(chain: Chain) -> None:
    chain.post(DAY[14:])
    for n in range(7):
        chain.write(n, None, "воняет канализацией")
        chain.write(n, f"nobody{n}", "воняет канализацией")
    assert incidents(chain.store) == []
    with chain.store.reading() as session:
        readings = session.inbound.find_readings(["w1", "w2", DAY[-1].inbound_id])
    assert [(r.taken, r.is_known) for r in readings.values()] == [
        ("repeated", True),
        ("unknown_sender", False),
        ("unknown_sender", False),
    ]


def test_names_of_branches_of_strangers_are_not_watched(chain: Chain) -> None:
    chain.write(0, None, "воняет", branch="made up")
    chain.write(1, "c101", "воняет", branch="real")
    with chain.store.reading() as session:
        readings = session.inbound.find_readings(["w1", "w2"])
        assert {one.branch for one in session.watch.read_streams()} == {"real"}
    assert [readings[name].taken for name in ("w1", "w2")] == ["not_watched", "counted"]


def test_what_is_told_in_the_log_holds_no_personal_data(chain: Chain) -> None:
    for n, text in enumerate(
        ("жарко! это Айгуль, +7 701 123 45 67", "духота, a.b@mail.kz", "дышать нечем" + CUT)
    ):
        chain.write(5 * n, f"c10{n + 1}", text)
    with chain.store.reading() as session:
        (entry, *_) = session.audit.read()
    assert '"жарко! это [name], [phone] | духота, [email] | дышать нечем ...' in entry.words
    assert "701" not in entry.words


def test_what_may_be_behind_it_is_shown_as_it_becomes_known(
    store: Store, assumed: PreparedDetector
) -> None:
    began = DAY[0].at + timedelta(days=7)
    who = [f"c{n}" for n in range(5)]
    known = KnownFacts(
        KnownCustomers(dict.fromkeys(who), dict.fromkeys(who[:3], "north")),
        disruptions=(KnownDisruption("d1", "north", "heating", to_us(began), None),),
        delays=(KnownDelay("o1", "c0", to_us(began)),),
    )
    chain = Chain(store, make_watcher(store, assumed, known=known))
    for n, customer in enumerate(who[:3]):
        chain.write(10 + 5 * n, customer, "жарко")
    (row,) = incidents(store)
    (link,) = row.seen.links
    assert (link.trigger, link.subject) == (Trigger.SERVICE_DISRUPTION, "d1")
    assert (link.n_touched, link.n_customers) == (3, 3)
    chain.write(30, "c3", "душно")
    assert [one.n_customers for one in incidents(store)[0].seen.links] == [4]
    with store.reading() as session:
        thoughts = [e.words for e in session.audit.read() if e.kind == "thought"]
    assert thoughts == [
        f"may be behind it: service_disruption d1, which touches 3 of {n}; a hypothesis"
        for n in (3, 4)
    ]


def test_two_watchers_do_not_read_the_same(store: Store, assumed: PreparedDetector) -> None:
    one, other = (Chain(store, make_watcher(store, assumed)) for _ in range(2))
    other.watcher.look(DAY[0].at)
    one.post(DAY[:1])
    one.post(DAY[1:2])
    with store.transaction() as session:
        session.inbound.add(DAY[2:3], arrived_at=DAY[2].at)
    with pytest.raises(ConflictError, match="another watcher"):
        other.watcher.look(DAY[2].at + LAG)  # it thinks that nothing was read yet
    assert other.watcher.look(DAY[2].at + LAG) == 1  # and goes on from where the store is


def test_labels_are_learned_from_without_a_restart(chain: Chain) -> None:
    chain.write(0, "c101", "зал как термос, аж дурно")
    with chain.store.transaction() as session:
        before = session.inbound.find_readings(["w1"])["w1"].triaged.topic
        label = Label("w1", "heat", "зал как термос, аж дурно", "Dana", DAY[0].at)
        session.inbound.label(label)
    chain.write(5, "c102", "Зал как термос, аж дурно!!")
    with chain.store.reading() as session:
        after = session.inbound.find_readings(["w2"])["w2"].triaged.topic
    assert (before, after) == ("other", "heat")


def test_another_detector_takes_over_what_goes_on(chain: Chain, assumed: PreparedDetector) -> None:
    chain.post(DAY[:10])
    settings = assumed.settings.model_copy(update={"end_odds": 50.0})
    changed = assumed.model_copy(update={"settings": settings})
    assert changed.version != assumed.version
    chain.watcher = make_watcher(chain.store, changed)
    chain.post(DAY[10:13])
    (row,) = incidents(chain.store)
    assert len(row.customer_ids) == 7
    with chain.store.reading() as session:
        assert session.watch.find_place().version == changed.version


def test_incidents_whose_topic_is_gone_are_ended(chain: Chain, assumed: PreparedDetector) -> None:
    chain.post(DAY[:10])
    left = tuple(topic for topic in assumed.taxonomy.topics if topic.name != "heat")
    taxonomy = assumed.taxonomy.model_copy(update={"topics": left})
    per_day = {k: v for k, v in assumed.baseline.topic_per_day.items() if k != "heat"}
    baseline = assumed.baseline.model_copy(update={"topic_per_day": per_day})
    changed = assumed.model_copy(update={"taxonomy": taxonomy, "baseline": baseline})
    make_watcher(chain.store, changed).look(DAY[10].at)
    (row,) = incidents(chain.store)
    assert row.end_reason == "unwatched"


def test_forgotten_messages_say_nothing(store: Store, assumed: PreparedDetector) -> None:
    message = InboundMessage("m1", DAY[0].at, "c101", "whatsapp", "Abay 10", "жарко")
    with store.transaction() as session:
        session.inbound.add([message], arrived_at=DAY[0].at)
        assert session.inbound.forget(before=DAY[0].at + LAG) == 1
        assert session.inbound.forget(before=DAY[0].at + LAG) == 0
    make_watcher(store, assumed).look(DAY[0].at + LAG)
    with store.reading() as session:
        assert not session.inbound.find_readings(["m1"])["m1"].triaged.is_complaint


@pytest.fixture(scope="module")
def one_by_one(
    assumed: PreparedDetector, tmp_path_factory: pytest.TempPathFactory
) -> list[BurstRow]:
    with closing(Store(tmp_path_factory.mktemp("one") / "store.db")) as store:
        Chain(store, make_watcher(store, assumed)).post(DAY[:14])
        return incidents(store)


@hypothesis_settings(max_examples=5)
@given(st.sets(st.integers(1, 13)), st.booleans())
def test_however_late_the_looks_the_same_is_seen(
    assumed: PreparedDetector, one_by_one: list[BurstRow], cuts: set[int], restarts: bool
) -> None:
    with TemporaryDirectory() as folder, closing(Store(Path(folder) / "store.db")) as store:
        watcher = make_watcher(store, assumed)
        for start, stop in pairwise([0, *sorted(cuts), 14]):
            if restarts:
                watcher = make_watcher(store, assumed)
            for one in DAY[start:stop]:
                with store.transaction() as session:
                    session.inbound.add([one], arrived_at=one.at)
            watcher.look(DAY[stop - 1].at + LAG)
        assert incidents(store) == one_by_one
