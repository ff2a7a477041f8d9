"""Decisions of customers with a state: what arrived since the snapshot counts."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pytest
from sqlalchemy import event as sql_event

from features.churn import CHURN_FEATURES
from features.churn.risk import TierBorders, TierSource, default_rules
from features.errors import BadInputError, ConflictError
from features.tables import Tables
from features.vocabulary import Channel, Outcome, Trigger
from serving.copy.settings import CopySettings
from serving.decide import Engine
from serving.online.desk import EventDesk
from serving.online.live import read_live
from serving.online.rebuild import rebuild_online
from serving.online.records import Event, EventReceipt, EventReport, EventState
from serving.online.served import split_numbers
from serving.policy.cases import to_us
from serving.records import Decision, DecisionRequest, OutcomeEvent, OutcomeState, Reason
from serving.risk.answer import RiskDesk
from serving.risk.records import ChurnQuestion
from serving.snapshot.making import make_snapshot
from serving.snapshot.state import Models, Snapshot
from serving.store.store import Store
from training.bandit.files import new_bandit

EngineMaker = Callable[[Snapshot], Engine]
EventMaker = Callable[..., Event]

HOUR = timedelta(hours=1)
DAY = 24 * HOUR


@pytest.fixture
def rebuilt(store: Store, tables: Tables, snapshot: Snapshot) -> Store:
    rebuild_online(store, tables, as_of=snapshot.as_of)
    return store


Teller = Callable[..., EventReceipt]


@pytest.fixture
def tell(store: Store, snapshot: Snapshot) -> Teller:
    """Posts events as of a moment."""

    def post(*events: Event, at: datetime, find_triggers: bool = False) -> EventReceipt:
        report = EventReport(events=list(events), known_at=at, find_triggers=find_triggers)
        return EventDesk(store, takes_callers_time=True).take(report, snapshot, now=at)

    return post


def ask(customer_id: str, *, at: datetime, **more: object) -> DecisionRequest:
    return DecisionRequest.model_validate(
        {"customer_id": customer_id, "trigger": Trigger.ABANDONED_CART, "decided_at": at} | more
    )


def customer_row(customer_id: str, **more: object) -> dict[str, object]:
    return {
        "customer_id": customer_id,
        "signed_up_at": "2025-01-01T00:00:00Z",
        "language": "ru",
        "timezone": "Europe/Berlin",
        "first_name": "Ivan",
        **{f"consent_{channel}": True for channel in Channel},
        **more,
    }


def test_decisions_without_states_ask_the_store_once(store: Store, snapshot: Snapshot) -> None:
    """However many customers there are: a home that never rebuilt stays as quick as it was."""
    texts: list[str] = []
    with store.transaction() as session:
        connection = session.online._connection
        sql_event.listen(
            connection.engine, "before_cursor_execute", lambda *a: texts.append(str(a[2]))
        )
        ids = snapshot.customers.profile["customer_id"].tolist()
        live = read_live(session.online, snapshot, ids, moments_us=[snapshot.as_of_us] * len(ids))

    assert live == {}
    assert len(texts) == 1


def test_states_give_the_decisions_of_a_snapshot_of_the_same_moment(
    rebuilt: Store, tables: Tables, models: Models, snapshot: Snapshot
) -> None:
    """Everybody's features and scores, without anything new: those of a fresh snapshot."""
    later = snapshot.as_of + 2 * DAY + 3 * HOUR
    fresh = make_snapshot(tables, as_of=later, models=models, bandit=new_bandit())
    ids = fresh.customers.profile["customer_id"].tolist()

    with rebuilt.reading() as session:
        live = read_live(session.online, snapshot, ids, moments_us=[to_us(later)] * len(ids))

    assert len(live) == len(ids)
    for name in ("churn", "engagement", "week_counts"):
        numbers = np.vstack([getattr(live[n], name) for n in range(len(ids))])
        np.testing.assert_allclose(numbers, getattr(fresh.customers, name), rtol=0, atol=1e-9)
    p_churn = np.array([live[n].p_churn for n in range(len(ids))])
    np.testing.assert_allclose(p_churn, fresh.customers.p_churn, rtol=0, atol=1e-9)
    assert 0 < np.isnan(p_churn).sum() < len(ids) or not np.isnan(p_churn).any()
    assert all(customer.profile is None for customer in live.values())


