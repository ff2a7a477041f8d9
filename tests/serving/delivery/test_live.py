"""The live lane: limits, receivers that are down, doubt, and what is booked elsewhere."""

from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import pytest

from features.vocabulary import Channel, Outcome, Trigger
from serving.copy.settings import CopySettings
from serving.delivery.live.secrets import Secrets
from serving.delivery.live.settings import DomainRates, SmtpSettings
from serving.delivery.live.smtp import SmtpRelay
from serving.delivery.live.transport import LetterTransport
from serving.delivery.parcel import (
    Down,
    HandedOver,
    Later,
    Lost,
    Moment,
    Parcel,
    Receipt,
    Rejected,
    TryAgain,
    Uncertain,
)
from serving.delivery.queue import LIVE
from serving.policy.cases import from_us, to_us
from serving.store.cancel import CancelState
from serving.store.claims import OutboxState
from serving.store.rates import Rate
from serving.store.store import Store
from tests.serving.delivery.servers import Relay, run_relay
from tests.serving.delivery.world import (
    HOUR,
    NOON,
    SECOND,
    at,
    find_all,
    find_one,
    make_deliverer,
    plan,
    profile,
)


class EndedError(Exception):
    """Stands for the end of the process, which settles nothing."""


@dataclass
class Keyless:
    """A receiver that cannot tell a second message from the first, as SMTP.

    Attributes:
        says: What it answers next; what is none of a receipt ends the process there.
        takes: What it took.
    """

    says: list[Receipt | str] = field(default_factory=list)
    takes: list[str] = field(default_factory=list)
    moments: list[Moment] = field(default_factory=list)

    def hand_over(self, parcel: Parcel, moment: Moment) -> Receipt:
        self.moments.append(moment)
        said = self.says.pop(0) if self.says else HandedOver("here")
        if said == "ends before":
            raise EndedError
        if not isinstance(said, HandedOver | Uncertain | str):
            return said
        if not moment.begin():
            return Lost()
        if said == "ends in doubt":
            raise EndedError
        self.takes.append(parcel.message_id)
        if isinstance(said, str):
            raise EndedError
        return said


def open_live(store: Store) -> None:
    """The lane begins an hour before noon."""
    with store.transaction() as session:
        session.outbox.open_lane(LIVE, at_us=to_us(NOON - HOUR))


def test_the_live_lane_leaves_alone_what_was_planned_before_it_began(tmp_path: Path) -> None:
    store = Store(tmp_path / "store.db")
    plan(store, 1, at=NOON - 2 * SECOND)
    receiver = Keyless()
    deliverer = make_deliverer(store, receiver, lane=LIVE)

    deliverer.look(at(NOON))
    plan(store, 2, at=NOON + SECOND)
    deliverer.look(at(NOON + HOUR))

    assert receiver.takes == ["m2"]
    assert set(find_all(store, lane=LIVE)) == {"m2"}


def test_a_message_that_may_have_been_sent_is_never_silently_sent_again(store: Store) -> None:
    open_live(store)
    plan(store)
    receiver = Keyless([Uncertain("gone after the letter ended")])
    deliverer = make_deliverer(store, receiver, lane=LIVE)

    for hours in range(3):
        deliverer.look(at(NOON + hours * HOUR))

    assert receiver.takes == ["m0"]
    assert find_one(store, lane=LIVE).state is OutboxState.UNCERTAIN


@pytest.mark.parametrize(
    ("said", "n_taken", "state"),
    [
        ("ends before", 1, OutboxState.HANDED_OVER),  # nothing had left: it is sent
        ("ends in doubt", 0, OutboxState.UNCERTAIN),
        ("ends after", 1, OutboxState.UNCERTAIN),
    ],
)
def test_a_process_that_ends_leaves_doubt_only_where_there_is_any(
    store: Store, said: str, n_taken: int, state: OutboxState
) -> None:
    open_live(store)
    plan(store)
    receiver = Keyless([said])
    deliverer = make_deliverer(store, receiver, lane=LIVE)
    with pytest.raises(EndedError):
        deliverer.look(at(NOON))

    deliverer.look(at(NOON + HOUR))

    assert len(receiver.takes) == n_taken
    assert find_one(store, lane=LIVE).state is state


def test_who_was_taken_for_lost_may_still_say_what_became_of_it(tmp_path: Path) -> None:
    store = Store(tmp_path / "store.db")
    open_live(store)
    plan(store)

    class Slow(Keyless):
        def hand_over(self, parcel: Parcel, moment: Moment) -> Receipt:
            receipt = super().hand_over(parcel, moment)
            make_deliverer(store, self, lane=LIVE).look(at(NOON + HOUR))
            assert find_one(store, lane=LIVE).state is OutboxState.UNCERTAIN
            return receipt

    slow = Slow()
    make_deliverer(store, slow, lane=LIVE).look(at(NOON))

    assert slow.takes == ["m0"]
    assert find_one(store, lane=LIVE).state is OutboxState.HANDED_OVER


