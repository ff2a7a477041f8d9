"""Decisions whose true worth is known: a small company with one trigger and six actions."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from features.vocabulary import Arm, Channel, Outcome, Priority, Trigger
from serving.policy.cases import Floats
from serving.policy.choice import soften
from serving.policy.settings import PolicySettings, load_policy_settings
from serving.records import (
    AllowedAction,
    Content,
    Decision,
    ModelVersions,
    OutcomeEvent,
    PlannedMessage,
    Reason,
)

START = datetime(2026, 3, 2, 9, tzinfo=UTC)
CHANNELS = (Channel.EMAIL, Channel.SMS, Channel.PUSH)
SLOTS_HOURS = (1, 6)
COST_CENTS = {Channel.EMAIL: 0.1, Channel.SMS: 4.0, Channel.PUSH: 0.02}
SALE_CENTS = 2_000
ARMS = (Arm.LEARNED, Arm.RANDOM, Arm.RULES, Arm.HOLDOUT)
RULES_CHOICE = 0  # e-mail, early
WARM_SHARE = 0.2


@dataclass(frozen=True)
class Company:
    """What a log was made of.

    Attributes:
        decisions: Records.
        outcomes: What was reported of their messages.
        margins: True expected cents of what every action of every decision brings in plain words,
            (n, 7).
        costs: Cents of sending it, (7,).
        warm_lift: Warm words bring so many times as much.
        values: What the policy believed, (n, 7).
    """

    decisions: list[Decision]
    outcomes: list[OutcomeEvent]
    margins: Floats
    costs: Floats
    warm_lift: float
    values: Floats

    def worth(self, *, warm: float = WARM_SHARE) -> Floats:
        """Net cents of every action where a share of the messages is in warm words, (n, 7)."""
        return self.margins * (1 - warm + warm * self.warm_lift) - self.costs

    def true_cents(self, p: Floats, *, warm: float = WARM_SHARE) -> float:
        """Of a policy by its probabilities, (n, 7)."""
        return float((p * self.worth(warm=warm)).sum(axis=1).mean())

    def logged(self) -> Floats:
        """Probabilities of the actions in the log, (n, 7)."""
        return np.array([[action.probability for action in one.allowed] for one in self.decisions])


@pytest.fixture(scope="session")
def settings() -> PolicySettings:
    return load_policy_settings()


def changed(settings: PolicySettings, *, name: str = "new", **learned: object) -> PolicySettings:
    plain = settings.model_dump()
    return PolicySettings.model_validate(
        {**plain, "name": name, "learned": {**plain["learned"], **learned}}
    )


@pytest.fixture(scope="session")
def careless(settings: PolicySettings) -> PolicySettings:
    """A running policy that explores far too much: there is something to be won."""
    return changed(settings, name="careless", floor=0.6)


@pytest.fixture(scope="session")
def make_company(settings: PolicySettings) -> Callable[..., Company]:
    def make(
        n: int = 2_000,
        *,
        seed: int = 0,
        effect: float = 1.0,
        warm_lift: float = 1.0,
        policy: PolicySettings = settings,
    ) -> Company:
        rng = np.random.default_rng(seed)
        taste = rng.uniform(0.02, 0.25, (n, len(CHANNELS))) * effect
        late = np.array([1.0, 0.6])
        p_sale = (taste[:, :, None] * late).reshape(n, -1)
        costs = np.repeat([COST_CENTS[channel] for channel in CHANNELS], len(SLOTS_HOURS))
        margins = np.column_stack([0.3 * SALE_CENTS * p_sale, np.zeros(n)])
        costs = np.append(costs, 0.0)
        values = margins - costs + np.column_stack([rng.normal(0, 30, (n, 6)), np.zeros(n)])
        unsure = np.full(n, 40.0)
        everything = np.ones((n, 7), dtype=bool)
        learned = soften(values, everything, unsure=unsure, learned=policy.learned)
        arms = rng.choice(len(ARMS), size=n // 2, p=[0.7, 0.1, 0.1, 0.1]).repeat(2)
        made = [
            _decide(row, ARMS[arms[row]], values[row], learned[row], policy=policy, rng=rng)
            for row in range(n)
        ]
        outcomes = [
            OutcomeEvent(
                message_id=decision.messages[0].message_id,
                outcome=Outcome.CONVERTED,
                at=decision.decided_at + timedelta(hours=20),
                value_cents=SALE_CENTS,
            )
            for row, (decision, action) in enumerate(made)
            if action < 6
            and rng.random()
            < p_sale[row, action] * (warm_lift if decision.variant == "warm" else 1.0)
        ]
        decisions = [decision for decision, _ in made]
        return Company(decisions, outcomes, margins, costs, warm_lift, values)

    return make


def _decide(
    row: int,
    arm: Arm,
    values: Floats,
    learned: Floats,
    *,
    policy: PolicySettings,
    rng: np.random.Generator,
) -> tuple[Decision, int]:
    """A record, and which action it took."""
    decided_at = START + timedelta(minutes=row)
    p = {
        Arm.LEARNED: learned,
        Arm.RANDOM: np.full(7, 1 / 7),
        Arm.RULES: np.eye(7)[RULES_CHOICE],
        Arm.HOLDOUT: np.eye(7)[6],
    }[arm]
    action = int(rng.choice(7, p=p))
    send_at = [decided_at + timedelta(hours=hours) for hours in SLOTS_HOURS]
    allowed = [
        AllowedAction((channel,), at, float(p[2 * c + s]), float(values[2 * c + s]))
        for c, channel in enumerate(CHANNELS)
        for s, at in enumerate(send_at)
    ]
    allowed.append(AllowedAction((), None, float(p[6]), 0.0))
    taken, variant = allowed[action], "warm" if rng.random() < WARM_SHARE else "plain"
    words = {"plain": 1 - WARM_SHARE, "warm": WARM_SHARE}
    messages = tuple(
        PlannedMessage(
            message_id=f"m{row}",
            channel=channel,
            variant=variant,
            content=Content(language="en", body="hello"),
            cost_cents=COST_CENTS[channel],
        )
        for channel in taken.channels
    )
    record = Decision(
        decision_id=f"d{row:06d}",
        customer_id=f"c{row // 2}",
        trigger=Trigger.ABANDONED_CART,
        decided_at=decided_at,
        arm=arm,
        send=bool(taken.channels),
        reason=Reason.CHOSEN if taken.channels else Reason.NOTHING_CHOSEN,
        channels=taken.channels,
        send_at=taken.send_at,
        variant=variant if taken.channels else None,
        messages=messages,
        propensity=float(p[action]) * (words[variant] if taken.channels else 1.0),
        allowed=tuple(allowed),
        variants=words if taken.channels else {},
        unsure_cents=40.0,
        rules_choice=RULES_CHOICE,
        priority=Priority.MEDIUM,
        cold_start=False,
        models=ModelVersions(),
        policy_version=policy.version,
        feature_hash="f",
        features_as_of=START,
    )
    return record, action
