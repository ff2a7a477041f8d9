"""No sequence of events, requests or clock jumps breaks a guard: the real engine on a real store.

What was sent is kept here from the answers alone, and every limit is counted again by hand.
"""

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
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
from serving.policy.settings import Fatigue, PolicySettings, load_policy_settings
from serving.records import Decision, DecisionRequest, OutcomeEvent, Reason
from serving.snapshot.state import Snapshot
from serving.store.cancel import CancelState
from serving.store.store import Store
from tests.conftest import AS_OF

EngineMaker = Callable[[Snapshot], Engine]

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
CUSTOMERS = [f"c{n:03d}" for n in range(4)]  # of 60; all with consent
TROUBLED = CUSTOMERS[:2]  # whom incidents touch
# Tight enough that every limit is met, and no other guard always comes before one of them.
FATIGUE = Fatigue(max_per_day=2, max_per_week=3, unopened_per_week=9)
# Of two channels, and planned ahead: what can be cancelled in part comes more often.
TRIGGERS = [*Trigger, *[Trigger.SUBSCRIPTION_LIMIT] * 6]
BUDGETS = (
    Budget(name="sms", unit="cents", limit=13, per="day", channels=("sms",)),
    Budget(name="all", unit="contacts", limit=7, per="week", timezone="Asia/Almaty"),
    Budget(name="carts", unit="contacts", limit=2, per="campaign", triggers=("abandoned_cart",)),
    Budget(name="hard", unit="contacts", limit=5, per="day", includes_critical=True),
)


def policy() -> PolicySettings:
    """The defaults with budgets, every customer in one of the arms that send."""
    arms = {Arm.LEARNED: 0.2, Arm.RANDOM: 0.3, Arm.RULES: 0.5, Arm.HOLDOUT: 0.0}
    changes = {"budgets": BUDGETS, "arms": arms, "fatigue": FATIGUE}
    return load_policy_settings().model_copy(update=changes)


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
        self.told = datetime.min.replace(tzinfo=UTC)  # the latest moment the store heard of
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
            st.tuples(st.sampled_from(CUSTOMERS), st.sampled_from(TRIGGERS)),
            min_size=2,
            max_size=8,
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
        self.told = max(self.told, self.now)
        for decision in self.engine.decide_many(requests):
            listed = sum(action.probability for action in decision.allowed)
            assert not decision.allowed or listed == pytest.approx(1.0)
            self.seen[decision.reason] += 1
            if not decision.send:
                continue
            assert not set(decision.channels) & self.refused[decision.customer_id]
            if not decision.trigger.is_service and decision.customer_id in TROUBLED:
                assert decision.send_at is not None
                assert not self.is_paused(decision.send_at)
            self.sent.append(Sent(decision))

    def is_paused(self, at: datetime) -> bool:
        return any(at >= since for since in self.open_incidents.values())

    @rule(hours=st.one_of(st.integers(-40, 40), st.integers(-400, 400)))
    def jump(self, hours: int) -> None:
        self.now += hours * HOUR

    @precondition(lambda self: any(one.at <= self.told for one in self.sent))
    @rule(data=st.data())
    def jump_to_before_a_message_that_has_gone(self, data: st.DataObject) -> None:
        gone = [one for one in self.sent if one.at <= self.told]
        self.now = data.draw(st.sampled_from(gone)).at - HOUR

    @precondition(lambda self: self.sent)
    @rule(
        data=st.data(),
        outcome=st.sampled_from(
            [
                *[Outcome.DELIVERED] * 3,
                *(Outcome.BOUNCED, Outcome.UNSUBSCRIBED, Outcome.COMPLAINED),
            ]
        ),
    )
    def report(self, data: st.DataObject, outcome: Outcome) -> None:
        one = data.draw(st.sampled_from(self.sent))
        message = data.draw(st.sampled_from(one.decision.messages))
        event = OutcomeEvent(message_id=message.message_id, outcome=outcome, at=self.now)
        states = [self.engine.report([event])[0] for _ in range(2)]  # told twice
        state = states[0]
        self.seen[states[1]] += 1
        if state == "booked":
            self.told = max(self.told, self.now)
        if self.now < one.at and not event.is_refusal:
            assert state == "before_message"
        elif outcome is Outcome.COMPLAINED:
            self.refused[one.decision.customer_id] |= set(Channel)
        elif outcome is Outcome.UNSUBSCRIBED:
            self.refused[one.decision.customer_id].add(message.channel)
        self.forget_cancelled()

    @precondition(lambda self: self.sent)
    @rule(data=st.data(), how=st.sampled_from(["in time", "after the clock went back", "any"]))
    def cancel(self, data: st.DataObject, how: str) -> None:
        if how == "in time":
            planned = [one for one in self.sent if one.at > max(self.now, self.told)]
            listed = [one for one in planned if len(one.left) > 1] or planned
        else:
            gone = [one for one in self.sent if self.now < one.at <= self.told and one.left]
            listed = gone if how != "any" else []
            self.seen["cancelled after the clock went back"] += bool(listed)
        one = data.draw(st.sampled_from(listed or self.sent))
        message = data.draw(st.sampled_from(one.decision.messages))
        with self.store.transaction() as session:
            state = session.cancel([message.message_id], at=self.now)[0]
        if max(self.now, self.told) >= one.at:  # clocks that go back give nothing back
            assert state is not CancelState.CANCELLED
        self.forget_cancelled()

    def forget_cancelled(self) -> None:
        """What the store says was cancelled in time; that it may say so is checked in `store`."""
        with self.store.transaction() as session:
            in_time = set(session.find_cancelled())
        for one in self.sent:
            one.cancelled = {m.message_id for m in one.decision.messages} & in_time
            self.seen["cancelled in part"] += bool(one.cancelled and one.left)
        self.seen["cancelled"] += bool(in_time)

    @rule()
    def open_incident(self) -> None:
        self.n_incidents += 1
        name = f"i{self.n_incidents}"
        with self.store.transaction() as session:
            session.incidents.open(name, starts_at_us=to_us(self.now), customer_ids=TROUBLED)
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
        by_customer: dict[str, list[Sent]] = defaultdict(list)
        for one in getattr(self, "sent", []):
            if one.left:
                by_customer[one.decision.customer_id].append(one)
        for notices in by_customer.values():
            moments = [one.at for one in notices if not one.is_critical]
            for first in moments:
                assert sum(first <= at < first + DAY for at in moments) <= FATIGUE.max_per_day
                assert sum(first <= at < first + 7 * DAY for at in moments) <= FATIGUE.max_per_week

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
            max_examples=14,
            stateful_step_count=30,
            phases=(Phase.generate,),
        ),
    )
    expected = {
        *(Reason.CHOSEN, Reason.BUDGET, Reason.COOL_DOWN, Reason.INCIDENT),
        *(Reason.FATIGUE_DAY, Reason.FATIGUE_WEEK),
        *("cancelled", "cancelled in part", "cancelled after the clock went back", "duplicate"),
    }
    met = {what for what, n in seen_in_all.items() if n}
    assert expected <= met, seen_in_all  # or nothing was put to the test
