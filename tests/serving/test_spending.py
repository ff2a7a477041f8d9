"""Budgets: what they cover, what is left, and batches that run into them."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from features.errors import ConfigurationError, ConflictError
from features.vocabulary import Arm, Channel, Outcome, Priority, Trigger
from serving.decide import Engine
from serving.policy.budgets import MICRO, Budget, Claim, Headroom, list_accounts, to_micro
from serving.policy.cases import to_us
from serving.policy.settings import load_policy_settings
from serving.records import Decision, DecisionRequest, OutcomeEvent, Reason
from serving.snapshot.state import Snapshot
from serving.spending import read_headroom
from serving.store.cancel import CancelState
from serving.store.memory import MemoryStore
from serving.store.store import Store

EngineMaker = Callable[[Snapshot], Engine]

NIGHT = datetime(2026, 3, 29, 22, 30, tzinfo=UTC)  # Monday in Berlin, Sunday in London


def budget(**changes: object) -> Budget:
    return Budget.model_validate(
        {"name": "b", "unit": "contacts", "limit": 3, "per": "day"} | changes
    )


def with_budgets(engine: Engine, *budgets: Budget, arms: dict[Arm, float] | None = None) -> Engine:
    rules_only = {Arm.LEARNED: 0.0, Arm.RANDOM: 0.0, Arm.RULES: 1.0, Arm.HOLDOUT: 0.0}
    changes = {"budgets": budgets, "arms": arms or rules_only}
    return replace(engine, settings=engine.settings.model_copy(update=changes))


def ask_all(n: int, trigger: Trigger = Trigger.ORDER_SHIPPED) -> list[DecisionRequest]:
    """Requests about customers with consent, keyed."""
    ids = [f"c{i:03d}" for i in range(60) if i % 7 != 6][:n]
    return [
        DecisionRequest(customer_id=i, trigger=trigger, idempotency_key=f"{i}/{trigger}")
        for i in ids
    ]


@pytest.mark.parametrize(
    ("per", "zone", "expected"),
    [
        ("day", "UTC", "2026-03-29"),
        ("day", "Europe/Berlin", "2026-03-30"),
        ("week", "UTC", "2026-03-23"),
        ("week", "Europe/Berlin", "2026-03-30"),
        ("campaign", "UTC", "campaign"),
    ],
)
def test_budget_periods_are_those_of_its_zone(per: str, zone: str, expected: str) -> None:
    assert budget(per=per, timezone=zone).period_of(NIGHT) == expected


def test_budget_covers_what_it_names_and_critical_messages_only_where_it_says_so() -> None:
    carts = budget(triggers=["abandoned_cart"])

    assert carts.covers(Trigger.ABANDONED_CART, priority=Priority.MEDIUM)
    assert not carts.covers(Trigger.PRICE_DROP, priority=Priority.MEDIUM)
    assert not budget().covers(Trigger.SERVICE_DISRUPTION, priority=Priority.CRITICAL)
    everything = budget(includes_critical=True)
    assert everything.covers(Trigger.SERVICE_DISRUPTION, priority=Priority.CRITICAL)


def test_budget_counts_a_notice_once_and_every_cent() -> None:
    both = {Channel.SMS: 8.0, Channel.PUSH: 0.02}

    assert budget().need(both) == MICRO
    assert budget(channels=["email"]).need(both) == 0
    assert budget(unit="cents").need(both) == 8_020_000
    assert budget(unit="cents", channels=["sms"]).need(both) == 8_000_000


@pytest.mark.parametrize(
    "changes", [{"limit": -1}, {"unit": "euros"}, {"timezone": "Mars/Base"}, {"name": "a/b"}]
)
def test_budget_refuses_what_it_cannot_keep(changes: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        budget(**changes)


def test_policy_refuses_two_budgets_of_one_name() -> None:
    words = load_policy_settings().model_dump() | {"budgets": [budget(), budget()]}

    with pytest.raises(ValidationError, match="two budgets of one name: b"):
        type(load_policy_settings()).model_validate(words)


@given(amounts=st.lists(st.floats(0, 1e4, allow_nan=False), max_size=30))
def test_to_micro_never_counts_too_little(amounts: list[float]) -> None:
    assert sum(map(to_micro, amounts)) >= sum(amounts) * MICRO - 1e-3 * len(amounts)


@given(
    hours=st.lists(st.integers(0, 60), min_size=1, max_size=20),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "Pacific/Apia", "America/New_York"]),
    per=st.sampled_from(["day", "week", "campaign"]),
)
def test_list_accounts_misses_no_moment_in_between(hours: list[int], zone: str, per: str) -> None:
    one = budget(per=per, timezone=zone)
    moments = [NIGHT - timedelta(days=1) + timedelta(hours=h) for h in hours]
    listed = list_accounts([one], since_us=to_us(min(moments)), until_us=to_us(max(moments)))

    assert {one.account_of(at) for at in moments} <= set(listed)
    left = Headroom((one,), {one.account_of(moments[0]): MICRO}).left_at(
        one, np.array([[to_us(at) for at in moments]])
    )
    same = [one.account_of(at) == one.account_of(moments[0]) for at in moments]
    assert left[0].tolist() == [2 * MICRO if is_same else 3 * MICRO for is_same in same]


def test_a_batch_spends_a_budget_to_its_end_and_says_why_the_rest_gets_nothing(
    cold_snapshot: Snapshot, engine_of: EngineMaker
) -> None:
    engine = with_budgets(engine_of(cold_snapshot), budget(limit=7, per="campaign"))

    decisions = engine.decide_many(ask_all(30))

    assert [d.send for d in decisions] == [True] * 7 + [False] * 23
    assert {d.reason for d in decisions[7:]} == {Reason.BUDGET}
    assert all(len(d.allowed) == 1 for d in decisions[7:])  # nothing but no message


def test_a_batch_decides_as_one_by_one_when_budgets_run_out(
    cold_snapshot: Snapshot, engine_of: EngineMaker, tmp_path: Path
) -> None:
    """Probabilities are over what was affordable when the turn of the case came."""
    arms = {Arm.LEARNED: 0.0, Arm.RANDOM: 1.0, Arm.RULES: 0.0, Arm.HOLDOUT: 0.0}
    budgets = (
        budget(name="sms", unit="cents", limit=18, per="campaign", channels=["sms"]),
        budget(name="all", limit=21, per="campaign"),
    )
    batch = with_budgets(engine_of(cold_snapshot), *budgets, arms=arms)
    other = Store(tmp_path / "other.db")
    single = replace(batch, store=other)
    requests = ask_all(45)

    together = batch.decide_many(requests)
    apart = [single.decide(request) for request in requests]
    other.close()

    assert together == apart
    assert sum(d.send for d in together) == 21
    n_allowed = {len(d.allowed) for d in together}
    assert len(n_allowed) >= 3  # first everything, then no SMS, then nothing
    for decision in together:
        assert sum(a.probability for a in decision.allowed) == pytest.approx(1.0)


def test_critical_messages_pass_budgets_but_never_consent(
    cold_snapshot: Snapshot, engine_of: EngineMaker
) -> None:
    engine = with_budgets(engine_of(cold_snapshot), budget(limit=0, per="campaign"))
    no_consent = DecisionRequest(customer_id="c006", trigger=Trigger.SERVICE_DISRUPTION)

    critical = engine.decide(ask_all(1, Trigger.SERVICE_DISRUPTION)[0])
    marketing = engine.decide(ask_all(1, Trigger.ABANDONED_CART)[0])

    assert critical.send
    assert marketing.reason is Reason.BUDGET
    assert engine.decide(no_consent).reason is Reason.NO_CONSENT


def spent(store: Store, account: str) -> int:
    with store.transaction() as session:
        return session.ledger.find_spent([account]).get(account, 0)


def test_cancelling_in_time_gives_back_and_too_late_does_not(
    cold_snapshot: Snapshot, engine_of: EngineMaker, store: Store
) -> None:
    engine = with_budgets(engine_of(cold_snapshot), budget(limit=1, per="campaign"))
    first, second = ask_all(2)
    sent = engine.decide(first)
    assert sent.send_at is not None
    assert not engine.decide(second).send

    with store.transaction() as session:
        ids = [sent.messages[0].message_id, "nobody"]
        states = session.cancel(ids, at=sent.decided_at)
        again = session.cancel(ids[:1], at=sent.decided_at)
    assert states == [CancelState.CANCELLED, CancelState.UNKNOWN_MESSAGE]
    assert again == [CancelState.DUPLICATE]
    assert spent(store, "b/campaign") == 0
    assert store.read_messages(since=sent.decided_at, until=sent.send_at + timedelta(1)).empty

    third = engine.decide(second.model_copy(update={"idempotency_key": "new"}))
    assert third.send
    assert third.send_at is not None
    with store.transaction() as session:
        late = session.cancel([third.messages[0].message_id], at=third.send_at)
        retried = session.cancel([third.messages[0].message_id], at=third.send_at)
    assert late == retried == [CancelState.TOO_LATE]
    assert spent(store, "b/campaign") == MICRO


def test_a_clock_that_goes_back_cannot_take_back_what_was_sent(
    cold_snapshot: Snapshot, engine_of: EngineMaker, store: Store
) -> None:
    engine = with_budgets(engine_of(cold_snapshot), budget(limit=5, per="campaign"))
    sent = engine.decide(ask_all(1)[0])
    assert sent.send_at is not None
    after = sent.send_at + timedelta(hours=1)
    later = replace(engine, clock=lambda: after)
    later.decide(DecisionRequest(customer_id="c006", trigger=Trigger.INACTIVITY))

    with store.transaction() as session:
        states = session.cancel([sent.messages[0].message_id], at=sent.decided_at)

    assert states == [CancelState.TOO_LATE]
    assert spent(store, "b/campaign") == MICRO


def test_a_contact_is_given_back_with_the_last_message_of_its_notice(
    cold_snapshot: Snapshot, engine_of: EngineMaker, store: Store
) -> None:
    cents = budget(name="cents", unit="cents", limit=100, per="campaign")
    engine = with_budgets(engine_of(cold_snapshot), budget(per="campaign"), cents)
    sent = engine.decide(ask_all(1, Trigger.SUBSCRIPTION_LIMIT)[0])
    ids = [message.message_id for message in sent.messages]
    assert sent.channels == (Channel.IN_APP, Channel.EMAIL)

    with store.transaction() as session:
        session.cancel(ids[1:], at=sent.decided_at)
    assert (spent(store, "b/campaign"), spent(store, "cents/campaign")) == (MICRO, 0)
    with store.transaction() as session:
        session.cancel(ids[:1], at=sent.decided_at)
    assert spent(store, "b/campaign") == 0


def test_a_complaint_cancels_what_is_planned(
    cold_snapshot: Snapshot, engine_of: EngineMaker, store: Store
) -> None:
    engine = with_budgets(engine_of(cold_snapshot), budget(per="campaign"))
    first = engine.decide(ask_all(1, Trigger.DELIVERY_DELAY)[0])  # at once
    planned = engine.decide(ask_all(1)[0])  # in two hours
    assert first.send
    assert planned.send
    complaint = OutcomeEvent(
        message_id=first.messages[0].message_id, outcome=Outcome.COMPLAINED, at=first.decided_at
    )

    engine.report([complaint])

    with store.transaction() as session:
        assert session.find_cancelled() == [m.message_id for m in planned.messages]
    assert spent(store, "b/campaign") == MICRO  # the first one's


def test_ledger_refuses_what_does_not_fit_and_nothing_of_the_transaction_stays(
    store: Store, cold_snapshot: Snapshot, engine_of: EngineMaker
) -> None:
    record: Decision = engine_of(cold_snapshot).decide(ask_all(1)[0])
    message_id = record.messages[0].message_id
    claim = Claim(record.decision_id, "b/x", 2 * MICRO, 3 * MICRO, {message_id: 2 * MICRO}, False)
    with store.transaction() as session:
        session.ledger.reserve([claim])

    with pytest.raises(ConflictError, match="b/x"), store.transaction() as session:
        session.ledger.reserve([replace(claim, account="b/y", amount=MICRO), claim])

    assert (spent(store, "b/x"), spent(store, "b/y")) == (2 * MICRO, 0)


def test_budgets_without_a_ledger_are_refused(
    cold_snapshot: Snapshot, engine_of: EngineMaker
) -> None:
    engine = with_budgets(engine_of(cold_snapshot), budget())

    with pytest.raises(ConfigurationError, match=r"budgets \(b\) need a store"):
        replace(engine, store=MemoryStore()).decide(ask_all(1)[0])
    assert (
        read_headroom(
            None, load_policy_settings(), economics=engine.economics, since_us=0, until_us=1
        ).budgets
        == ()
    )