def test_decision_uses_what_arrived_since_the_snapshot(
    rebuilt: Store, snapshot: Snapshot, engine_of: EngineMaker, event: EventMaker, tell: Teller
) -> None:
    engine = engine_of(snapshot)
    at = snapshot.as_of + HOUR
    before = engine.decide(ask("c001", at=at))
    rows = [
        event("activity", customer_id="c001", at=at + n * HOUR / 60, kind="purchase", value=9000.0)
        for n in range(30)
    ]

    receipt = tell(*rows, at=at + HOUR)
    after = engine.decide(ask("c001", at=at + 2 * HOUR))

    assert set(receipt.states) == {EventState.APPLIED}
    assert before.features_as_of == at
    assert after.features_as_of == at + 2 * HOUR
    assert [r.customer_id for r in receipt.churn] == ["c001"]
    with rebuilt.reading() as session:
        served = session.online.read_served(since_us=0, until_us=to_us(at + DAY))
        churn = split_numbers(row.numbers for row in served).churn
    bought = churn[:, CHURN_FEATURES.names.index("purchases_7d")]
    assert bought[1] - bought[0] == 30


def test_decision_about_a_past_that_the_state_left_behind_uses_the_snapshot(
    rebuilt: Store, snapshot: Snapshot, engine_of: EngineMaker, event: EventMaker, tell: Teller
) -> None:
    at = snapshot.as_of + DAY
    tell(event("activity", customer_id="c001", at=at, kind="login"), at=at)

    decision = engine_of(snapshot).decide(ask("c001", at=snapshot.as_of + HOUR))

    assert decision.features_as_of == snapshot.as_of


def test_a_no_that_was_told_to_a_server_whose_clock_is_ahead_counts(
    rebuilt: Store, snapshot: Snapshot, engine_of: EngineMaker, event: EventMaker, tell: Teller
) -> None:
    at = snapshot.as_of + HOUR
    no = {f"consent_{channel}": False for channel in Channel}
    tell(event("customers", **customer_row("c001", **no)), at=at)
    decision = engine_of(snapshot).decide(ask("c001", at=at - timedelta(seconds=2)))
    assert decision.reason is Reason.NO_CONSENT


@pytest.mark.parametrize(
    ("customer_id", "consent", "reason"),
    [("c006", True, None), ("c001", False, Reason.NO_CONSENT), ("c001", None, Reason.NO_CONSENT)],
)
def test_consent_posted_later_counts_in_both_directions(
    customer_id: str,
    consent: bool | None,
    reason: Reason | None,
    rebuilt: Store,
    snapshot: Snapshot,
    engine_of: EngineMaker,
    event: EventMaker,
    tell: Teller,
) -> None:
    """c006 refuses everything in the tables, c001 agrees to everything; unknown is no consent."""
    engine = engine_of(snapshot)
    at = snapshot.as_of + HOUR
    before = engine.decide(ask(customer_id, at=at))
    assert (before.reason is Reason.NO_CONSENT) is (customer_id == "c006")
    consents = {f"consent_{channel}": consent for channel in Channel}

    tell(event("customers", **customer_row(customer_id, **consents)), at=at)

    after = engine.decide(ask(customer_id, at=at + HOUR))
    assert (after.reason is Reason.NO_CONSENT) is (reason is Reason.NO_CONSENT)
    if reason is None:
        assert after.reason is not Reason.UNKNOWN_CUSTOMER
        assert len(after.allowed) > 1


def test_of_two_rows_of_one_future_moment_the_last_told_counts(
    rebuilt: Store, snapshot: Snapshot, engine_of: EngineMaker, event: EventMaker, tell: Teller
) -> None:
    """A sender's clock is ahead: a new customer, and ten seconds later her no."""
    at, soon = snapshot.as_of + HOUR, snapshot.as_of + HOUR + timedelta(minutes=1)
    new = {"signed_up_at": soon.isoformat()}
    tell(event("customers", **customer_row("new", **new)), at=at)
    no = {f"consent_{channel}": False for channel in Channel}
    tell(event("customers", **customer_row("new", **new, **no)), at=at + timedelta(seconds=10))
    decision = engine_of(snapshot).decide(ask("new", at=at + HOUR))
    assert decision.reason is Reason.NO_CONSENT


