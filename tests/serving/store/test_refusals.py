"""What a no makes of planned messages, whenever it is told and whatever moment it bears."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from features.vocabulary import Channel, Outcome
from serving.policy.cases import to_us
from serving.records import Decision, OutcomeEvent
from serving.store.store import Store
from tests.serving.store.test_store import SENT_AT, record, request

HOUR = timedelta(hours=1)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "store.db")
    yield store
    store.close()


def plan(number: int, *, after: timedelta, channel: Channel = Channel.EMAIL) -> Decision:
    """A decision for customer c1, made an hour before the first message."""
    made = record(number, channels=(channel,))
    changed = {"send_at": SENT_AT + after, "customer_id": "c1", "decided_at": SENT_AT - HOUR}
    return made.model_copy(update=changed)


def keep(store: Store, *records: Decision) -> None:
    asked = [
        request(number).model_copy(update={"customer_id": one.customer_id})
        for number, one in enumerate(records)
    ]
    with store.transaction() as session:
        session.add_decisions(records, asked)


def say_no(store: Store, *outcomes: Outcome, at: datetime, told_after: timedelta) -> None:
    """About the first message."""
    events = [OutcomeEvent(message_id="d1.email", outcome=one, at=at) for one in outcomes]
    with store.transaction() as session:
        session.add_outcomes(events, now_us=to_us(SENT_AT + told_after))


def find_cancelled(store: Store) -> list[str]:
    with store.reading() as session:
        return session.find_cancelled()


@pytest.mark.parametrize(
    "outcomes",
    [
        (Outcome.COMPLAINED, Outcome.UNSUBSCRIBED),
        (Outcome.UNSUBSCRIBED, Outcome.COMPLAINED),
    ],
)
def test_a_complaint_beside_an_unsubscribe_cancels_on_every_channel(
    outcomes: tuple[Outcome, ...], store: Store
) -> None:
    keep(store, plan(1, after=timedelta(0)), plan(4, after=24 * HOUR, channel=Channel.SMS))
    say_no(store, *outcomes, at=SENT_AT + HOUR, told_after=HOUR)
    assert find_cancelled(store) == ["d4.sms"]


def test_what_was_sent_before_the_no_was_told_is_not_cancelled_in_time(store: Store) -> None:
    keep(store, plan(1, after=timedelta(0)), plan(4, after=2 * HOUR))
    say_no(store, Outcome.UNSUBSCRIBED, at=SENT_AT + HOUR, told_after=6 * HOUR)
    assert find_cancelled(store) == []
    with store.reading() as session:
        assert len(session.find_contacts(["c1"], since_us=0)) == 2


def test_a_no_that_bears_an_early_moment_leaves_the_past_as_it_was(store: Store) -> None:
    keep(store, plan(1, after=timedelta(0)), plan(4, after=-30 * 24 * HOUR))
    early = datetime(1970, 1, 1, tzinfo=UTC)
    say_no(store, Outcome.UNSUBSCRIBED, at=early, told_after=6 * HOUR)
    sent = store.read_messages(since=SENT_AT - 60 * 24 * HOUR, until=SENT_AT + HOUR)
    assert sorted(sent["message_id"]) == ["d1.email", "d4.email"]


def test_a_letter_that_bounced_is_one_bounce_however_often_it_is_said(store: Store) -> None:
    keep(store, plan(1, after=timedelta(0)), plan(4, after=HOUR))
    for minutes in (1, 7):  # the relay gives up, and its mail says so again
        said_at = SENT_AT + timedelta(minutes=minutes)
        say_no(store, Outcome.BOUNCED, at=said_at, told_after=2 * HOUR)
    with store.reading() as session:
        bounces = session.find_refusals(["c1"]).bounces
    assert [one.at_us for one in bounces] == [to_us(SENT_AT + timedelta(minutes=1))]
