"""How customers stand, through the engine and its store: purpose, reach, incidents."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pandas as pd
import pytest

from features.errors import BadInputError, ConflictError
from features.tables import Tables
from features.vocabulary import Arm, Channel, Outcome, Trigger
from serving.decide import Engine
from serving.policy.cases import to_us
from serving.records import Decision, DecisionRequest, OutcomeEvent, Profile, Reason
from serving.snapshot.making import make_snapshot
from serving.snapshot.state import Models, Snapshot
from serving.store.store import Store
from tests.conftest import AS_OF
from training.bandit.files import new_bandit

EngineMaker = Callable[[Snapshot], Engine]
HOUR = timedelta(hours=1)


def ask(engine: Engine, customer_id: str, trigger: Trigger, **more: object) -> Decision:
    return engine.decide(
        DecisionRequest.model_validate({"customer_id": customer_id, "trigger": trigger, **more})
    )


def with_columns(tables: Tables, **columns: object) -> Snapshot:
    """A cold snapshot of the company with some columns of `customers` replaced."""
    customers = tables["customers"].copy()
    for name, value in columns.items():
        customers[name] = pd.Series([value] * len(customers), dtype=customers[name].dtype)
    changed = {**tables, "customers": customers}
    return make_snapshot(changed, as_of=AS_OF, models=Models(), bandit=new_bandit())


@pytest.mark.parametrize(
    ("answer", "mode", "expected"),
    [
        (None, "channel", None),
        (True, "channel", None),
        (False, "channel", Reason.NO_MARKETING_CONSENT),
        (None, "own", Reason.NO_MARKETING_CONSENT),
        (True, "own", None),
        (False, "own", Reason.NO_MARKETING_CONSENT),
    ],
)
def test_an_unknown_consent_to_marketing_is_none_where_marketing_needs_its_own(
    answer: bool | None,
    mode: str,
    expected: Reason | None,
    tables: Tables,
    engine_of: EngineMaker,
) -> None:
    answers = {f"marketing_consent_{channel}": answer for channel in Channel}
    snapshot = with_columns(tables, **answers) if answer is not None else with_columns(tables)
    engine = engine_of(snapshot)
    rules = {"marketing_consent": mode, "arms": {arm: float(arm is Arm.RULES) for arm in Arm}}
    engine = replace(engine, settings=engine.settings.model_copy(update=rules))

    marketing = ask(engine, "c001", Trigger.ABANDONED_CART)
    service = ask(engine, "c002", Trigger.ORDER_SHIPPED)

    assert marketing.reason is (expected or Reason.CHOSEN)
    assert service.reason is Reason.CHOSEN


def test_a_profile_tells_consent_to_marketing_and_addresses_apart(
    cold_snapshot: Snapshot, engine_of: EngineMaker
) -> None:
    engine = engine_of(cold_snapshot)
    both = frozenset({Channel.EMAIL, Channel.SMS})

    def reason(trigger: Trigger, **more: object) -> Reason:
        profile = Profile.model_validate({"consents": both, **more})
        # A service trigger that goes out whatever the arm is: nobody is held out from it.
        return ask(engine, "stranger", trigger, profile=profile).reason

    disruption = Trigger.SERVICE_DISRUPTION
    assert reason(disruption, marketing_consents=[]) is Reason.CHOSEN
    assert reason(Trigger.PRICE_DROP, marketing_consents=[]) is Reason.NO_MARKETING_CONSENT
    assert reason(disruption, reachable=["push"]) is Reason.UNREACHABLE
    # Other channels are open, but none that the rules would use.
    ruled = {arm: float(arm is Arm.RULES) for arm in Arm}
    engine = replace(engine, settings=engine.settings.model_copy(update={"arms": ruled}))
    assert reason(Trigger.PAYMENT_FAILURE_RISK, reachable=["sms"]) is Reason.UNREACHABLE


def test_a_channel_closes_after_bounces_in_a_row_and_opens_when_something_arrives(
    cold_snapshot: Snapshot, engine_of: EngineMaker
) -> None:
    start = engine_of(cold_snapshot)

    def at(hours: int) -> Engine:
        return replace(start, clock=lambda: AS_OF + hours * HOUR)

    def tell(decision: Decision, channel: Channel, outcome: Outcome, hours: int) -> None:
        message = next(m for m in decision.messages if m.channel is channel)
        event = OutcomeEvent(
            message_id=message.message_id, outcome=outcome, at=AS_OF + hours * HOUR
        )
        at(hours).report([event])

    first, second, third = (
        ask(at(hours), "c001", Trigger.SERVICE_DISRUPTION) for hours in (0, 10, 20)
    )
    both = (Channel.PUSH, Channel.SMS)
    assert first.channels == second.channels == third.channels == both

    tell(first, Channel.SMS, Outcome.BOUNCED, 21)
    assert ask(at(30), "c001", Trigger.SERVICE_DISRUPTION).channels == both
    tell(second, Channel.SMS, Outcome.BOUNCED, 31)
    assert ask(at(40), "c001", Trigger.SERVICE_DISRUPTION).channels == (Channel.PUSH,)
    tell(third, Channel.SMS, Outcome.DELIVERED, 41)
    assert ask(at(50), "c001", Trigger.SERVICE_DISRUPTION).channels == both


def test_an_incident_pauses_marketing_of_its_region_until_it_ends(
    tables: Tables, engine_of: EngineMaker, store: Store
) -> None:
    engine = engine_of(with_columns(tables, region="north"))
    with store.transaction() as session:
        session.incidents.open("heating", starts_at_us=to_us(AS_OF - HOUR), region="north")
        session.incidents.open("else", starts_at_us=to_us(AS_OF - HOUR), region="south")

    during = [ask(engine, f"c{n:03d}", Trigger.ABANDONED_CART) for n in range(6)]
    service = ask(engine, "c001", Trigger.SERVICE_DISRUPTION)
    assert not any(decision.send for decision in during)
    assert Reason.INCIDENT in {decision.reason for decision in during}
    assert service.send

    with store.transaction() as session:
        session.incidents.close("heating", at_us=to_us(AS_OF))
    after = [ask(engine, f"c{n:03d}", Trigger.ABANDONED_CART) for n in range(6)]
    assert any(decision.send for decision in after)


def test_an_incident_of_single_customers_touches_no_others(
    cold_snapshot: Snapshot, engine_of: EngineMaker, store: Store
) -> None:
    engine = engine_of(cold_snapshot)
    with store.transaction() as session:
        session.incidents.open("one", starts_at_us=to_us(AS_OF), customer_ids=["c001"])
        found = session.find_incidents(["c000", "c001"], since_us=to_us(AS_OF))

    assert found[0].customer_ids == {"c001"}
    reasons = {
        customer_id: ask(engine, customer_id, Trigger.ABANDONED_CART).reason
        for customer_id in ("c000", "c001", "c002")
    }
    assert reasons["c001"] is Reason.INCIDENT
    assert Reason.INCIDENT not in {reasons["c000"], reasons["c002"]}


def test_incidents_refuse_what_makes_no_sense(store: Store) -> None:
    with store.transaction() as session:
        book = session.incidents
        book.open("i", starts_at_us=10, region="north")
        with pytest.raises(ConflictError, match="there already"):
            book.open("i", starts_at_us=10, region="north")
        with pytest.raises(BadInputError, match="a region or customers"):
            book.open("j", starts_at_us=10)
        with pytest.raises(BadInputError, match="an end after its start"):
            book.close("i", at_us=10)
        with pytest.raises(BadInputError, match="none of that identity"):
            book.close("k", at_us=10)
        book.close("i", at_us=11)
        book.close("i", at_us=11)  # told twice
        with pytest.raises(ConflictError, match="ended already"):
            book.close("i", at_us=12)
