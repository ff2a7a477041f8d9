"""Several triggers about one customer: priority, then value, and the loser says to whom it lost."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from features.vocabulary import Arm, Trigger
from serving.assemble import CaseBook
from serving.decide import Engine
from serving.policy.budgets import Budget, BudgetPeriod, BudgetUnit
from serving.policy.cases import Floats
from serving.policy.settings import Fatigue
from serving.propose import Proposer
from serving.records import Decision, DecisionRequest, Reason
from serving.snapshot.state import Snapshot

EngineMaker = Callable[[Snapshot], Engine]


@pytest.fixture
def strict(snapshot: Snapshot, engine_of: EngineMaker) -> Engine:
    """One message a day, and every customer in the learned arm."""
    engine = engine_of(snapshot)
    changed = {
        "fatigue": Fatigue(max_per_day=1, max_per_week=5, unopened_per_week=5),
        "arms": {arm: float(arm is Arm.LEARNED) for arm in Arm},
    }
    return replace(engine, settings=engine.settings.model_copy(update=changed))


def ask(engine: Engine, trigger: Trigger, customer_id: str, **more: object) -> DecisionRequest:
    soon = engine.snapshot.as_of + timedelta(hours=5)
    return DecisionRequest.model_validate(
        {
            "customer_id": customer_id,
            "trigger": trigger,
            "expires_at": soon,
            "idempotency_key": f"{customer_id}/{trigger}",
            **more,
        }
    )


def customers(engine: Engine) -> list[str]:
    return [
        customer_id
        for n, customer_id in enumerate(engine.snapshot.customers.profile["customer_id"])
        if n % 7 != 6  # has consent
    ]


def test_decide_many_lets_the_worthier_of_two_triggers_go_first(strict: Engine) -> None:
    """Two carts' worth apart: whichever is dearer wins, in whatever order they are asked."""
    won = {"cart": 0, "price": 0}
    pairs: list[tuple[DecisionRequest, DecisionRequest, str]] = []
    for n, customer_id in enumerate(customers(strict)[:40]):
        dear = "cart" if n % 2 else "price"
        cart = 400_000 if dear == "cart" else 1_000
        pairs.append(
            (
                ask(strict, Trigger.ABANDONED_CART, customer_id, amount_cents=cart),
                ask(strict, Trigger.PRICE_DROP, customer_id, amount_cents=401_000 - cart),
                dear,
            )
        )
    flat = [request for cart, price, _ in pairs for request in (cart, price)]
    records = strict.decide_many(flat)
    for (_, _, dear), cart, price in zip(pairs, records[::2], records[1::2], strict=True):
        assert not (cart.send and price.send)
        winner, loser = (cart, price) if dear == "cart" else (price, cart)
        if winner.send:
            won[dear] += 1
            assert loser.reason is Reason.FATIGUE_DAY
            assert loser.lost_to == winner.decision_id
    assert min(won.values()) > 10


