from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from scipy import stats

from features.errors import ConflictError
from features.vocabulary import Arm, Channel, Outcome, Trigger
from serving.assemble import CaseBook
from serving.decide import Engine
from serving.records import Decision, DecisionRequest, OutcomeEvent, OutcomeState, Profile, Reason
from serving.snapshot.state import Snapshot
from serving.store.store import Store
from tests.conftest import customers_in

EngineMaker = Callable[[Snapshot], Engine]
EvidenceMaker = Callable[[Trigger], dict[str, str | int]]

NO_CONSENT = "c006"


def ask(
    customer_id: str, trigger: Trigger = Trigger.ABANDONED_CART, **more: object
) -> DecisionRequest:
    return DecisionRequest.model_validate({"customer_id": customer_id, "trigger": trigger, **more})


def test_decide_gives_a_complete_record(
    snapshot: Snapshot, engine_of: EngineMaker, evidence_of: EvidenceMaker, store: Store
) -> None:
    engine = engine_of(snapshot)
    requests = [
        ask(f"c{n:03d}", evidence=evidence_of(Trigger.ABANDONED_CART), idempotency_key=f"k{n}")
        for n in range(60)
    ]
    decisions = engine.decide_many(requests)
    sent = [d for d in decisions if d.send]

    assert len(sent) > 20
    for decision in sent:
        assert decision.send_at is not None
        assert decision.send_at >= decision.decided_at
        assert decision.content is not None
        assert decision.content.body
        assert decision.variant in decision.variants
        assert decision.models.churn == "1"
        assert decision.policy_version == engine.settings.version
        assert decision.features_as_of == snapshot.as_of
        assert [m.channel for m in decision.messages] == list(decision.channels)
        assert store.read_decision(decision.decision_id) == decision


def test_decide_logs_the_probability_of_the_final_action(
    snapshot: Snapshot, engine_of: EngineMaker
) -> None:
    for decision in engine_of(snapshot).decide_many([ask(f"c{n:03d}") for n in range(60)]):
        if not decision.allowed:
            assert decision.propensity == 1.0
            continue
        assert sum(action.probability for action in decision.allowed) == pytest.approx(1.0)
        chosen = [
            action
            for action in decision.allowed
            if action.channels == decision.channels and action.send_at == decision.send_at
        ]
        assert len(chosen) == 1
        p_variant = decision.variants[decision.variant] if decision.variant else 1.0
        assert decision.propensity == pytest.approx(chosen[0].probability * p_variant)
        assert decision.propensity > 0


@pytest.mark.parametrize("arm", [Arm.LEARNED, Arm.RANDOM])
def test_decide_chooses_as_often_as_it_says(
    arm: Arm, snapshot: Snapshot, engine_of: EngineMaker, tmp_path: Path
) -> None:
    """The frequencies of channel, time and variant match the logged propensities, after guards."""
    engine = engine_of(snapshot)
    customer_id = customers_in(arm, engine)[0]
    n = 20_000
    with engine.store.transaction() as session:
        book = CaseBook.read(
            session,
            snapshot,
            [ask(customer_id)],
            now=engine.clock(),
            look_back_us=0,
            settings=engine.settings,
        )
    again = [0] * n
    proposal = engine._proposer.propose(book.cases(again))
    lot = engine._chooser.choose(proposal, book, again, decision_ids=[f"d{i}" for i in range(n)])
    n_slots = lot.actions.slots_us.shape[1]
    done = list(zip(lot.actions.taken.tolist(), lot.is_sent.tolist(), strict=True))
    variants = dict(zip(lot.words.row.tolist(), lot.words.taken.tolist(), strict=True))
    keys = [
        (divmod(action, n_slots) if sent else None, variants.get(row))
        for row, (action, sent) in enumerate(done)
    ]
    counts = Counter(keys)
    p = dict(zip(keys, lot.propensity.tolist(), strict=True))
    # Cells that are expected often stand alone; all others, seen or not, make up one.
    often = sorted((key for key in p if p[key] * n >= 10), key=str)
    observed = [counts[key] for key in often]
    expected = [p[key] * n for key in often]
    observed.append(n - sum(observed))
    expected.append(n - sum(expected))

    assert stats.chisquare(observed, expected).pvalue > 0.001


def test_decide_gives_the_same_record_for_the_same_key(
    snapshot: Snapshot, engine_of: EngineMaker
) -> None:
    engine = engine_of(snapshot)
    first = engine.decide(ask("c001", idempotency_key="k"))

    assert engine.decide(ask("c001", idempotency_key="k")) == first
    twice = engine.decide_many([ask("c002", idempotency_key="j")] * 2)
    assert twice[0] == twice[1]
    with pytest.raises(ConflictError, match="'k'"):
        engine.decide(ask("c003", idempotency_key="k"))


