"""The one place that wires: settings in, a running engine out."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path

from pydantic import ValidationError

from features.churn.risk import RiskRules, default_rules
from features.economics import Economics, default_economics
from features.errors import BadInputError, ConfigurationError
from serving.autopilot.inbound.arrivals import ArrivalDesk
from serving.autopilot.inbound.records import InboundReceipt, InboundReport
from serving.autopilot.watch.answers import (
    IncidentAnswer,
    IncidentQuestion,
    answer_incidents,
)
from serving.copy.library import default_library
from serving.copy.settings import CopySettings
from serving.copy.voice import read_brand, read_offers
from serving.decide import Engine
from serving.faults import describe_validation
from serving.learner.files import LearnerFiles
from serving.online.desk import Arrival, EventDesk
from serving.online.live import read_one
from serving.online.records import EventReceipt, EventReport
from serving.playbooks.following import RiskFollower
from serving.playbooks.judges import ServedJudge
from serving.playbooks.opening import Opener
from serving.playbooks.settings import load_playbooks_file
from serving.policy.cases import from_us, to_us
from serving.policy.settings import PolicySettings, load_policy_settings, read_settings_file
from serving.records import DecisionRequest
from serving.risk.answer import RiskDesk
from serving.risk.records import ChurnAnswer, ChurnQuestion
from serving.settings import Settings
from serving.snapshot.files import current_version, load_snapshot
from serving.snapshot.state import Snapshot
from serving.store.store import Store
from serving.stored_words import WordKeeper


@dataclass(frozen=True)
class EngineParts:
    """What an engine needs beside a snapshot; read once per process.

    Attributes:
        opener: Opens cases of customers who may be lost.
    """

    policy: PolicySettings
    economics: Economics
    copy_settings: CopySettings
    risk: RiskRules
    opener: Opener
    store: Store
    keeper: WordKeeper
    clock: Callable[[], datetime]
    takes_callers_time: bool = False
    served_share: float = 1.0

    def engine(self, snapshot: Snapshot, *, learned_until: datetime | None = None) -> Engine:
        """An engine that decides by that snapshot, in the words that are approved now.

        Args:
            snapshot: What is known.
            learned_until: Moment as of which its bandit has learned; that of its features where
                this is not told.
        """
        words = self.keeper.words()
        bandit = words.believe(snapshot.bandit)
        if bandit is not snapshot.bandit:
            snapshot = replace(snapshot, bandit=bandit)
        return Engine(
            snapshot=snapshot,
            settings=self.policy,
            economics=self.economics,
            library=words.library,
            copy_settings=self.copy_settings,
            store=self.store,
            clock=self.clock,
            new_id=lambda: uuid.uuid4().hex,
            takes_callers_time=self.takes_callers_time,
            served_share=self.served_share,
            novices=self.keeper.find_novices(
                words, policy=self.policy, learned_until=learned_until or snapshot.as_of
            ),
        )


def wire_parts(settings: Settings, *, clock: Callable[[], datetime]) -> EngineParts:
    """Read every file that the settings name, and open the store."""
    policy = load_policy_settings(settings.policy_file)
    economics = read_economics(settings.economics)
    copy_settings = read_copy_settings(settings)
    brand = read_brand(settings.voice, settings=copy_settings)
    offers = read_offers(settings.offers)
    risk = read_risk_rules(settings.risk)
    playbooks = load_playbooks_file(settings.playbooks)
    store = Store(settings.store_place)
    return EngineParts(
        policy=policy,
        economics=economics,
        copy_settings=copy_settings,
        risk=risk,
        opener=Opener(playbooks, risk, economics, ServedJudge()),
        store=store,
        keeper=WordKeeper(
            store.variants,
            default_library(),
            brand=brand,
            offers=offers,
            clock=clock,
            takes_callers_time=settings.clock == "caller",
        ),
        clock=clock,
        takes_callers_time=settings.clock == "caller",
        served_share=settings.served_share,
    )


def read_copy_settings(settings: Settings) -> CopySettings:
    """The sender of the texts; ConfigurationError names every setting that is wrong."""
    try:
        return CopySettings(
            brand=settings.brand,
            currency=settings.currency,
            cta_base_url=settings.site_url,
            email_unsubscribe_url=settings.unsubscribe_url,
        )
    except ValidationError as fault:
        raise ConfigurationError(f"settings of the texts: {describe_validation(fault)}") from fault


def read_economics(path: Path | None) -> Economics:
    """Prices in that file, or the ones that ship."""
    if path is None:
        return default_economics()
    return read_settings_file(path, Economics, what="economics")


def read_risk_rules(path: Path | None) -> RiskRules:
    """Rules of the churn risk in that file, or the ones that ship."""
    if path is None:
        return default_rules()
    return read_settings_file(path, RiskRules, what="risk rules")


class Runtime:
    """The engine of a serving process; it takes up snapshots, bandits and words by itself."""

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Callable[[], datetime],
        parts: EngineParts | None = None,
    ) -> None:
        """Load the current snapshot; NotReadyError where there is none.

        Args:
            settings: Of the process.
            clock: What time it is.
            parts: What is wired already, its store among it; wired here when not given.
        """
        self._settings = settings
        self._parts = parts or wire_parts(settings, clock=clock)
        self._bandits = LearnerFiles(settings.bandit)
        self._served = self._look()
        self._snapshot = load_snapshot(settings.snapshots)
        self._engine = self._make_engine()

    def _look(self) -> tuple[str | None, str | None, int]:
        """Versions of snapshot, bandit and words that are current."""
        snapshot = current_version(self._settings.snapshots)
        return snapshot, self._bandits.versions.current(), self._parts.keeper.version()

    def _make_engine(self) -> Engine:
        newest = with_newest_bandit(self._snapshot, self._bandits)
        return self._parts.engine(newest.snapshot, learned_until=newest.learned_until)

    @cached_property
    def _desk(self) -> EventDesk:
        parts = self._parts
        return EventDesk(
            parts.store,
            parts.takes_callers_time,
            rules=parts.risk,
            disruptions=parts.policy.disruptions,
            follower=RiskFollower(parts.opener),
        )

    @property
    def parts(self) -> EngineParts:
        """What stays the same as long as the process lives."""
        return self._parts

    def engine(self) -> Engine:
        """The engine for what is current; three small reads when nothing has changed."""
        found = self._look()
        if found != self._served:
            if found[0] is not None and found[0] != self._snapshot.version:
                self._snapshot = load_snapshot(self._settings.snapshots)
            self._engine = self._make_engine()
            self._served = found
        return self._engine

    def append(self, report: EventReport) -> Arrival:
        """Take facts in; quick."""
        return self._desk.append(report, self.engine().snapshot, now=self._parts.clock())

    def find_triggers(self, arrival: Arrival) -> EventReceipt:
        """Say what follows from facts that were taken in; slow, and may run in another thread."""
        return self._desk.find_triggers(arrival)

    def take_messages(self, report: InboundReport) -> InboundReceipt:
        """Keep messages of customers; quick."""
        desk = ArrivalDesk(self._parts.store, self._parts.takes_callers_time)
        return desk.take(report, now=self._parts.clock())

    def read_incidents(self, question: IncidentQuestion) -> IncidentAnswer:
        """Bursts of complaints and where they stand."""
        with self._parts.store.reading() as session:
            return answer_incidents(session, question, now=self._parts.clock())

    def explain_churn(self, question: ChurnQuestion) -> ChurnAnswer:
        """The customer's churn risk: now where there is a state, else as of the snapshot."""
        snapshot = self.engine().snapshot
        now_us = None if self._parts.takes_callers_time else to_us(self._parts.clock())
        with self._parts.store.reading() as session:
            live = read_one(session.online, snapshot, question.customer_id, now_us=now_us)
        desk = RiskDesk(self._parts.risk, self._parts.copy_settings)
        return desk.explain(question, snapshot, live=live)

    def require_own_time(self, request: DecisionRequest) -> None:
        """Raise BadInputError when the request's moment does not fit the service's clock."""
        if self._parts.takes_callers_time and request.decided_at is None:
            raise BadInputError(
                "decided_at: required, since this service runs on the caller's clock"
            )
        if not self._parts.takes_callers_time and request.decided_at is not None:
            raise BadInputError(
                "decided_at: not accepted, since this service runs on its own clock "
                "(OPPORTUNE_CLOCK=caller is meant for rehearsals)"
            )


@dataclass(frozen=True)
class Newest:
    """A snapshot with the newest bandit.

    Attributes:
        snapshot: What is known.
        learned_until: Moment as of which its bandit has learned.
    """

    snapshot: Snapshot
    learned_until: datetime


def with_newest_bandit(snapshot: Snapshot, files: LearnerFiles) -> Newest:
    """The snapshot with the learner's bandit, where that has looked at the log since."""
    learned = files.load_served()
    if learned is None or learned.as_of_us < snapshot.as_of_us:
        return Newest(snapshot, snapshot.as_of)
    return Newest(replace(snapshot, bandit=learned.bandit), from_us(learned.as_of_us))