def test_whoever_lost_its_lease_takes_no_step_that_cannot_be_taken_back(tmp_path: Path) -> None:
    store = Store(tmp_path / "store.db")
    open_live(store)
    plan(store)
    quick = Keyless()

    class Paused(Keyless):
        def hand_over(self, parcel: Parcel, moment: Moment) -> Receipt:
            make_deliverer(store, quick, lane=LIVE).look(at(NOON + HOUR))
            return super().hand_over(parcel, moment)

    paused = Paused()
    make_deliverer(store, paused, lane=LIVE).look(at(NOON))

    assert (paused.takes, quick.takes) == ([], ["m0"])
    assert find_one(store, lane=LIVE).state is OutboxState.HANDED_OVER


@pytest.mark.parametrize(
    ("rule", "takes", "state"),
    [
        ("ask", ["m0"], OutboxState.UNCERTAIN),
        ("sent", ["m0"], OutboxState.HANDED_OVER),
        ("not_sent", ["m0", "m0"], OutboxState.HANDED_OVER),
    ],
)
def test_settings_may_say_what_is_taken_for_true(
    tmp_path: Path, rule: str, takes: list[str], state: OutboxState
) -> None:
    store = Store(tmp_path / "store.db")
    open_live(store)
    plan(store)
    receiver = Keyless([Uncertain("lost")])
    deliverer = make_deliverer(store, receiver, lane=LIVE, uncertain=rule)

    deliverer.look(at(NOON))
    deliverer.look(at(NOON + HOUR))

    assert receiver.takes == takes
    assert find_one(store, lane=LIVE).state is state


def test_somebody_says_what_became_of_it_and_once(store: Store) -> None:
    open_live(store)
    for number in (1, 2):
        plan(store, number, customer_id=f"c{number}")
    receiver = Keyless([Uncertain("lost"), Uncertain("lost")])
    deliverer = make_deliverer(store, receiver, profile("c1"), profile("c2"), lane=LIVE)
    deliverer.look(at(NOON))

    answers = []
    for key, was_sent in (("m1", True), ("m2", False), ("m1", False)):
        with store.transaction() as session:
            answers.append(
                session.outbox.resolve(
                    key, lane=LIVE, at_us=to_us(NOON + HOUR), was_sent=was_sent, reason="dana"
                )
            )
    deliverer.look(at(NOON + HOUR))

    assert answers == [True, True, False]
    assert receiver.takes == ["m1", "m2", "m2"]
    assert {one.state for one in find_all(store, lane=LIVE).values()} == {OutboxState.HANDED_OVER}


def test_what_may_have_been_sent_counts_as_a_contact(tmp_path: Path) -> None:
    store = Store(tmp_path / "store.db")
    open_live(store)
    for number in range(3):
        plan(store, number, at=NOON + number * SECOND)
    receiver = Keyless([Uncertain("lost"), Uncertain("lost")])

    make_deliverer(store, receiver, lane=LIVE).look(at(NOON + HOUR))

    assert receiver.takes == ["m0", "m1"]
    assert find_all(store, lane=LIVE)["m2"].reason == "fatigue_day"


# ---------------------------------------------------------------- doors


def test_a_receiver_that_is_down_costs_no_attempt_and_holds_up_no_other_channel(
    tmp_path: Path,
) -> None:
    store = Store(tmp_path / "store.db")
    open_live(store)
    everybody = [profile(f"c{n}") for n in range(4)]
    for number, channel in enumerate((Channel.EMAIL, Channel.EMAIL, Channel.SMS, Channel.EMAIL)):
        plan(store, number, at=NOON + number * SECOND, customer_id=f"c{number}", channel=channel)

    class Half(Keyless):
        is_down = True

        def hand_over(self, parcel: Parcel, moment: Moment) -> Receipt:
            if parcel.channel is Channel.EMAIL and self.is_down:
                self.moments.append(moment)
                return Down("relay: gone", 90.0)
            return super().hand_over(parcel, moment)

    receiver = Half()
    deliverer = make_deliverer(store, receiver, *everybody, lane=LIVE, max_attempts=2)
    now = NOON + HOUR
    first = deliverer.look(at(now))
    taken, n_asked = list(receiver.takes), len(receiver.moments)
    for minutes in (2, 10, 30, 60):
        deliverer.look(at(now + timedelta(minutes=minutes)))
    receiver.is_down = False
    deliverer.look(at(now + 2 * HOUR))

    assert (taken, n_asked) == (["m2"], 2)  # one e-mail found out for all
    assert first.opens_at_us == to_us(now + 90 * SECOND)  # as the receiver wished
    assert sorted(receiver.takes) == ["m0", "m1", "m2", "m3"]
    assert all(one.n_attempts == 1 for one in find_all(store, lane=LIVE).values())