@pytest.mark.parametrize("known", [False, True])
def test_decide_refuses_a_batch_that_uses_one_key_for_two_requests(
    snapshot: Snapshot, engine_of: EngineMaker, store: Store, *, known: bool
) -> None:
    engine = engine_of(snapshot)
    if known:
        engine.decide(ask("c002", idempotency_key="k"))
    with store.reading() as session:
        before = list(session.read_decisions())
    both = [ask("c001", idempotency_key="k"), ask("c004"), ask("c002", idempotency_key="k")]
    with pytest.raises(ConflictError, match=r"requests\[2\]: idempotency_key 'k'"):
        engine.decide_many(both)
    with store.reading() as session:
        assert list(session.read_decisions()) == before


def test_decide_can_be_replayed_from_the_key(
    snapshot: Snapshot, engine_of: EngineMaker, tmp_path: Path
) -> None:
    """Another store, another process, the same knowledge: the same decision."""
    requests = [ask(f"c{n:03d}", idempotency_key=f"k{n}") for n in range(30)]
    engine = engine_of(snapshot)
    elsewhere = Store(tmp_path / "elsewhere.db")
    other = Engine(
        snapshot, engine.settings, engine.economics, engine.library, engine.copy_settings,
        elsewhere, engine.clock, engine.new_id,
    )  # fmt: skip

    assert other.decide_many(requests) == engine.decide_many(requests)
    elsewhere.close()


def test_decide_answers_in_batch_as_one_by_one(
    snapshot: Snapshot, engine_of: EngineMaker, tmp_path: Path
) -> None:
    triggers = list(Trigger)
    requests = [
        ask(f"c{n:03d}", triggers[n % len(triggers)], idempotency_key=f"k{n}") for n in range(60)
    ]
    engine = engine_of(snapshot)
    batch = engine.decide_many(requests)
    alone = Store(tmp_path / "alone.db")
    other = Engine(
        snapshot, engine.settings, engine.economics, engine.library, engine.copy_settings,
        alone, engine.clock, engine.new_id,
    )  # fmt: skip

    assert [other.decide(request) for request in requests] == batch
    alone.close()


def test_decide_refuses_unknown_customers_without_a_profile(
    snapshot: Snapshot, engine_of: EngineMaker
) -> None:
    decision = engine_of(snapshot).decide(ask("nobody"))

    assert (decision.send, decision.reason) == (False, Reason.UNKNOWN_CUSTOMER)
    assert decision.cold_start
    assert decision.features_as_of is None


def test_decide_answers_unknown_customers_with_a_profile_by_the_rules(
    snapshot: Snapshot, engine_of: EngineMaker
) -> None:
    engine = engine_of(snapshot)
    profile = Profile(
        language="kk", timezone="Asia/Almaty", first_name="Dana", consents={Channel.EMAIL}
    )
    answers = [engine.decide(ask(f"new{n}", profile=profile.model_dump())) for n in range(40)]
    learned = [d for d in answers if d.arm in (Arm.LEARNED, Arm.RULES)]

    assert learned
    for decision in learned:
        assert decision.cold_start
        assert decision.send
        assert decision.channels == (Channel.EMAIL,)
        assert decision.send_at == decision.decided_at + timedelta(hours=1.5)
        assert decision.content is not None
        assert decision.content.language == "kk"
    assert all(set(d.channels) <= {Channel.EMAIL} for d in answers)
    contexts = [d.context for d in answers if d.send]
    assert any(context is not None for context in contexts)
    assert {context.numbers for context in contexts if context} == {(None,) * 4}  # nobody else's


def test_decide_follows_the_rules_while_there_is_no_model(
    cold_snapshot: Snapshot, engine_of: EngineMaker
) -> None:
    engine = engine_of(cold_snapshot)
    for n in range(30):
        decision = engine.decide(ask(f"c{n:03d}", Trigger.DELIVERY_DELAY))
        if decision.arm is Arm.LEARNED and n % 7 != 6:
            assert decision.cold_start
            assert set(decision.channels) == {Channel.SMS, Channel.PUSH}
            assert decision.scores is None


def test_decide_holds_out_and_says_so(snapshot: Snapshot, engine_of: EngineMaker) -> None:
    engine = engine_of(snapshot)
    held_out = customers_in(Arm.HOLDOUT, engine)

    assert held_out
    for customer_id in held_out:
        decision = engine.decide(ask(customer_id))
        assert (decision.send, decision.reason) == (False, Reason.HOLDOUT)
        assert decision.propensity == 1.0
        critical = engine.decide(ask(customer_id, Trigger.SERVICE_DISRUPTION))
        assert critical.arm is Arm.RULES
        assert critical.send


def test_decide_respects_consent_and_its_withdrawal(
    cold_snapshot: Snapshot, engine_of: EngineMaker
) -> None:
    engine = replace(engine_of(cold_snapshot), takes_callers_time=True)
    customer_id = customers_in(Arm.RULES, engine)[0]
    assert engine.decide(ask(NO_CONSENT)).reason is Reason.NO_CONSENT

    first = engine.decide(ask(customer_id, Trigger.PAYMENT_FAILURE_RISK))
    assert first.channels == (Channel.EMAIL,)
    assert first.send_at is not None
    no_more_mail = OutcomeEvent(
        message_id=first.messages[0].message_id, outcome=Outcome.UNSUBSCRIBED, at=first.send_at
    )
    engine.report([no_more_mail])
    second = engine.decide(ask(customer_id, Trigger.ABANDONED_CART))
    assert second.channels == (Channel.SMS,)
    assert second.send_at is not None

    engine.report(
        [
            OutcomeEvent(
                message_id=second.messages[0].message_id,
                outcome=Outcome.COMPLAINED,
                at=second.send_at,
            )
        ]
    )
    assert engine.decide(ask(customer_id, Trigger.ORDER_SHIPPED)).reason is Reason.SUPPRESSED


