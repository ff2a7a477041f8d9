"""The policies that are rehearsed side by side; all but the oracle are the engine with settings."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from features.tables import Tables
from features.vocabulary import Arm, Channel, Tier
from serving.disruptions import follow_tables
from serving.following import follow
from serving.learner.fold import Settled, rule_of
from serving.learner.history import read_history
from serving.learner.step import learn_from_log
from serving.policy.cases import from_us
from serving.policy.settings import PolicySettings
from serving.records import Decision, DecisionRequest, OutcomeEvent, OutcomeState
from serving.rehearsal.loop import Sitting
from serving.rehearsal.shelf import replace_models
from serving.rehearsal.snapshots import find_tiers, snapshot_of_some
from serving.requests import at_risk_requests, requests_of
from serving.runtime import EngineParts
from serving.snapshot.state import Models, Snapshot
from training.bandit.files import new_bandit
from training.bandit.policy import VariantPolicy
from training.bandit.rewards import REFUSALS


class PolicyName(StrEnum):
    """What can be rehearsed."""

    LEARNED = "learned"  # as it ships: all four arms
    RULES = "rules"
    RANDOM = "random"
    SINGLE_CHANNEL = "single_channel"  # the rules' moments, always on the channel that is best
    ORACLE = "oracle"  # greedy on the true value
    NOBODY = "nobody"  # sends nothing


@dataclass(frozen=True)
class Cadence:
    """How often something is done again.

    Attributes:
        retrain_days: Models are trained anew.
        score_days: Everybody's churn is scored.
        decide_hours: Hours between the sittings of a day; 24: mornings only.
    """

    retrain_days: int = 30
    score_days: int = 7
    decide_hours: int = 3


Retrain = Callable[[Sitting], Models]
"""Models made of what is known in a morning."""


def settings_of(
    policy: PolicyName, shipped: PolicySettings, *, channel: Channel | None = None
) -> PolicySettings:
    """The settings with which the engine acts as that policy.

    Args:
        policy: The learned one has the settings as they ship.
        shipped: What ships, or was configured.
        channel: Of the single-channel policy.
    """
    match policy:
        case PolicyName.LEARNED:
            return shipped
        case PolicyName.RANDOM | PolicyName.ORACLE:  # the oracle chooses among what is allowed
            return _all_in(Arm.RANDOM, shipped)
        case PolicyName.SINGLE_CHANNEL if channel is not None:
            return _on_one_channel(_all_in(Arm.RULES, shipped), channel)
        case _:
            return _all_in(Arm.RULES, shipped)


def _all_in(arm: Arm, shipped: PolicySettings) -> PolicySettings:
    shares = {one: float(one is arm) for one in Arm}
    return shipped.model_copy(update={"arms": shares})


def _on_one_channel(settings: PolicySettings, channel: Channel) -> PolicySettings:
    rules = {
        trigger: rule.model_copy(update={"channels": (), "prior": {channel: 1.0}})
        for trigger, rule in settings.triggers.items()
    }
    return settings.model_copy(update={"triggers": rules})


@dataclass
class AtRisk:
    """Whom the churn model names, scored again from time to time; asked about every morning.

    Attributes:
        every_days: How often everybody is scored.
        tiers: Of everybody at the last scoring.
    """

    every_days: int
    tiers: dict[str, Tier | None] = field(default_factory=dict)

    def requests(
        self, sitting: Sitting, *, models: Models, parts: EngineParts
    ) -> list[DecisionRequest]:
        """In the morning, a request for each whose tier is high or critical, by a churn model."""
        if models.churn is None or not sitting.is_morning:
            return []
        if sitting.day % self.every_days == 0:
            self.tiers = find_tiers(
                sitting.tables, as_of=sitting.now, model=models.churn, rules=parts.risk
            )
        return at_risk_requests(list(self.tiers), list(self.tiers.values()), as_of=sitting.now)


def ask(
    sitting: Sitting, at_risk: Sequence[DecisionRequest], *, parts: EngineParts
) -> list[DecisionRequest]:
    """Every case of the sitting, with whoever may be lost; disruptions open incidents first."""
    follow_tables(parts.store, sitting.tables, as_of=sitting.now, settings=parts.policy.disruptions)
    prices = sitting.tables.get("prices")
    return [*requests_of(sitting.found, as_of=sitting.now, prices=prices), *at_risk]


@dataclass
class Learning:
    """How a policy learns while it acts: models from time to time, the bandit every morning.

    What is learned is what the learner of a server would know at the same moment; it is kept in
    memory, since nothing can interrupt a rehearsal.

    Attributes:
        retrain: Makes models anew.
        settled: What the bandit has learned for good.
        follows_readers: Whether models follow between two trainings, as what serves does.
    """

    retrain: Retrain
    settled: Settled = field(default_factory=Settled.nothing)
    follows_readers: bool = True

    def learn(self, morning: Sitting, parts: EngineParts) -> VariantPolicy:
        """The bandit of this morning.

        Of the tables, who left matters every day, and messages of before the rehearsal until
        nothing more can come of them.
        """
        start = morning.now - timedelta(days=morning.day)
        tables = _sent_between(morning.tables, from_us(self.settled.until_us), start)
        history = read_history(tables, as_of=morning.now, rule=rule_of(parts.policy))
        learned = learn_from_log(
            parts.store, history, as_of=morning.now, policy=parts.policy, since=self.settled
        )
        self.settled = learned.settled
        return learned.served


def _sent_between(tables: Tables, since: datetime, until: datetime) -> Tables:
    """The tables with the messages of that time only: later ones are in the store.

    Earlier ones stay where their readers left by them since: they are no readers of others either.
    """
    if "messages" not in tables:
        return tables
    messages = tables["messages"]
    sent_at = messages["sent_at"]
    is_wanted = (sent_at >= since) & (sent_at < until)
    if "outcomes" not in tables:
        return {**tables, "messages": messages[is_wanted]}
    outcomes = tables["outcomes"]
    outcomes = outcomes[outcomes["at"] >= since]
    left_by = outcomes.loc[outcomes["outcome"].isin(REFUSALS), "message_id"]
    is_wanted |= (sent_at < since) & messages["message_id"].isin(left_by)
    return {**tables, "messages": messages[is_wanted], "outcomes": outcomes}


class NobodyActor:
    """Writes to nobody: what would have happened anyway."""

    def decide(self, _: Sitting, /) -> list[Decision]:
        """Nothing."""
        return []

    def report(self, outcomes: Sequence[OutcomeEvent], /) -> list[OutcomeState]:
        """There is nothing that could come of nothing."""
        return [OutcomeState.UNKNOWN_MESSAGE] * len(outcomes)


@dataclass
class EngineActor:
    """The engine as it is served, on its own store, with the settings of a policy.

    Attributes:
        parts: Settings, prices, store.
        models: Champions; they name who is at risk for every policy alike.
        followed: The champions as of the morning.
        cadence: How often models are made and scores taken.
        learning: How it learns; None where the policy has no use for it.
        at_risk: Whom the churn model names.
        bandit: Of the morning.
        snapshot: What was known when decisions were made last.
    """

    parts: EngineParts
    models: Models
    cadence: Cadence
    learning: Learning | None = None
    at_risk: AtRisk = field(init=False)
    bandit: VariantPolicy = field(default_factory=new_bandit, init=False)
    snapshot: Snapshot | None = field(default=None, init=False)
    followed: Models = field(init=False)

    def __post_init__(self) -> None:
        """Nobody has been scored yet."""
        self.at_risk = AtRisk(self.cadence.score_days)
        self.followed = self.models

    def decide(self, sitting: Sitting, /) -> list[Decision]:
        """Learn in the morning what has matured, make a snapshot of those in question, decide."""
        if self.learning is not None and sitting.is_morning:
            self._learn(sitting, self.learning)
        at_risk = self.at_risk.requests(sitting, models=self.models, parts=self.parts)
        requests = ask(sitting, at_risk, parts=self.parts)
        if not requests and self.snapshot is not None:
            return []
        self.snapshot = snapshot_of_some(
            sitting.tables,
            {request.customer_id for request in requests},
            as_of=sitting.now,
            models=Models() if self.learning is None else self.followed,
            bandit=self.bandit,
        )
        return self.parts.engine(self.snapshot).decide_many(requests) if requests else []

    def report(self, outcomes: Sequence[OutcomeEvent], /) -> list[OutcomeState]:
        """Book outcomes in the store."""
        if self.snapshot is None:
            return []
        return self.parts.engine(self.snapshot).report(outcomes)

    def _learn(self, morning: Sitting, learning: Learning) -> None:
        if morning.day > 0 and morning.day % self.cadence.retrain_days == 0:
            self.models = replace_models(self.models, learning.retrain(morning))
        self.followed = self.models
        if learning.follows_readers:
            self.followed = follow(self.models, morning.tables, as_of=morning.now)
        self.bandit = learning.learn(morning, self.parts)
