"""What is due is handed over once, if it is still allowed."""

from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from features.vocabulary import Outcome, Trigger
from serving.delivery.look import draw_pause_us
from serving.delivery.messages import MessageQueue
from serving.delivery.parcel import Moment, Parcel, Receipt
from serving.delivery.queue import DRY_RUN
from serving.policy.cases import to_us
from serving.records import OutcomeEvent
from serving.store.claims import OutboxState
from serving.store.store import Store
from tests.serving.delivery.world import (
    DAY,
    DELIVERY,
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
)


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
    plan(store, 0, at=NOON - 4 * DAY)
    plan(store, 1, at=NOON - 3 * DAY)
    plan(store, 2, at=NOON)
    told = [
        OutcomeEvent(message_id=f"m{n}", outcome=outcome, at=NOON + n * SECOND)
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
    short = DELIVERY.model_copy(update={"shelf_life_hours": life})
    queue = deliverer.queue
    assert isinstance(queue, MessageQueue)
    queue = replace(queue, guards=replace(queue.guards, delivery=short))
    deliverer = replace(deliverer, queue=queue)

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


def test_what_another_process_is_handing_over_counts_already(store: Store) -> None:
    for number in range(3):
        plan(store, number, at=NOON + number * SECOND)
    beside = Receiver()

    class Slow(Receiver):
        def hand_over(self, parcel: Parcel, moment: Moment) -> Receipt:
            make_deliverer(store, beside).look(at(NOON + HOUR))
            return super().hand_over(parcel, moment)

    slow = Slow()
    make_deliverer(store, slow).look(at(NOON + HOUR))

    assert (slow.takes, beside.takes) == ({"m0": 1}, {"m1": 1})
    assert find_all(store)["m2"].reason == "fatigue_day"


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


def test_a_look_that_is_to_end_leaves_the_rest_to_the_next(tmp_path: Path) -> None:
    store = Store(tmp_path / "store.db")
    for number in range(2):
        plan(store, number, at=NOON + number * SECOND)
    receiver = Receiver()
    deliverer = make_deliverer(store, receiver)

    cut = deliverer.look(at(NOON + HOUR), is_over=lambda: bool(receiver.takes))

    assert (cut.n_taken_in, receiver.takes) == (2, {"m0": 1})
    deliverer.look(at(NOON + HOUR))
    assert receiver.takes == {"m0": 1, "m1": 1}


def test_a_stop_file_stops_everything_while_it_is_there(tmp_path: Path) -> None:
    store = Store(tmp_path / "store.db")
    plan(store)
    receiver = Receiver()
    deliverer = make_deliverer(store, receiver, home=tmp_path)
    (tmp_path / "STOP").touch()
    stopped = deliverer.look(at(NOON))

    assert "STOP" in str(stopped.stopped)
    assert receiver.takes == {}
    (tmp_path / "STOP").unlink()
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