def test_customer_known_only_online_is_decided_like_any_other(
    rebuilt: Store, snapshot: Snapshot, engine_of: EngineMaker, event: EventMaker, tell: Teller
) -> None:
    """What was posted about them before they were known counts from then on."""
    engine = engine_of(snapshot)
    at = snapshot.as_of + HOUR
    ids = [f"new{n}" for n in range(30)]
    logins = [event("activity", customer_id=i, at=at, kind="login") for i in ids]

    kept = tell(*logins, at=at)
    unknown = engine.decide(ask("new0", at=at + HOUR))
    known = tell(*(event("customers", **customer_row(i)) for i in ids), at=at + HOUR)
    decided = engine.decide_many([ask(i, at=at + 2 * HOUR) for i in ids])

    assert (set(kept.states), kept.churn) == ({EventState.KEPT}, [])
    assert unknown.reason is Reason.UNKNOWN_CUSTOMER
    assert set(known.states) == {EventState.APPLIED}
    assert len(known.churn) == 30
    assert not any(d.cold_start for d in decided)
    assert {d.features_as_of for d in decided} == {at + 2 * HOUR}
    sent = [d for d in decided if d.send and d.content is not None]
    assert {d.content.language for d in sent if d.content} == {"ru"}
    with rebuilt.reading() as session:
        live = read_live(session.online, snapshot, ["new0"], moments_us=[to_us(at + 2 * HOUR)])
    assert live[0].week_counts.sum() == 0.0  # nobody knew their zone when they logged in
    assert live[0].profile is not None
    assert live[0].profile.timezone == "Europe/Berlin"
    names = snapshot.models.churn.signature.names if snapshot.models.churn else ()
    assert live[0].churn[names.index("days_since_last_login")] == pytest.approx(2 / 24)


def test_churn_answer_is_as_of_now_where_there_is_a_state(
    rebuilt: Store, snapshot: Snapshot, event: EventMaker, tell: Teller
) -> None:
    at = snapshot.as_of + HOUR
    tell(event("customers", **customer_row("new")), at=at)
    tell(event("activity", customer_id="new", at=at, kind="login"), at=at + HOUR)
    with rebuilt.reading() as session:
        live = read_live(session.online, snapshot, ["new"], moments_us=[to_us(at + DAY)])

    desk, question = RiskDesk(default_rules(), CopySettings()), ChurnQuestion(customer_id="new")
    assert desk.explain(question, snapshot).reason == "unknown_customer"
    answer = desk.explain(question, snapshot, live=live[0])

    assert answer.p_churn == live[0].p_churn
    assert answer.features_as_of == at + DAY
    assert answer.tier is not None


def test_rescored_customers_have_the_tier_that_the_rules_name(
    rebuilt: Store, snapshot: Snapshot, event: EventMaker
) -> None:
    """An old ticket raises the score by 1.3, and the tier with it where the score decides."""
    at = snapshot.as_of + HOUR
    by_score = default_rules().model_copy(update={"tier_from": TierSource.RISK_SCORE})
    desk = EventDesk(rebuilt, takes_callers_time=True, rules=by_score)
    ids = [f"c{n:03d}" for n in range(30)]
    tickets = [
        event(
            "tickets",
            ticket_id=f"t-{id_}",
            customer_id=id_,
            opened_at=at - 9 * DAY,
            escalated=False,
        )
        for id_ in ids
    ]
    report = EventReport(events=tickets, known_at=at, find_triggers=False)

    receipt = desk.take(report, snapshot, now=at)

    assert [rescored.customer_id for rescored in receipt.churn] == ids
    assert any(rescored.p_churn is not None for rescored in receipt.churn)
    for rescored in receipt.churn:
        if rescored.p_churn is not None:
            assert rescored.risk_score == pytest.approx(min(1.0, 1.3 * rescored.p_churn))
            assert rescored.tier == TierBorders().find_tier(rescored.risk_score or 0.0)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2), (2, 0, 1)])
