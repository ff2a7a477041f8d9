"""No sequence of events, requests or clock jumps breaks a guard: the real engine on a real store.

What was sent is kept here from the answers alone, and every limit is counted again by hand.
"""

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import count, pairwise
from pathlib import Path

import pytest
from hypothesis import Phase
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from features.vocabulary import Arm, Channel, Outcome, Priority, Trigger
from serving.decide import Engine
from serving.policy.budgets import MICRO, Budget
from serving.policy.cases import to_us
from serving.policy.settings import PolicySettings, load_policy_settings
from serving.records import Decision, DecisionRequest, OutcomeEvent, Reason
from serving.snapshot.state import Snapshot
from serving.store.cancel import CancelState
from serving.store.store import Store
from tests.conftest import AS_OF

EngineMaker = Callable[[Snapshot], Engine]

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
CUSTOMERS = [f"c{n:03d}" for n in range(5)]  # of 60; all with consent
BUDGETS = (
    Budget(name="sms", unit="cents", limit=13, per="day", channels=("sms",)),
    Budget(name="all", unit="contacts", limit=9, per="week", timezone="Asia/Almaty"),
    Budget(name="carts", unit="contacts", limit=4, per="campaign", triggers=("abandoned_cart",)),
    Budget(name="hard", unit="contacts", limit=5, per="day", includes_critical=True),
)


def policy() -> PolicySettings:
    """The defaults with budgets, every customer in one of the arms that send."""
    arms = {Arm.LEARNED: 0.2, Arm.RANDOM: 0.6, Arm.RULES: 0.2, Arm.HOLDOUT: 0.0}
    return load_policy_settings().model_copy(update={"budgets": BUDGETS, "arms": arms})


@dataclass
class Sent:
    """A notice as it was answered."""

    decision: Decision
    cancelled: set[str] = field(default_factory=set)

    @property
    def at(self) -> datetime:
        assert self.decision.send_at is not None
        return self.decision.send_at

    @property
    def left(self) -> list[tuple[Channel, float]]:
        """Channel and cost of what was not cancelled in time."""
        messages = self.decision.messages
        return [(m.channel, m.cost_cents) for m in messages if m.message_id not in self.cancelled]

    @property
    def is_critical(self) -> bool:
        return self.decision.priority is Priority.CRITICAL


