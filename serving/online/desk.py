"""Where facts arrive: they are stamped, taken in, and what follows from them is found."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np

from features.churn import CHURN_FEATURES
from features.churn.risk import Risk, RiskRules, default_rules
from features.errors import BadInputError, ConflictError
from serving.disruptions import follow_posted
from serving.online.accounts import Account
from serving.online.facts import Fact
from serving.online.ledger import Taken, require_generation, take_facts
from serving.online.live import LiveCustomer, LiveProfile, read_features
from serving.online.own import event_of
from serving.online.records import (
    Event,
    EventReceipt,
    EventReport,
    EventState,
    Rescored,
)
from serving.online.triggers import find_online
from serving.playbooks.following import RiskFollower
from serving.playbooks.seen import NOT_KNOWN, Belongs, Seen, list_seen
from serving.policy.cases import from_us, to_us
from serving.policy.settings import DisruptionSettings
from serving.snapshot.state import Snapshot
from serving.store.kept import Generation
from serving.store.online import OnlineSession
from serving.store.store import Store, StoreSession

_NOBODY_YET = frozenset({"customer", "message", "tracking"})  # owners that lead to a customer


@dataclass(frozen=True)
class Arrival:
    """Facts that were taken in.

    Attributes:
        receipt: What became of them; without triggers.
        generation: What histories and states stand on.
        about: Customers to whom a new fact matters.
    """

    receipt: EventReceipt
    generation: Generation
    about: frozenset[str]


@dataclass(frozen=True)
class EventDesk:
    """Takes facts in.

    Attributes:
        store: Where log and states are.
        takes_callers_time: The moment comes with the report (rehearsals), not from the clock.
        rules: How a probability of churn becomes a risk score and a tier.
        disruptions: Whether marketing rests while one is going on.
        follower: Opens cases where the risk rises; None: nobody does.
    """

    store: Store
    takes_callers_time: bool = False
    rules: RiskRules = field(default_factory=default_rules)
    disruptions: DisruptionSettings = field(default_factory=DisruptionSettings)
    follower: RiskFollower | None = None

    def take(self, report: EventReport, snapshot: Snapshot, *, now: datetime) -> EventReceipt:
        """Take the events in, and find what follows, all as of one moment; see the two steps.

        Raises:
            BadInputError: The report brings a moment and must not, or the other way round.
            ConflictError: Its moment is before that of facts which were told already.
        """
        arrival = self.append(report, snapshot, now=now)
        return self.find_triggers(arrival) if report.find_triggers else arrival.receipt

    def append(self, report: EventReport, snapshot: Snapshot, *, now: datetime) -> Arrival:
        """Append the events to the log, apply them, and score their customers anew.

        What came of the service's own messages is booked as if it had been reported as outcomes.
        Cases that are opened by it, and what open ones are told, are kept with the facts.
        """
        self._require_own_time(report)
        with self.store.transaction() as session:
            moments_us = self._stamp(session.online, report, now=now)
            told = [
                (_fact_of(event, moment_us), moment_us)
                for event, moment_us in zip(report.events, moments_us, strict=True)
            ]
            taken = take_facts(session.online, told)
            new = [fact for (fact, _), one in zip(told, taken.facts, strict=True) if one.is_new]
            _book_outcomes(session, new, now_us=moments_us[-1])
            follow_posted(session, new, now_us=moments_us[-1], settings=self.disruptions)
            scored = _score(taken, snapshot, rules=self.rules, as_of_us=moments_us[-1] + 1)
            if self.follower is not None and scored is not None:
                known_at = from_us(moments_us[-1])
                self.follower.follow(session, scored.see(), snapshot, now=known_at)
        receipt = EventReceipt(
            states=[_state_of(fact, taken, n) for n, (fact, _) in enumerate(told)],
            known_at=from_us(moments_us[-1]),
            churn=[] if scored is None else scored.tell(),
            triggers=[],
        )
        return Arrival(receipt, taken.generation, frozenset(taken.accounts))

    def find_triggers(self, arrival: Arrival) -> EventReceipt:
        """The receipt with everything that the customers should hear right after the last event."""
        as_of = arrival.receipt.known_at + timedelta(microseconds=1)
        with self.store.reading() as session:
            found = find_online(session.online, arrival.generation, arrival.about, as_of=as_of)
        return arrival.receipt.model_copy(update={"triggers": found})

    def _stamp(self, online: OnlineSession, report: EventReport, *, now: datetime) -> Sequence[int]:
        """When each event became known: microseconds apart, never before what was told already."""
        last_us = max(online.last_known_us() or 0, require_generation(online).as_of_us - 1)
        if report.known_at is None:
            first_us = max(to_us(now), last_us + 1)
        else:
            first_us = to_us(report.known_at)
            if first_us < last_us:
                raise ConflictError(
                    f"known_at {report.known_at.isoformat()}: facts were told up to "
                    f"{from_us(last_us).isoformat()} already; expected no earlier moment"
                )
        return range(first_us, first_us + len(report.events))

    def _require_own_time(self, report: EventReport) -> None:
        if self.takes_callers_time and report.known_at is None:
            raise BadInputError("known_at: required, since this service runs on the caller's clock")
        if not self.takes_callers_time and report.known_at is not None:
            raise BadInputError(
                "known_at: not accepted, since this service runs on its own clock "
                "(OPPORTUNE_CLOCK=caller is meant for rehearsals)"
            )


def _book_outcomes(session: StoreSession, facts: Sequence[Fact], *, now_us: int) -> None:
    """A complaint counts at once, by whichever way it was told; others' messages are not booked."""
    told = [event_of(fact) for fact in facts if fact.table == "outcomes"]
    events = [event for event in told if event is not None]
    if events:
        session.add_outcomes(events, now_us=now_us)