def test_failures_in_a_row_are_the_receivers_and_the_other_messages_wait(tmp_path: Path) -> None:
    store = Store(tmp_path / "store.db")
    open_live(store)
    people = [profile(f"c{n}") for n in range(9)]
    for number in range(9):
        plan(store, number, at=NOON + number * SECOND, customer_id=f"c{number}")
    receiver = Keyless([TryAgain("500", hints_down=True)] * 20)
    deliverer = make_deliverer(store, receiver, *people, lane=LIVE, max_attempts=6)
    look = deliverer.look(at(NOON + HOUR))
    n_asked = len(receiver.moments)
    receiver.says.clear()
    assert look.opens_at_us is not None
    deliverer.look(at(from_us(look.opens_at_us) + 60 * SECOND))

    assert n_asked == 3
    assert len(receiver.takes) == 9


def test_rates_hold_for_all_processes_together(store: Store) -> None:
    open_live(store)
    people = [profile(f"c{n}") for n in range(6)]
    for number in range(6):
        plan(store, number, customer_id=f"c{number}")
    receiver = Keyless()
    rates = {Channel.EMAIL: Rate(2, 60.0)}
    pair = [make_deliverer(store, receiver, *people, lane=LIVE, rates=rates) for _ in range(2)]

    found = []
    for seconds in (0, 1, 29, 30, 31, 60, 90, 119):
        reports = [one.look(at(NOON + seconds * SECOND)) for one in pair]
        found.append(len(receiver.takes))

    assert found == [2, 2, 2, 3, 3, 4, 5, 5]
    assert reports[0].opens_at_us == to_us(NOON + 120 * SECOND)


def test_a_bucket_gives_no_more_than_its_rate_wherever_the_clock_goes(tmp_path: Path) -> None:
    store = Store(tmp_path / "store.db")
    rate = Rate(3, 30.0)
    with store.transaction() as session:
        takes = [session.rates.take("b", rate, at_us=to_us(NOON)) for _ in range(4)]
        back = [session.rates.take("b", rate, at_us=to_us(NOON - 24 * HOUR)) for _ in range(2)]
        later = session.rates.take("b", rate, at_us=to_us(NOON - 24 * HOUR + 10 * SECOND))

    assert takes == [None, None, None, to_us(NOON + 10 * SECOND)]
    assert back == [to_us(NOON - 24 * HOUR + 10 * SECOND)] * 2
    assert later is None


def test_a_limit_of_ours_costs_no_attempt(tmp_path: Path) -> None:
    store = Store(tmp_path / "store.db")
    open_live(store)
    plan(store)
    receiver = Keyless([Later(to_us(NOON + n * SECOND), "domain_rate") for n in (1, 2, 3)])
    deliverer = make_deliverer(store, receiver, lane=LIVE, max_attempts=1)

    for seconds in range(4):
        deliverer.look(at(NOON + seconds * SECOND))

    assert receiver.takes == ["m0"]
    assert find_one(store, lane=LIVE).n_attempts == 1


# ---------------------------------------------------------------- what is booked elsewhere


@pytest.mark.parametrize(
    ("said", "outcome"),
    [
        (HandedOver("x", is_delivered=True), Outcome.DELIVERED),
        (Rejected("550 5.1.1", Outcome.BOUNCED), Outcome.BOUNCED),
        (HandedOver("x"), None),
    ],
)
def test_what_a_receiver_says_of_the_customer_is_booked(
    tmp_path: Path, said: Receipt, outcome: Outcome | None
) -> None:
    store = Store(tmp_path / "store.db")
    open_live(store)
    plan(store)
    make_deliverer(store, Keyless([said]), lane=LIVE).look(at(NOON))

    with store.reading() as session:
        booked = [one.outcome for lot in session.read_outcomes() for one in lot]
    assert booked == ([] if outcome is None else [outcome])