class Company(RuleBasedStateMachine):
    """Customers, a clock that nobody can trust, and an engine."""

    engine_of: Callable[[Store], Engine]
    folder: Path
    numbers = count()
    seen: Counter[str]

    @initialize()
    def start(self) -> None:
        self.path = self.folder / f"{next(self.numbers)}.db"
        self.store = Store(self.path)
        self.base = self.engine_of(self.store)
        self.now = AS_OF
        self.sent: list[Sent] = []
        self.refused: dict[str, set[Channel]] = defaultdict(set)
        self.open_incidents: dict[str, datetime] = {}
        self.n_decided = 0
        self.n_incidents = 0

    @property
    def engine(self) -> Engine:
        return replace(self.base, clock=lambda: self.now)

    @rule(
        asked=st.lists(
            st.tuples(st.sampled_from(CUSTOMERS), st.sampled_from(list(Trigger))),
            min_size=1,
            max_size=6,
        )
    )
    def decide(self, asked: list[tuple[str, Trigger]]) -> None:
        self.n_decided += 1
        requests = [
            DecisionRequest(
                customer_id=customer_id,
                trigger=trigger,
                idempotency_key=f"{self.n_decided}/{number}",
            )
            for number, (customer_id, trigger) in enumerate(asked)
        ]
        for decision in self.engine.decide_many(requests):
            listed = sum(action.probability for action in decision.allowed)
            assert not decision.allowed or listed == pytest.approx(1.0)
            self.seen[decision.reason] += 1
            if not decision.send:
                continue
            assert not set(decision.channels) & self.refused[decision.customer_id]
            if not decision.trigger.is_service:
                assert decision.send_at is not None
                assert not self.is_paused(decision.send_at)
            self.sent.append(Sent(decision))

    def is_paused(self, at: datetime) -> bool:
        return any(at >= since for since in self.open_incidents.values())

    @rule(hours=st.one_of(st.integers(-40, 40), st.integers(-400, 400)))
    def jump(self, hours: int) -> None:
        self.now += hours * HOUR

    @precondition(lambda self: self.sent)
    @rule(
        data=st.data(),
        outcome=st.sampled_from(
            [Outcome.DELIVERED, Outcome.BOUNCED, Outcome.UNSUBSCRIBED, Outcome.COMPLAINED]
        ),
    )
    def report(self, data: st.DataObject, outcome: Outcome) -> None:
        one = data.draw(st.sampled_from(self.sent))
        message = data.draw(st.sampled_from(one.decision.messages))
        event = OutcomeEvent(message_id=message.message_id, outcome=outcome, at=self.now)
        for _ in range(2):  # told twice
            state = self.engine.report([event])[0]
        if self.now < one.at:
            assert state == "before_message"
        elif outcome is Outcome.COMPLAINED:
            self.refused[one.decision.customer_id] |= set(Channel)
        elif outcome is Outcome.UNSUBSCRIBED:
            self.refused[one.decision.customer_id].add(message.channel)
        self.forget_cancelled()

    @precondition(lambda self: self.sent)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        one = data.draw(st.sampled_from(self.sent))
        message = data.draw(st.sampled_from(one.decision.messages))
        with self.store.transaction() as session:
            state = session.cancel([message.message_id], at=self.now)[0]
        if self.now >= one.at:
            assert state is not CancelState.CANCELLED
        self.forget_cancelled()

    def forget_cancelled(self) -> None:
        """What the store says was cancelled in time; that it may say so is checked in `store`."""
        with self.store.transaction() as session:
            in_time = set(session.find_cancelled())
        for one in self.sent:
            one.cancelled = {m.message_id for m in one.decision.messages} & in_time
        self.seen["cancelled"] += bool(in_time)

    @rule()
    def open_incident(self) -> None:
        self.n_incidents += 1
        name = f"i{self.n_incidents}"
        with self.store.transaction() as session:
            session.incidents.open(name, starts_at_us=to_us(self.now), customer_ids=CUSTOMERS)
        self.open_incidents[name] = self.now

    @precondition(lambda self: self.open_incidents)
    @rule(data=st.data())
    def close_incident(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.open_incidents)))
        ends_at = self.open_incidents.pop(name) + HOUR
        with self.store.transaction() as session:
            session.incidents.close(name, at_us=to_us(ends_at))

    @rule()
    def restart(self) -> None:
        self.store.close()
        self.store = Store(self.path)
        self.base = self.engine_of(self.store)

    @invariant()
    def budgets_hold_and_the_ledger_is_right(self) -> None:
        if not hasattr(self, "base"):
            return
        taken: dict[str, float] = defaultdict(float)
        for one in self.sent:
            for budget in BUDGETS:
                if budget.covers(one.decision.trigger, priority=one.decision.priority):
                    costs = [cents for channel, cents in one.left if budget.takes(channel)]
                    amount = sum(costs) if budget.unit == "cents" else float(bool(costs))
                    taken[budget.account_of(one.at)] += amount
        limits = {budget.name: budget.limit for budget in BUDGETS}
        for account, amount in taken.items():
            assert amount <= limits[account.split("/")[0]] + 1e-9, account
        with self.store.transaction() as session:
            booked = session.ledger.find_spent(sorted(taken))
        for account, amount in taken.items():
            assert booked.get(account, 0) == pytest.approx(amount * MICRO, abs=1), account

    @invariant()
    def caps_hold(self) -> None:
        fatigue = load_policy_settings().fatigue
        by_customer: dict[str, list[Sent]] = defaultdict(list)
        for one in getattr(self, "sent", []):
            if one.left:
                by_customer[one.decision.customer_id].append(one)
        for notices in by_customer.values():
            moments = [one.at for one in notices if not one.is_critical]
            for first in moments:
                assert sum(first <= at < first + DAY for at in moments) <= fatigue.max_per_day
                assert sum(first <= at < first + 7 * DAY for at in moments) <= fatigue.max_per_week

    @invariant()
    def triggers_rest(self) -> None:
        rules = load_policy_settings().triggers
        last: dict[tuple[str, Trigger], list[datetime]] = defaultdict(list)
        for one in getattr(self, "sent", []):
            if one.left:
                last[one.decision.customer_id, one.decision.trigger].append(one.at)
        for (_, trigger), moments in last.items():
            ordered = sorted(moments)
            gaps = [b - a for a, b in pairwise(ordered)]
            assert all(gap >= rules[trigger].cool_down_hours * HOUR for gap in gaps), trigger

    def teardown(self) -> None:
        if hasattr(self, "base"):
            self.store.close()


def test_no_sequence_breaks_a_guard(
    cold_snapshot: Snapshot, engine_of: EngineMaker, tmp_path: Path
) -> None:
    """Requests, outcomes, cancellations, incidents, restarts, and a clock that jumps about."""
    engine = engine_of(cold_snapshot)

    def make(store: Store) -> Engine:
        return replace(engine, store=store, settings=policy())

    seen_in_all: Counter[str] = Counter()

    class OnOurSnapshot(Company):
        folder = tmp_path
        seen = seen_in_all
        engine_of = staticmethod(make)

    run_state_machine_as_test(
        OnOurSnapshot,
        settings=hypothesis_settings(
            deadline=None,
            derandomize=True,
            max_examples=12,
            stateful_step_count=25,
            phases=(Phase.generate,),
        ),
    )
    expected = {Reason.CHOSEN, Reason.BUDGET, Reason.COOL_DOWN, Reason.INCIDENT, "cancelled"}
    assert expected <= set(seen_in_all), seen_in_all  # or nothing was put to the test