def _fact_of(event: Event, moment_us: int) -> Fact:
    return Fact(event.table, event.cells.row, moment_us, event.event_id)


def _state_of(fact: Fact, taken: Taken, position: int) -> EventState:
    result = taken.facts[position]
    if not result.is_new:
        return EventState.DUPLICATE
    leads_to_somebody = fact.owner.partition("/")[0] in _NOBODY_YET
    is_known = any(customer_id in taken.accounts for customer_id in result.customer_ids)
    return EventState.KEPT if leads_to_somebody and not is_known else EventState.APPLIED


@dataclass(frozen=True)
class _Scored:
    """Churn risk of the customers to whom something new matters, in one order.

    Attributes:
        customers: With the features they have now.
        risk: Theirs.
        belonging: Segment and language.
        told_us: Moment of the last of the facts.
    """

    customers: dict[str, LiveCustomer]
    risk: Risk
    belonging: list[Belongs]
    told_us: int

    def see(self) -> list[Seen]:
        """For whoever follows the risk."""
        return list_seen(
            list(self.customers),
            self.risk,
            churn=[live.churn for live in self.customers.values()],
            engagement=[live.engagement for live in self.customers.values()],
            belonging=self.belonging,
            told_us=self.told_us,
        )

    def tell(self) -> list[Rescored]:
        """For the answer."""
        risk = self.risk
        return [
            Rescored(customer_id=id_, p_churn=None, risk_score=None, tier=None)
            if tier is None
            else Rescored(customer_id=id_, p_churn=p_churn, risk_score=score, tier=tier)
            for id_, p_churn, score, tier in zip(
                self.customers,
                risk.p_churn.tolist(),
                risk.risk_score.tolist(),
                risk.tiers,
                strict=True,
            )
        ]


def _score(taken: Taken, snapshot: Snapshot, *, rules: RiskRules, as_of_us: int) -> _Scored | None:
    """Churn risk of the customers to whom something new matters; None without a model."""
    model = snapshot.models.churn
    if model is None or not taken.accounts:
        return None
    customers = {
        id_: read_features(taken.accounts[id_], taken.generation, as_of_us=as_of_us, model=model)
        for id_ in sorted(taken.accounts)
    }
    risk = rules.assess(
        np.array([live.p_churn for live in customers.values()]),
        features=np.vstack([live.churn for live in customers.values()]),
        names=CHURN_FEATURES.names,
    )
    belonging = [_find_belonging(taken.accounts[id_], as_of_us=as_of_us) for id_ in customers]
    return _Scored(customers, risk, belonging, as_of_us - 1)


def _find_belonging(account: Account, *, as_of_us: int) -> Belongs:
    version = account.profile_at(as_of_us)
    if version is None:
        return NOT_KNOWN
    profile = LiveProfile(version.row)
    return Belongs(profile.segment, profile.language, profile.consent)
