"""An unsubscribe or a complaint counts at once, whatever its sender's clock says."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from features.vocabulary import Arm, Outcome, Trigger
from serving.decide import Engine
from serving.records import DecisionRequest, OutcomeEvent, OutcomeState, Reason
from serving.snapshot.state import Snapshot
from serving.store.cancel import CancelState
from tests.conftest import customers_in

EngineMaker = Callable[[Snapshot], Engine]


def ask(customer_id: str, trigger: Trigger) -> DecisionRequest:
    return DecisionRequest(customer_id=customer_id, trigger=trigger)


@pytest.mark.parametrize("hours", [-3, 5])
def test_a_no_counts_at_once_whatever_moment_it_bears(
    hours: int, cold_snapshot: Snapshot, engine_of: EngineMaker
) -> None:
    """Clocks of senders are wrong, zones are forgotten; a no must not be lost by that."""
    engine = replace(engine_of(cold_snapshot), takes_callers_time=True)
    customer_id = customers_in(Arm.RULES, engine)[0]
    first = engine.decide(ask(customer_id, Trigger.PAYMENT_FAILURE_RISK))
    planned = engine.decide(ask(customer_id, Trigger.SUBSCRIPTION_LIMIT))
    assert first.send_at is not None
    now = first.send_at
    lived = replace(engine, clock=lambda: now, takes_callers_time=False)
    no = OutcomeEvent(
        message_id=first.messages[0].message_id,
        outcome=Outcome.COMPLAINED,
        at=now + timedelta(hours=hours),
    )

    assert lived.report([no]) == [OutcomeState.BOOKED]
    assert lived.report([no]) == [OutcomeState.DUPLICATE]

    assert lived.decide(ask(customer_id, Trigger.ORDER_SHIPPED)).reason is Reason.SUPPRESSED
    assert planned.send
    later = [m.message_id for m in planned.messages if planned.send_at and planned.send_at > now]
    with lived.store.transaction() as session:
        assert set(later) <= set(session.find_cancelled())


def test_a_no_of_the_future_does_not_move_the_stores_clock(
    cold_snapshot: Snapshot, engine_of: EngineMaker
) -> None:
    """What is planned before the moment that it bears can still be cancelled in time."""
    engine = replace(engine_of(cold_snapshot), takes_callers_time=True)
    one, other = customers_in(Arm.RULES, engine)[:2]
    first = engine.decide(ask(one, Trigger.PAYMENT_FAILURE_RISK))
    planned = engine.decide(ask(other, Trigger.PAYMENT_FAILURE_RISK))
    assert first.send_at is not None
    assert planned.send_at is not None
    now = first.send_at - timedelta(minutes=1)
    assert now < planned.send_at
    lived = replace(engine, clock=lambda: now, takes_callers_time=False)
    no = OutcomeEvent(
        message_id=first.messages[0].message_id,
        outcome=Outcome.UNSUBSCRIBED,
        at=now + timedelta(days=2),
    )

    assert lived.report([no]) == [OutcomeState.BOOKED]

    with lived.store.transaction() as session:
        states = session.cancel([m.message_id for m in planned.messages], at=now)
    assert set(states) == {CancelState.CANCELLED}
