"""Processes that end in the middle, and several at once."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from serving.delivery.parcel import Moment, Parcel, Receipt
from serving.delivery.queue import DRY_RUN
from serving.policy.cases import to_us
from serving.store.claims import OutboxState
from serving.store.store import Store
from tests.serving.delivery.world import (
    HOUR,
    NOON,
    SECOND,
    Receiver,
    at,
    find_all,
    find_one,
    make_deliverer,
    plan,
    profile,
    with_transport,
)


class EndedError(Exception):
    """Stands for the end of the process, which settles nothing."""


@dataclass
class Crashing:
    """Ends the process right before, or right after, the receiver took the message."""

    receiver: Receiver
    is_after: bool

    def hand_over(self, parcel: Parcel, moment: Moment) -> Receipt:
        if self.is_after:
            self.receiver.hand_over(parcel, moment)
        raise EndedError


@pytest.mark.parametrize("is_after", [False, True])
def test_a_claim_whose_process_ended_is_taken_over_when_its_lease_is_out(
    store: Store, *, is_after: bool
) -> None:
    plan(store)
    receiver = Receiver()
    deliverer = make_deliverer(store, receiver)
    with pytest.raises(EndedError):
        with_transport(deliverer, Crashing(receiver, is_after)).look(at(NOON))
    before = dict(receiver.takes)

    deliverer.look(at(NOON + 119 * SECOND))
    while_held = dict(receiver.takes)
    deliverer.look(at(NOON + 120 * SECOND))

    assert while_held == before
    assert set(receiver.takes) == {"m0"}  # under one key, however often
    assert (find_one(store).state, find_one(store).fence) == (OutboxState.HANDED_OVER, 2)


def test_a_message_that_ends_every_process_is_dead_and_holds_up_no_other(tmp_path: Path) -> None:
    store = Store(tmp_path / "store.db")
    plan(store, 1)
    receiver = Receiver()
    deliverer = make_deliverer(store, receiver, max_attempts=2)
    for n in range(2):
        with pytest.raises(EndedError):
            with_transport(deliverer, Crashing(receiver, is_after=False)).look(at(NOON + n * HOUR))
    plan(store, 2, at=NOON + HOUR)

    deliverer.look(at(NOON + 2 * HOUR))

    assert receiver.takes == {"m2": 1}
    dead = find_all(store)["m1"]
    assert dead.state is OutboxState.DEAD
    assert dead.reason == "every process that tried ended in the middle"


def test_a_claim_that_was_taken_over_is_not_heard_any_more(store: Store) -> None:
    plan(store)
    lane = DRY_RUN
    with store.transaction() as session:
        session.outbox.enqueue(lane=lane, at_us=to_us(NOON), since_us=0)
        due = session.outbox.find_due(lane=lane, at_us=to_us(NOON))
        assert due is not None
        slow = session.outbox.claim(due, lane=lane, until_us=to_us(NOON + SECOND))
    with store.transaction() as session:
        again = session.outbox.find_due(lane=lane, at_us=to_us(NOON + SECOND))
        assert again is not None
        quick = session.outbox.claim(again, lane=lane, until_us=to_us(NOON + HOUR))
    with store.transaction() as session:
        end = session.outbox.end
        late = end(slow, OutboxState.DEAD, lane=lane, at_us=to_us(NOON), reason="late")
        done = end(quick, OutboxState.HANDED_OVER, lane=lane, at_us=to_us(NOON), reason=None)

    assert (late, done) == (False, True)
    assert find_one(store).state is OutboxState.HANDED_OVER


def test_two_at_once_hand_over_each_message_once(store: Store) -> None:
    for number in range(12):
        plan(store, number, customer_id=f"c{number}")
    receiver = Receiver()
    everybody = [profile(f"c{number}") for number in range(12)]
    deliverers = [make_deliverer(store, receiver, *everybody) for _ in range(2)]
    with ThreadPoolExecutor(2) as pool:
        reports = list(pool.map(lambda one: one.look(at(NOON)), deliverers))

    assert receiver.takes == {f"m{number}": 1 for number in range(12)}
    assert sum(report.states[OutboxState.HANDED_OVER] for report in reports) == 12


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("look"), st.integers(-30, 300)),
        st.tuples(st.just("fail"), st.integers(1, 3)),
        st.tuples(st.just("crash"), st.booleans()),
        st.tuples(st.just("cancel"), st.integers(0, 2)),
    ),
    max_size=14,
)


@hypothesis_settings(max_examples=25, deadline=None)
@given(steps=STEPS)
def test_nothing_is_handed_over_after_a_cancel_whatever_fails_or_crashes(
    steps: list[tuple[str, int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    store = Store(tmp_path_factory.mktemp("s") / "store.db")
    people = [profile(f"c{n}") for n in range(3)]
    for number in range(3):
        plan(store, number, at=NOON + number * HOUR, customer_id=f"c{number}")
    receiver = Receiver()
    deliverer = make_deliverer(store, receiver, *people)
    now, taken_at_cancel = NOON, dict[str, int]()
    for step, number in steps:
        if step == "look":
            now += timedelta(minutes=number)
            deliverer.look(at(now))
        elif step == "fail":
            receiver.failures = number
        elif step == "crash":
            with suppress(EndedError):
                with_transport(deliverer, Crashing(receiver, bool(number))).look(at(now))
        else:
            message_id = f"m{number}"
            with store.transaction() as session:
                session.cancel([message_id], at=now)
            taken_at_cancel.setdefault(message_id, receiver.takes.get(message_id, 0))
    receiver.failures = 0
    deliverer.look(at(max(now, NOON) + 5 * HOUR))

    for message_id, n_taken in taken_at_cancel.items():
        assert receiver.takes.get(message_id, 0) == n_taken
    store.close()