def test_decide_many_values_rivals_in_lots(strict: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serving.decide._LOT", 5)
    sizes: list[int] = []
    best_cents = Proposer.best_cents

    def count(proposer: Proposer, book: CaseBook) -> Floats:
        sizes.append(len(book.requests))
        return best_cents(proposer, book)

    monkeypatch.setattr(Proposer, "best_cents", count)
    flat = [
        ask(strict, trigger, customer_id)
        for customer_id in customers(strict)[:12]
        for trigger in (Trigger.ABANDONED_CART, Trigger.PRICE_DROP)
    ]
    strict.decide_many(flat)
    assert sizes == [5, 5, 2, 5, 5, 2]


def test_decide_many_puts_priority_before_value(strict: Engine) -> None:
    ids = customers(strict)[:30]
    flat: list[DecisionRequest] = []
    for customer_id in ids:
        flat.append(ask(strict, Trigger.ABANDONED_CART, customer_id, amount_cents=10_000_000))
        flat.append(ask(strict, Trigger.DELIVERY_DELAY, customer_id))
    records = strict.decide_many(flat)
    late = [d for d in records if d.trigger is Trigger.DELIVERY_DELAY]
    carts = [d for d in records if d.trigger is Trigger.ABANDONED_CART]
    assert sum(d.send for d in late) > 20
    for cart, delay in zip(carts, late, strict=True):
        if delay.send:
            assert not cart.send
            assert cart.lost_to == delay.decision_id


def test_decide_says_who_was_too_late(strict: Engine) -> None:
    (customer_id, *_) = customers(strict)
    past = strict.snapshot.as_of - timedelta(hours=1)
    record = strict.decide(ask(strict, Trigger.ABANDONED_CART, customer_id, expires_at=past))
    assert (record.send, record.reason) == (False, Reason.EXPIRED)
    assert record.lost_to is None
    assert [action.channels for action in record.allowed] == [()]


def test_decide_says_that_the_rules_moment_was_too_late(strict: Engine) -> None:
    """The rules would wait for an hour and a half; the occasion is over in one."""
    ruled = {arm: float(arm is Arm.RULES) for arm in Arm}
    rules = replace(strict, settings=strict.settings.model_copy(update={"arms": ruled}))
    (customer_id, *_) = customers(rules)
    soon = rules.snapshot.as_of + timedelta(hours=1)
    record = rules.decide(ask(rules, Trigger.ABANDONED_CART, customer_id, expires_at=soon))
    assert (record.send, record.reason) == (False, Reason.EXPIRED)


def test_decide_names_the_message_that_a_cool_down_counts(strict: Engine) -> None:
    """Another one lies nearer, but was about something else."""
    settings = strict.settings.model_copy(
        update={
            "fatigue": Fatigue(max_per_day=9, max_per_week=9, unopened_per_week=9),
            "arms": {arm: float(arm is Arm.RULES) for arm in Arm},
        }
    )
    rules = replace(strict, settings=settings)
    (customer_id, *_) = customers(rules)

    def decide(trigger: Trigger, hours: int) -> Decision:
        at = rules.snapshot.as_of + timedelta(hours=hours)
        more = {"decided_at": at, "expires_at": None, "idempotency_key": f"{trigger}/{hours}"}
        return rules.decide(ask(rules, trigger, customer_id, **more))

    first, other = decide(Trigger.ABANDONED_CART, 0), decide(Trigger.SERVICE_DISRUPTION, 40)
    again = decide(Trigger.ABANDONED_CART, 41)
    assert first.send
    assert other.send
    assert (again.send, again.reason) == (False, Reason.COOL_DOWN)
    assert again.lost_to == first.decision_id


def test_decide_many_spends_a_short_budget_at_a_price(strict: Engine) -> None:
    """Eight contacts for many carts: they go to the dear ones, and the record has the price."""
    limit = 8
    budget = Budget(name="carts", unit=BudgetUnit.CONTACTS, limit=limit, per=BudgetPeriod.CAMPAIGN)
    ids = customers(strict)
    open_ended = [
        ask(strict, Trigger.ABANDONED_CART, one, amount_cents=4_000 * (n + 1), expires_at=None)
        for n, one in enumerate(ids)
    ]
    short = replace(strict, settings=strict.settings.model_copy(update={"budgets": (budget,)}))
    records = short.decide_many(open_ended)
    sent = [n for n, record in enumerate(records) if record.send]
    assert 4 <= len(sent) <= limit
    assert sum(sent) / len(sent) > 0.6 * len(ids)  # drawn evenly it would be half, cut 4
    prices = {tuple(record.prices.items()) for record in records if record.allowed}
    (((account, cents),),) = prices
    assert account == "carts/campaign"
    assert cents > 0
    _check_probabilities(records)


def _check_probabilities(records: list[Decision]) -> None:
    for record in records:
        if record.allowed:
            assert sum(action.probability for action in record.allowed) == pytest.approx(1.0)
            assert min(action.probability for action in record.allowed) > 0