def test_outcome_and_parcel_may_come_before_what_they_belong_to(
    order: tuple[int, ...], store: Store, snapshot: Snapshot, event: EventMaker, tell: Teller
) -> None:
    """Nothing was rebuilt: everything comes from events alone."""
    at = snapshot.as_of
    message = {
        "message_id": "m1", "decision_id": "d1", "customer_id": "c", "trigger": "inactivity",
        "channel": "email", "sent_at": at, "arm": "rules", "propensity": 1.0, "cost_cents": 0.1,
    }  # fmt: skip
    events = [
        event("customers", **customer_row("c")),
        event("messages", **message),
        event("outcomes", message_id="m1", outcome="opened", at=at + HOUR, machine=False),
    ]
    for n, position in enumerate(order):
        tell(events[position], at=at + (2 + n) * HOUR)

    with store.reading() as session:
        live = read_live(session.online, snapshot, ["c"], moments_us=[to_us(at + DAY)])

    model = snapshot.models.channel
    assert model is not None
    numbers = dict(zip(model.signature.names, live[0].engagement, strict=True))
    assert numbers["email_opened_90d"] == 1.0
    assert numbers["email_messages_90d"] == 1.0


def test_own_messages_and_their_outcomes_count(
    store: Store, snapshot: Snapshot, engine_of: EngineMaker, event: EventMaker, tell: Teller
) -> None:
    engine = replace(engine_of(snapshot), takes_callers_time=True)
    at = snapshot.as_of
    ids = [f"n{n}" for n in range(40)]
    tell(*(event("customers", **customer_row(i)) for i in ids), at=at)
    decided = engine.decide_many([ask(i, at=at + HOUR) for i in ids])
    sent = [d for d in decided if d.send]
    opened = [
        OutcomeEvent(message_id=d.messages[0].message_id, outcome=Outcome.OPENED, at=d.send_at)
        for d in sent
        if d.send_at is not None
    ]
    assert len(sent) > 3
    last = max(o.at for o in opened)

    assert set(engine.report(opened)) == {OutcomeState.BOOKED}

    def read(decision: Decision, moment: datetime) -> dict[str, float]:
        with store.reading() as session:
            live = read_live(
                session.online, snapshot, [decision.customer_id], moments_us=[to_us(moment)]
            )
        model = snapshot.models.channel
        assert model is not None
        return dict(zip(model.signature.names, live[0].engagement, strict=True))

    for decision in sent:
        channel = decision.messages[0].channel
        numbers = read(decision, last + DAY)
        assert numbers[f"{channel}_messages_90d"] == 1.0
        assert numbers[f"{channel}_opened_90d"] == 1.0


def test_a_complaint_that_was_posted_as_an_event_counts(
    rebuilt: Store, snapshot: Snapshot, engine_of: EngineMaker, event: EventMaker, tell: Teller
) -> None:
    engine = engine_of(snapshot)
    at = snapshot.as_of + HOUR
    asked = (engine.decide(ask(f"c{number:03d}", at=at)) for number in range(60))
    decided = next(one for one in asked if one.send)
    assert decided.send_at is not None
    later = decided.send_at + HOUR
    row = {
        "message_id": decided.messages[0].message_id,
        "outcome": "complained",
        "at": later.isoformat(),
        "machine": False,
    }
    tell(event("outcomes", **row), at=later)
    tell(event("outcomes", **row, event_id="again"), at=later + HOUR)
    decision = engine.decide(ask(decided.customer_id, at=later + 2 * HOUR))
    assert decision.reason is Reason.SUPPRESSED


def test_served_features_are_kept_for_decisions_by_models(
    rebuilt: Store, snapshot: Snapshot, cold_snapshot: Snapshot, engine_of: EngineMaker
) -> None:
    at = snapshot.as_of + HOUR
    requests = [ask(f"c{n:03d}", at=at) for n in range(20)]
    decided = engine_of(snapshot).decide_many(requests)
    engine_of(cold_snapshot).decide_many([ask("c021", at=at)])

    with rebuilt.reading() as session:
        served = list(session.online.read_served(since_us=0, until_us=to_us(at) + 1))

    assert {row.decision_id for row in served} == {d.decision_id for d in decided}
    assert {(row.as_of_us, row.online) for row in served} == {(to_us(at), True)}


