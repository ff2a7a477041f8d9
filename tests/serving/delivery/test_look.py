"""What is due is handed over once, if it is still allowed."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from features.vocabulary import Outcome, Trigger
from serving.delivery.look import DRY_RUN, draw_pause_us
from serving.delivery.parcel import Parcel, Receipt
from serving.policy.cases import to_us
from serving.records import OutcomeEvent
from serving.store.outbox import OutboxState, Queued
from serving.store.store import Store
from tests.serving.delivery.world import (
    DELIVERY,
    HOUR,
    NOON,
    Receiver,
    make_deliverer,
    plan,
    profile,
)

SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """An empty store; the tests of PostgreSQL skip where it is not installed."""
    place: Path | str = tmp_path / "store.db"
    if request.param == "postgresql":
        new_database: Callable[[], str] = request.getfixturevalue("new_postgres_database")
        place = new_database()
    with closing(Store(place)) as opened:
        yield opened


def at(moment: datetime) -> Callable[[], datetime]:
    return lambda: moment


def find_all(store: Store) -> dict[str, Queued]:
    with store.reading() as session:
        lists = [session.outbox.find(state, lane=DRY_RUN, most=100) for state in OutboxState]
    return {one.message_id: one for found in lists for one in found}


def find_one(store: Store) -> Queued:
    (one,) = find_all(store).values()
    return one


def test_a_message_is_handed_over_once_and_not_before_its_moment(store: Store) -> None:
    plan(store)
    receiver = Receiver()
    deliverer = make_deliverer(store, receiver)

    early = deliverer.look(at(NOON - SECOND))
    for _ in range(2):
        deliverer.look(at(NOON))

    assert early.n_taken_in == 0
    assert receiver.takes == {"m0": 1}
    assert find_one(store).state is OutboxState.HANDED_OVER


def test_failures_are_tried_again_after_a_pause(store: Store) -> None:
    plan(store)
    receiver = Receiver(failures=1)
    deliverer = make_deliverer(store, receiver)

    deliverer.look(at(NOON))
    waiting = find_one(store)
    deliverer.look(at(NOON + SECOND))
    nothing_yet = dict(receiver.takes)
    deliverer.look(at(NOON + 30 * SECOND))

    assert (waiting.state, waiting.reason) == (OutboxState.PENDING, "busy")
    assert 15 <= (waiting.due_at_us - to_us(NOON)) / 1e6 <= 30
    assert nothing_yet == {}
    assert receiver.takes == {"m0": 1}


def test_a_message_that_always_fails_is_dead_until_it_is_requeued(store: Store) -> None:
    plan(store)
    receiver = Receiver(failures=3)
    deliverer = make_deliverer(store, receiver, max_attempts=3)
    for n in range(4):
        deliverer.look(at(NOON + n * HOUR))
    dead = find_one(store)

    with store.transaction() as session:
        later = to_us(NOON + 5 * HOUR)
        done = session.outbox.requeue(["m0", "unknown"], lane=DRY_RUN, at_us=later)
    deliverer.look(at(NOON + 5 * HOUR))

    assert (dead.state, dead.n_attempts, dead.reason) == (OutboxState.DEAD, 3, "busy")
    assert done == [True, False]
    assert receiver.takes == {"m0": 1}


def test_pauses_double_up_to_the_longest() -> None:
    rng = np.random.default_rng(3)
    retry = DELIVERY.retry
    for n_attempts, longest in ((1, 30), (2, 60), (4, 240), (12, 3600)):
        pauses = [draw_pause_us(retry, n_attempts=n_attempts, rng=rng) / 1e6 for _ in range(50)]
        assert longest / 2 <= min(pauses) < max(pauses) <= longest


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"consent_email": False}, "no_consent"),
        ({"marketing_consent_email": False}, "no_marketing_consent"),
    ],
)
def test_a_consent_that_was_withdrawn_since_is_heeded(
    tmp_path: Path, changes: dict[str, str | bool], reason: str
) -> None:
    store = Store(tmp_path / "store.db")
    plan(store)
    receiver = Receiver()

    make_deliverer(store, receiver, profile(**changes)).look(at(NOON))

    assert receiver.takes == {}
    assert (find_one(store).state, find_one(store).reason) == (OutboxState.REFUSED, reason)


@pytest.mark.parametrize(
    ("outcomes", "reason"),
    [
        ([Outcome.COMPLAINED], "suppressed"),
        ([Outcome.UNSUBSCRIBED], "no_consent"),
        ([Outcome.BOUNCED, Outcome.BOUNCED], "unreachable"),
    ],
)
def test_what_came_of_an_earlier_message_is_heeded(
    tmp_path: Path, outcomes: list[Outcome], reason: str
) -> None:
    store = Store(tmp_path / "store.db")
    plan(store, 1, at=NOON - 4 * DAY)
    plan(store, 2, at=NOON)
    told = [
        OutcomeEvent(message_id="m1", outcome=outcome, at=NOON + n * SECOND)
        for n, outcome in enumerate(outcomes)
    ]
    with store.transaction() as session:
        session.add_outcomes(told)
    receiver = Receiver()

    make_deliverer(store, receiver).look(at(NOON + HOUR))

    assert receiver.takes == {}
    assert find_all(store)["m2"].reason == reason


def test_strangers_and_stale_messages_are_refused(tmp_path: Path) -> None:
    store = Store(tmp_path / "store.db")
    plan(store, 1, customer_id="stranger")
    plan(store, 2, at=NOON - 25 * HOUR)
    plan(store, 3, at=NOON - 31 * DAY)
    receiver = Receiver()

    report = make_deliverer(store, receiver).look(at(NOON))

    assert receiver.takes == {}
    assert report.reasons == {"unknown_customer": 1, "expired": 1}
    assert set(find_all(store)) == {"m1", "m2"}


@pytest.mark.parametrize(
    ("trigger", "taken"), [(Trigger.PRICE_DROP, {}), (Trigger.ORDER_SHIPPED, {"m0": 1})]
)
def test_an_incident_refuses_marketing_alone(
    tmp_path: Path, trigger: Trigger, taken: dict[str, int]
) -> None:
    store = Store(tmp_path / "store.db")
    plan(store, trigger=trigger)
    with store.transaction() as session:
        session.incidents.open("heat", region="north", starts_at_us=to_us(NOON - HOUR))
    receiver = Receiver()

    make_deliverer(store, receiver, profile(region="north")).look(at(NOON))

    assert receiver.takes == taken


def test_a_late_message_waits_for_the_morning_and_only_within_its_shelf_life(
    tmp_path: Path,
) -> None:
    store = Store(tmp_path / "store.db")
    evening = NOON + 8 * HOUR
    plan(store, 1, at=evening)
    plan(store, 2, at=evening, trigger=Trigger.SERVICE_DISRUPTION, customer_id="c1")
    plan(store, 3, at=evening, trigger=Trigger.BROWSE_ABANDONMENT, customer_id="c2")
    receiver = Receiver()
    deliverer = make_deliverer(store, receiver, profile(), profile("c1"), profile("c2"))
    life = DELIVERY.shelf_life_hours | {Trigger.BROWSE_ABANDONMENT: 5.0}
    short = deliverer.guards.delivery.model_copy(update={"shelf_life_hours": life})
    deliverer = replace(deliverer, guards=replace(deliverer.guards, delivery=short))

    deliverer.look(at(evening + 2 * HOUR))
    at_night = dict(receiver.takes)
    waits, over = find_all(store)["m1"], find_all(store)["m3"]
    deliverer.look(at(NOON + 21 * HOUR))

    assert at_night == {"m2": 1}  # critical messages pass
    assert (waits.reason, waits.due_at_us) == ("quiet_hours", to_us(NOON + 21 * HOUR))
    assert (over.state, over.reason) == (OutboxState.REFUSED, "expired")
    assert receiver.takes == {"m1": 1, "m2": 1}


def test_the_night_ends_by_the_local_clock_when_clocks_are_changed(tmp_path: Path) -> None:
    store = Store(tmp_path / "store.db")
    before = datetime.fromisoformat("2026-03-28T18:30:00+00:00")
    plan(store, at=before)
    deliverer = make_deliverer(store, Receiver(), profile(timezone="Europe/Berlin"))

    deliverer.look(at(before + 2 * HOUR))  # 21:30 in winter time; 9:00 in summer time is 7:00 UTC

    end = datetime.fromisoformat("2026-03-29T07:00:00+00:00")
    assert find_one(store).due_at_us == to_us(end)


def test_messages_that_were_held_up_do_not_arrive_all_at_once(tmp_path: Path) -> None:
    store = Store(tmp_path / "store.db")
    for number in range(4):
        plan(store, number, at=NOON + number * SECOND, trigger=Trigger.INACTIVITY)
    receiver = Receiver()

    report = make_deliverer(store, receiver).look(at(NOON + HOUR))

    assert receiver.takes == {"m0": 1, "m1": 1}
    assert report.reasons == {"fatigue_day": 2}


def test_a_clock_that_goes_back_makes_no_room(tmp_path: Path) -> None:
    store = Store(tmp_path / "store.db")
    for number in range(3):
        plan(store, number, at=NOON + number * SECOND)
    receiver = Receiver()
    deliverer = make_deliverer(store, receiver)
    with store.transaction() as session:
        session.cancel(["m2"], at=NOON)

    deliverer.look(at(NOON + 20 * HOUR + 2 * HOUR))
    plan(store, 3, at=NOON + HOUR)
    deliverer.look(at(NOON + HOUR))

    assert receiver.takes == {"m0": 1, "m1": 1}
    assert find_all(store)["m3"].reason == "fatigue_day"


def test_a_message_is_not_counted_against_itself(tmp_path: Path) -> None:
    store = Store(tmp_path / "store.db")
    plan(store, 1, at=NOON)
    plan(store, 2, at=NOON + HOUR)
    receiver = Receiver()
    deliverer = make_deliverer(store, receiver)

    deliverer.look(at(NOON))
    deliverer.look(at(NOON + HOUR))

    assert receiver.takes == {"m1": 1, "m2": 1}


def test_a_kill_switch_stops_everything_until_it_is_thrown_back(tmp_path: Path) -> None:
    store = Store(tmp_path / "store.db")
    plan(store)
    receiver = Receiver()
    deliverer = make_deliverer(store, receiver)
    with store.transaction() as session:
        session.switches.throw(branch=None, is_stopped=True, by="dana", at=NOON)
    stopped = deliverer.look(at(NOON))
    with store.transaction() as session:
        session.switches.throw(branch=None, is_stopped=False, by="dana", at=NOON)

    assert "dana stopped everything" in str(stopped.stopped)
    assert receiver.takes == {}
    deliverer.look(at(NOON))
    assert receiver.takes == {"m0": 1}


@pytest.mark.parametrize("moment", [NOON - HOUR, NOON + HOUR])
def test_a_cancelled_message_is_never_handed_over_whether_it_was_in_time_or_not(
    tmp_path: Path, moment: datetime
) -> None:
    store = Store(tmp_path / "store.db")
    plan(store)
    receiver = Receiver(failures=1)
    deliverer = make_deliverer(store, receiver)
    deliverer.look(at(NOON))
    with store.transaction() as session:
        session.cancel(["m0"], at=moment)

    deliverer.look(at(NOON + 2 * HOUR))

    assert receiver.takes == {}
    assert find_one(store).state is OutboxState.CANCELLED


class EndedError(Exception):
    """Stands for the end of the process, which settles nothing."""


@dataclass
class Crashing:
    """Ends the process right before, or right after, the receiver took the message."""

    receiver: Receiver
    is_after: bool

    def hand_over(self, parcel: Parcel) -> Receipt:
        if self.is_after:
            self.receiver.hand_over(parcel)
        raise EndedError


@pytest.mark.parametrize("is_after", [False, True])
def test_a_claim_whose_process_ended_is_taken_over_when_its_lease_is_out(
    store: Store, *, is_after: bool
) -> None:
    plan(store)
    receiver = Receiver()
    deliverer = make_deliverer(store, receiver)
    with pytest.raises(EndedError):
        replace(deliverer, transport=Crashing(receiver, is_after)).look(at(NOON))
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
            replace(deliverer, transport=Crashing(receiver, is_after=False)).look(
                at(NOON + n * HOUR)
            )
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
                replace(deliverer, transport=Crashing(receiver, bool(number))).look(at(now))
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