def test_report_books_nothing_of_the_future_unless_time_is_the_callers(
    cold_snapshot: Snapshot, engine_of: EngineMaker
) -> None:
    engine = replace(engine_of(cold_snapshot), takes_callers_time=True)
    first = engine.decide(ask(customers_in(Arm.RULES, engine)[0], Trigger.PAYMENT_FAILURE_RISK))
    assert first.send_at is not None
    sent_at = first.send_at
    lived = replace(engine, clock=lambda: sent_at, takes_callers_time=False)
    opened, clicked, converted = (
        OutcomeEvent(message_id=first.messages[0].message_id, outcome=outcome, at=sent_at + wait)
        for outcome, wait in (
            (Outcome.OPENED, timedelta(minutes=5)),
            (Outcome.CLICKED, timedelta(minutes=6)),
            (Outcome.CONVERTED, timedelta(0)),
        )
    )

    assert lived.report([opened, clicked, converted]) == [
        OutcomeState.BOOKED,
        OutcomeState.IN_THE_FUTURE,
        OutcomeState.BOOKED,
    ]
    assert engine.report([clicked]) == [OutcomeState.BOOKED]


def test_decide_lets_urgent_triggers_of_a_customer_go_first(
    cold_snapshot: Snapshot, engine_of: EngineMaker
) -> None:
    engine = engine_of(cold_snapshot)
    customer_id = customers_in(Arm.RULES, engine)[0]
    answers = engine.decide_many(
        [
            ask(customer_id, Trigger.BROWSE_ABANDONMENT),
            ask(customer_id, Trigger.ABANDONED_CART),
            ask(customer_id, Trigger.DELIVERY_DELAY),
        ]
    )

    # Two messages a day: the urgent one, then the first of the others.
    assert [d.send for d in answers] == [True, False, True]
    assert answers[1].reason is Reason.FATIGUE_DAY


@hypothesis_settings(
    max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(data=st.data())
def test_decide_never_exceeds_the_caps_whatever_comes(
    data: st.DataObject, snapshot: Snapshot, engine_of: EngineMaker
) -> None:
    """Any triggers, at any times, out of order: caps hold for what was planned."""
    engine = engine_of(snapshot)
    limits = engine.settings.fatigue
    customer = data.draw(st.sampled_from([f"c{n:03d}" for n in range(60) if n % 7 != 6]))
    calls = data.draw(
        st.lists(st.tuples(st.sampled_from(list(Trigger)), st.integers(0, 10 * 24)), max_size=25)
    )
    sent = []
    for trigger, hours in calls:
        decision: Decision = engine.decide(
            ask(customer, trigger, decided_at=engine.clock() + timedelta(hours=hours))
        )
        if decision.send and trigger is not Trigger.SERVICE_DISRUPTION:
            sent.append(decision.send_at)
    moments = sorted(at for at in sent if at is not None)
    for first in moments:
        assert sum(first <= at < first + timedelta(days=1) for at in moments) <= limits.max_per_day
        assert sum(first <= at < first + timedelta(days=7) for at in moments) <= limits.max_per_week


def test_decide_writes_every_trigger_in_three_languages(
    cold_snapshot: Snapshot, engine_of: EngineMaker, evidence_of: EvidenceMaker
) -> None:
    engine = engine_of(cold_snapshot)
    for trigger in Trigger:
        languages = set()
        for n in range(60):
            decision = engine.decide(
                ask(
                    f"c{n:03d}",
                    trigger,
                    evidence=evidence_of(trigger),
                    decided_at=engine.clock() + timedelta(days=30 * list(Trigger).index(trigger)),
                )
            )
            for message in decision.messages:
                languages.add(message.content.language)
                assert "{" not in message.content.body
        assert languages == {"ru", "kk", "en"}, trigger


def test_decide_gives_another_reason_than_choice_where_nothing_was_allowed(
    snapshot: Snapshot, engine_of: EngineMaker
) -> None:
    """The one action left has all the probability, up to the last digit of a sum."""
    engine = engine_of(snapshot)
    learned = engine.settings.learned.model_copy(update={"floor": 0.005, "wide_share": 0.18})
    engine = replace(engine, settings=engine.settings.model_copy(update={"learned": learned}))
    past = snapshot.as_of - timedelta(days=1)
    answers = engine.decide_many(
        [ask(c, expires_at=past) for c in customers_in(Arm.LEARNED, engine)]
    )
    assert {answer.reason for answer in answers} >= {Reason.EXPIRED}
    assert Reason.NOTHING_CHOSEN not in {answer.reason for answer in answers}