def test_what_was_surely_not_sent_is_no_contact_and_the_rest_stays_one(tmp_path: Path) -> None:
    store = Store(tmp_path / "store.db")
    open_live(store)
    for number in range(4):
        plan(store, number, at=NOON + number * SECOND, customer_id=f"c{number}")
    receiver = Keyless([Rejected("no_address"), TryAgain("timeout"), HandedOver("x")])
    people = [profile("c0"), profile("c1"), profile("c2"), profile("c3", consent_email=False)]
    deliverer = make_deliverer(store, receiver, *people, lane=LIVE)
    deliverer.look(at(NOON + HOUR))
    receiver.says = [Rejected("400")]  # of c1's, which may have been taken the first time
    deliverer.look(at(NOON + 2 * HOUR))

    states = {key: one.state for key, one in find_all(store, lane=LIVE).items()}
    assert states == {
        "m0": OutboxState.REFUSED,
        "m1": OutboxState.REFUSED,
        "m2": OutboxState.HANDED_OVER,
        "m3": OutboxState.REFUSED,
    }
    with store.transaction() as session:
        assert session.find_cancelled() == ["m0", "m3"]
        assert session.cancel(["m1"], at=NOON) == [CancelState.TOO_LATE]


@pytest.mark.parametrize("guard_refuses", [True, False])
def test_what_may_have_been_sent_before_it_was_requeued_stays_a_contact(
    tmp_path: Path, *, guard_refuses: bool
) -> None:
    store = Store(tmp_path / "store.db")
    open_live(store)
    plan(store)
    receiver = Keyless([TryAgain("timeout"), TryAgain("timeout"), Rejected("400")])
    deliverer = make_deliverer(store, receiver, max_attempts=2, lane=LIVE)
    for n in range(2):
        deliverer.look(at(NOON + n * HOUR))
    assert find_one(store, lane=LIVE).state is OutboxState.DEAD
    with store.transaction() as session:
        session.outbox.requeue(["m0"], lane=LIVE, at_us=to_us(NOON + 2 * HOUR))
    refuses = make_deliverer(store, receiver, profile(consent_email=not guard_refuses), lane=LIVE)
    refuses.look(at(NOON + 2 * HOUR))

    assert find_one(store, lane=LIVE).state is OutboxState.REFUSED
    with store.reading() as session:
        assert [one.sent_at_us for one in session.find_contacts(["c0"], since_us=0)] == [
            to_us(NOON)
        ]


def test_after_a_claim_no_wish_to_cancel_is_in_time_wherever_clocks_go(tmp_path: Path) -> None:
    store = Store(tmp_path / "store.db")
    open_live(store)
    plan(store)
    with suppress(EndedError):
        make_deliverer(store, Keyless(["ends after"]), lane=LIVE).look(at(NOON))

    with store.transaction() as session:
        assert session.cancel(["m0"], at=NOON - 2 * HOUR) == [CancelState.TOO_LATE]


@pytest.mark.parametrize(
    ("trigger", "state"),
    [
        (Trigger.INCIDENT_UPDATE, OutboxState.UNCERTAIN),
        (Trigger.PRICE_DROP, OutboxState.HANDED_OVER),
    ],
)
def test_service_and_marketing_that_are_uncertain_each_have_a_rule(
    tmp_path: Path, trigger: Trigger, state: OutboxState
) -> None:
    store = Store(tmp_path / "store.db")
    open_live(store)
    plan(store, trigger=trigger)
    receiver = Keyless([Uncertain("lost")])

    make_deliverer(store, receiver, lane=LIVE, uncertain="sent", uncertain_service="ask").look(
        at(NOON)
    )

    assert find_one(store, lane=LIVE).state is state


def test_letters_to_one_domain_are_given_one_moment_after_the_other(tmp_path: Path) -> None:
    store = Store(tmp_path / "store.db")
    open_live(store)
    people = [profile(f"c{n}") for n in range(5)]
    for number in range(5):
        plan(store, number, customer_id=f"c{number}")
    rates = DomainRates.model_validate({"domains": {"slow.example": {"n": 1, "per_seconds": 60}}})
    with run_relay(Relay()) as relay:
        smtp = SmtpSettings(host="127.0.0.1", port=relay.port, security="none")
        with closing(SmtpRelay(smtp, sender="hi@teal.example", secrets=Secrets({}))) as door:
            letters = LetterTransport(door, "hi@teal.example", None, CopySettings(), rates)

            class Addressed:
                def hand_over(self, parcel: Parcel, moment: Moment) -> Receipt:
                    host = "quick.example" if parcel.message_id == "m4" else "SLOW.example"
                    return letters.hand_over(replace(parcel, address=f"bo@{host}"), moment)

            deliverer = make_deliverer(store, Addressed(), *people, lane=LIVE, max_attempts=1)
            deliverer.look(at(NOON))
            waiting = list(find_all(store, lane=LIVE).values())
            found = []
            for minutes in (1, 2, 3):
                deliverer.look(at(NOON + timedelta(minutes=minutes)))
                found.append(len(relay.letters))

    waits = sorted(one.due_at_us for one in waiting if one.state is OutboxState.PENDING)
    assert waits == [to_us(NOON + timedelta(minutes=n)) for n in (1, 2, 3)]
    assert found == [3, 4, 5]