def test_served_share_keeps_that_share(
    store: Store, snapshot: Snapshot, engine_of: EngineMaker
) -> None:
    engine = replace(engine_of(snapshot), served_share=0.5)
    engine.decide_many([ask(f"c{n:03d}", at=snapshot.as_of) for n in range(60)])

    with store.reading() as session:
        served = list(session.online.read_served(since_us=0, until_us=snapshot.as_of_us + 1))

    assert 15 < len(served) < 45
    assert {row.online for row in served} == {False}


def test_desk_takes_time_from_one_side_only(
    store: Store, snapshot: Snapshot, event: EventMaker
) -> None:
    row = event("activity", customer_id="c", at=snapshot.as_of, kind="login")
    with_moment = EventReport(events=[row], known_at=snapshot.as_of)
    without = EventReport(events=[row])

    with pytest.raises(BadInputError, match="known_at: not accepted"):
        EventDesk(store).take(with_moment, snapshot, now=snapshot.as_of)
    with pytest.raises(BadInputError, match="known_at: required"):
        EventDesk(store, takes_callers_time=True).take(without, snapshot, now=snapshot.as_of)


def test_desk_stamps_facts_in_the_order_in_which_they_arrive(
    store: Store, snapshot: Snapshot, event: EventMaker
) -> None:
    """Also when the clock stands still, or goes back."""
    desk = EventDesk(store)
    now = snapshot.as_of
    row = event("activity", customer_id="c", at=now - DAY, kind="login")
    moments = [
        desk.take(EventReport(events=[row, row], find_triggers=False), snapshot, now=at).known_at
        for at in (now, now, now - HOUR, now + HOUR)
    ]

    micro = timedelta(microseconds=1)
    assert moments == [now + micro, now + 3 * micro, now + 5 * micro, now + HOUR + micro]


def test_desk_refuses_to_go_back_and_keeps_nothing_of_it(
    rebuilt: Store, snapshot: Snapshot, event: EventMaker, tell: Teller
) -> None:
    at = snapshot.as_of + HOUR
    row = event("activity", customer_id="c001", at=at, kind="login")
    tell(row, at=at)

    with pytest.raises(ConflictError, match="no earlier moment"):
        tell(row, at=at - HOUR)

    with rebuilt.reading() as session:
        assert session.online.count().n_facts == 1


@pytest.fixture
def postgres_store(new_postgres_database: Callable[[], str]) -> Iterator[Store]:
    opened = Store(new_postgres_database())
    yield opened
    opened.close()


def test_everything_works_on_postgresql(
    postgres_store: Store, tables: Tables, snapshot: Snapshot, event: EventMaker
) -> None:
    rebuild_online(postgres_store, tables, as_of=snapshot.as_of)
    desk = EventDesk(postgres_store, takes_callers_time=True)
    at = snapshot.as_of + HOUR
    cart = event("activity", customer_id="c001", at=at, kind="cart_add", item="Чайник")

    receipt = desk.take(EventReport(events=[cart], known_at=at), snapshot, now=at)
    with postgres_store.reading() as session:
        live = read_live(session.online, snapshot, ["c001"], moments_us=[to_us(at) + 5_000_000])

    found = [t for t in receipt.triggers if t.trigger is Trigger.ABANDONED_CART]
    assert [(t.customer_id, t.evidence["item"]) for t in found] == [("c001", "Чайник")]
    assert live[0].as_of_us == to_us(at) + 5_000_000


@pytest.mark.parametrize(("told_last", "departures"), [("canceled", 1), ("active", 0)])
def test_a_cancel_that_was_taken_back_is_no_departure(
    told_last: str,
    departures: int,
    rebuilt: Store,
    snapshot: Snapshot,
    event: EventMaker,
    tell: Teller,
) -> None:
    row = {"customer_id": "c001", "plan": "p", "mrr_cents": 100, "upsell_shown": False}
    for hours, status in enumerate(("canceled", told_last)):
        ended = event("subscriptions", **row, valid_from=snapshot.as_of, status=status)
        tell(ended, at=snapshot.as_of + (hours + 1) * HOUR)
    with rebuilt.reading() as session:
        assert len(session.learning.read_log(since_us=0).departures) == departures
