import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from features.errors import ConfigurationError, ConflictError
from features.vocabulary import Arm, Channel, Outcome, Priority, Trigger
from serving.copy.content import Content
from serving.records import (
    Decision,
    DecisionRequest,
    ModelVersions,
    OutcomeEvent,
    OutcomeState,
    PlannedMessage,
    Reason,
)
from serving.store.store import Store

SENT_AT = datetime(2026, 6, 10, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def record(number: int, *, channels: tuple[Channel, ...] = (Channel.EMAIL,)) -> Decision:
    content = Content(subject="s", body="b", language="en", source="template")
    messages = tuple(
        PlannedMessage(
            message_id=f"d{number}.{channel}",
            channel=channel,
            variant=f"price_drop.{channel}.clear",
            content=content,
            cost_cents=0.1,
        )
        for channel in channels
    )
    return Decision(
        decision_id=f"d{number}",
        customer_id=f"c{number % 3}",
        trigger=Trigger.PRICE_DROP,
        decided_at=SENT_AT - HOUR,
        arm=Arm.LEARNED,
        send=True,
        reason=Reason.CHOSEN,
        channels=channels,
        send_at=SENT_AT,
        variant=messages[0].variant,
        content=content,
        messages=messages,
        propensity=0.25,
        variants={messages[0].variant: 0.5},
        priority=Priority.MEDIUM,
        cold_start=False,
        models=ModelVersions(),
        policy_version="p",
        feature_hash="f",
        features_as_of=None,
        idempotency_key=f"k{number}",
    )


def request(number: int) -> DecisionRequest:
    return DecisionRequest(
        customer_id=f"c{number % 3}", trigger=Trigger.PRICE_DROP, idempotency_key=f"k{number}"
    )


Place = Path | str
"""Where a store is: a file or a database."""


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Room for a new store; the tests of PostgreSQL skip where it is not installed."""
    if request.param == "sqlite":
        return tmp_path / "store.db"
    new_database: Callable[[], str] = request.getfixturevalue("new_postgres_database")
    return new_database()


@pytest.fixture
def store(place: Place) -> Iterator[Store]:
    opened = Store(place)
    yield opened
    opened.close()


def keep(store: Store, *records: Decision) -> None:
    with store.transaction() as session:
        session.add_decisions(records, [request(int(r.decision_id[1:])) for r in records])


def test_store_gives_back_the_record_as_it_was_also_after_reopening(
    store: Store, place: Place
) -> None:
    kept = record(1)
    keep(store, kept)
    store.close()

    reopened = Store(place)

    assert reopened.read_decision("d1") == kept
    assert reopened.read_decision("d2") is None
    reopened.close()


def test_find_by_keys_refuses_a_key_that_was_used_for_something_else(store: Store) -> None:
    keep(store, record(1))
    other = request(1).model_copy(update={"customer_id": "someone else"})

    with store.transaction() as session:
        assert session.find_by_keys([request(1)])["k1"].decision_id == "d1"
        with pytest.raises(ConflictError, match="'k1'"):
            session.find_by_keys([other])


def test_transaction_leaves_nothing_behind_when_it_fails(store: Store) -> None:
    with pytest.raises(RuntimeError, match="crash"), store.transaction() as session:
        session.add_decisions([record(1)], [request(1)])
        raise RuntimeError("crash")

    assert store.read_decision("d1") is None
    assert len(store.read_messages(since=SENT_AT, until=SENT_AT + HOUR)) == 0


def test_find_contacts_counts_the_channels_of_one_notice_once(store: Store) -> None:
    keep(store, record(1, channels=(Channel.SMS, Channel.PUSH)), record(2))
    event = OutcomeEvent(message_id="d1.push", outcome=Outcome.OPENED, at=SENT_AT + HOUR)
    with store.transaction() as session:
        session.add_outcomes([event])
        found = session.find_contacts(["c1", "c2", "c0"], since_us=0)

    assert {(c.decision_id, c.opened) for c in found} == {("d1", True), ("d2", False)}


def test_find_contacts_opens_nothing_that_a_machine_made_as_was_found_out_later(
    store: Store,
) -> None:
    keep(store, record(1), record(2))
    told = [
        OutcomeEvent(message_id=f"d{n}.email", outcome=Outcome.OPENED, at=SENT_AT + HOUR)
        for n in (1, 2)
    ]
    with store.transaction() as session:
        session.add_outcomes(told)
        session.add_outcomes([told[0].model_copy(update={"machine": True})])
        found = session.find_contacts(["c1", "c2"], since_us=0)

    assert {(c.decision_id, c.opened) for c in found} == {("d1", False), ("d2", True)}


def test_add_outcomes_says_what_became_of_each(store: Store) -> None:
    keep(store, record(1))
    opened = OutcomeEvent(message_id="d1.email", outcome=Outcome.OPENED, at=SENT_AT + HOUR)
    unknown = opened.model_copy(update={"message_id": "nobody's"})
    early = opened.model_copy(update={"at": SENT_AT - HOUR})

    with store.transaction() as session:
        first = session.add_outcomes([opened, unknown, early, opened])
    with store.transaction() as session:
        again = session.add_outcomes([opened])

    assert first == [
        OutcomeState.BOOKED,
        OutcomeState.UNKNOWN_MESSAGE,
        OutcomeState.BEFORE_MESSAGE,
        OutcomeState.DUPLICATE,
    ]
    assert again == [OutcomeState.DUPLICATE]


def test_find_refusals_tells_one_channel_from_all(store: Store) -> None:
    keep(store, record(1), record(2))
    with store.transaction() as session:
        session.add_outcomes(
            [
                OutcomeEvent(message_id="d1.email", outcome=Outcome.UNSUBSCRIBED, at=SENT_AT),
                OutcomeEvent(message_id="d2.email", outcome=Outcome.COMPLAINED, at=SENT_AT),
            ]
        )
        found = session.find_refusals(["c0", "c1", "c2"]).withdrawals

    assert {(w.customer_id, w.channel, w.from_all) for w in found} == {
        ("c1", Channel.EMAIL, False),
        ("c2", Channel.EMAIL, True),
    }


@hypothesis_settings(max_examples=25)  # each one opens a database
@given(order=st.permutations(range(6)), repeats=st.lists(st.integers(0, 5), max_size=6))
def test_outcomes_count_once_in_any_order(
    order: list[int], repeats: list[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    kinds = [Outcome.DELIVERED, Outcome.OPENED, Outcome.CLICKED]
    events = [
        OutcomeEvent(message_id=f"d{n % 2}.email", outcome=kinds[n // 2], at=SENT_AT + n * HOUR)
        for n in range(6)
    ]
    store = Store(tmp_path_factory.mktemp("orders") / "store.db")
    keep(store, record(0), record(1))
    for position in [*order, *repeats]:
        with store.transaction() as session:
            session.add_outcomes([events[position]])

    with store.reading() as session:
        log = session.learning.read_log(since_us=0)
    store.close()

    assert sorted(zip(log.outcomes["message_id"], log.outcomes["outcome"], strict=True)) == sorted(
        (event.message_id, event.outcome.value) for event in events
    )


def test_transactions_of_several_writers_wait_for_each_other(place: Place) -> None:
    """Read, then write: with the lock taken late, two writers would both read the same count."""
    Store(place).close()
    counts: list[int] = []

    def write(start: int, collect: Callable[[int], None]) -> None:
        own = Store(place)
        for n in range(start, start + 20):
            with own.transaction() as session:
                seen = len(session.find_contacts(["c0", "c1", "c2"], since_us=0))
                session.add_decisions([record(n)], [request(n)])
                collect(seen)
        own.close()

    writers = [threading.Thread(target=write, args=(s, counts.append)) for s in (0, 100, 200)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()

    assert sorted(counts) == list(range(60))


@pytest.mark.parametrize("attempt", range(5))
def test_store_can_be_opened_by_many_at_once(attempt: int, place: Place) -> None:
    start = threading.Barrier(8)
    faults: list[BaseException] = []

    def open_it() -> None:
        start.wait()
        try:
            Store(place).close()
        except BaseException as fault:  # noqa: BLE001  # whatever it is, the test shows it
            faults.append(fault)

    threads = [threading.Thread(target=open_it) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert faults == []


@pytest.mark.parametrize("url", ["mysql://somewhere/db", "no url", "postgresql://host/db"])
def test_store_says_which_urls_it_takes(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"postgresql\+psycopg"):
        Store(url)


def test_store_that_cannot_be_reached_is_a_sentence_without_the_password() -> None:
    with pytest.raises(
        ConfigurationError, match=r"\*\*\*@127\.0\.0\.1.* cannot be reached"
    ) as told:
        Store("postgresql+psycopg://bob:s3cret@127.0.0.1:1/shop")
    assert "s3cret" not in str(told.value)


def test_learning_finds_what_came_after_a_mark(place: Place) -> None:
    store = Store(place)
    keep(store, record(1), record(2))
    sent_us, hour_us = int(SENT_AT.timestamp() * 1e6), 3_600_000_000
    events = [
        OutcomeEvent(message_id="d1.email", outcome=Outcome.CLICKED, at=SENT_AT + HOUR),
        OutcomeEvent(message_id="d2.email", outcome=Outcome.COMPLAINED, at=SENT_AT + 2 * HOUR),
    ]
    with store.transaction() as session:
        session.add_outcomes(events[:1])
    with store.reading() as session:
        mark = session.learning.mark(until_us=sent_us + 1)
    with store.transaction() as session:
        session.add_outcomes(events)
    with store.reading() as session:
        log = session.learning.read_log(since_us=sent_us)
        later = session.learning.read_log(since_us=sent_us + 1)
        belated = [
            session.learning.has_belated(
                after=after, until_us=sent_us + 1, closed_us=sent_us + closed_us
            )
            for after, closed_us in [
                (mark.last_outcome, 3 * hour_us),
                (mark.last_outcome, hour_us),
                (mark.last_outcome + 9, 3 * hour_us),
            ]
        ]
        activity = session.learning.read_activity(["c1", "c2"])
    store.close()

    assert mark.n_messages == 2
    assert len(log.messages) == len(log.outcomes) == 2
    assert log.departures["channel"].isna().tolist() == [True]
    assert len(later.messages) == len(later.outcomes) == 0
    assert belated == [True, False, False]
    assert len(activity) == 0
