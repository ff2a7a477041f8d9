"""A chain whose complaints are watched and acted on, on a clock of its own."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from pathlib import Path

from features.economics import default_economics
from features.vocabulary import Arm, Channel, Priority
from serving.audit.entries import Entry
from serving.autopilot.acting.answers import (
    VendorAnswer,
    answer_vendor,
    ask_to_close,
    confirm_cause,
)
from serving.autopilot.acting.context import Pilot
from serving.autopilot.acting.settings import ActingSettings, load_acting_settings
from serving.autopilot.acting.vendors import Vendor
from serving.autopilot.acting.workflow import make_incident_workflow
from serving.autopilot.detection.settings import DetectionSettings
from serving.autopilot.inbound.desk import KnownCustomers
from serving.autopilot.inbound.message import InboundMessage
from serving.autopilot.inbound.taxonomy import load_taxonomy
from serving.autopilot.inbound.triage import OfflineTriage
from serving.autopilot.story import KnownFacts
from serving.autopilot.watch.known import Directory
from serving.autopilot.watch.prepared import PreparedDetector, assume_detector
from serving.autopilot.watch.sorting import Sorter
from serving.autopilot.watch.watcher import Watcher
from serving.copy.library import default_library
from serving.copy.settings import CopySettings
from serving.corridor.actions import ActionState, Denied, Done
from serving.corridor.desk import CorridorDesk
from serving.corridor.held import Held
from serving.corridor.settings import BrokenCorridor, Corridor, load_corridor
from serving.decide import Engine
from serving.online.facts import Fact
from serving.online.ledger import take_facts
from serving.policy.arms import assign_arm
from serving.policy.cases import to_us
from serving.policy.settings import load_policy_settings
from serving.snapshot.making import make_snapshot
from serving.snapshot.state import Models, Snapshot
from serving.store.amends import AskState, IssuedCredit
from serving.store.bursts import BurstRow
from serving.store.flows import FlowRow
from serving.store.letters import Letter
from serving.store.notices import Notice
from serving.store.store import Store, StoreSession
from serving.workflows.catalogue import Catalogue
from serving.workflows.journal import Reach, pass_by
from serving.workflows.parts import ActingParts
from serving.workflows.virtual import VirtualClock, VirtualDriver
from serving.workflows.words import approve_action, veto_action
from tests.conftest import frame_of
from training.bandit.files import new_bandit

START = datetime(2026, 7, 14, 6, tzinfo=UTC)  # a Tuesday, 11:00 in Almaty
BRANCH = "Abay 10"
BRANCHES = (BRANCH, "Dostyk 5", "Satpaev 3", "Tole bi 7", "Gagarin 1", "Zhandosov 2", "Rozy 9")
REFERENCE = (
    (0.0, "у вас в зале как в бане"),
    (5.0, "моншадай болып тұр"),
    (11.0, "Дышать нечем!!"),
    (17.0, "ауа жетпейди, терлеп кеттик"),
    (24.0, "вышла вся мокрая, хоть выжимай"),
    (31.0, "тыныс алу мүмкін емес, ыстық"),
    (40.0, "кондей опять сдох?"),
)
"""Seven complaints in 40 minutes, mixed Russian and Kazakh, most of them indirect."""

VENDORS = (
    Vendor("cool-air", "hvac", "Cool Air", "almaty", 4.8, 45, True, 1_500_000, 320, 4.0, True),
    Vendor("klima", "hvac", "Klima", "almaty", 4.7, 30, True, 1_400_000, 150, 9.0, True),
    Vendor("star", "hvac", "Star", "almaty", 5.0, 20, True, 900_000, 4, 3.0, True),
    Vendor("far", "hvac", "Far", "almaty", 4.9, 20, True, 900_000, 200, 80.0, True),
    Vendor("mute", "hvac", "Mute", "almaty", 4.9, 20, False, 900_000, 200, 2.0, False),
    Vendor("pipes", "plumber", "Pipes", "almaty", 4.9, 20, True, 900_000, 200, 2.0, True),
)


def find_customers(n: int) -> list[str]:
    """Customers who are not of the holdout, nor of the random arm."""
    settings = load_policy_settings()
    named = (f"c{number:03d}" for number in range(1_000))
    found = (
        one
        for one in named
        if assign_arm(
            one, experiment=settings.experiment, shares=settings.arms, priority=Priority.HIGH
        )
        in (Arm.LEARNED, Arm.RULES)
    )
    return [next(found) for _ in range(n)]


CUSTOMERS = find_customers(12)
LANGUAGES = ("ru", "kk", "ru", "kk", "ru", "kk", "ru", "en", "ru", "kk", "ru", "kk")


@dataclass
class Chain:
    """A chain that is acted for.

    Attributes:
        store: Of everything.
        home: Where STOP files are.
        detector: What is watched by.
        corridor: What may be done.
        settings: What the autopilot does.
        keeps: See `VirtualDriver`.
    """

    store: Store
    home: Path
    detector: PreparedDetector
    corridor: Corridor | BrokenCorridor = field(default_factory=load_corridor)
    settings: ActingSettings = field(default_factory=load_acting_settings)
    keeps: bool = True
    reach: Reach = pass_by
    clock: VirtualClock = field(default_factory=lambda: VirtualClock(START))
    n_messages: int = 0
    n_codes: int = 0

    def __post_init__(self) -> None:
        taxonomy = load_taxonomy("salon")
        triage = OfflineTriage(taxonomy)
        self.engine = make_engine(self.store, self.clock)
        profile = self.engine.snapshot.customers.profile
        languages = dict(zip(profile["customer_id"], profile["language"], strict=True))
        self.watcher = Watcher(
            self.store,
            prepared=self.detector,
            triage=triage,
            sorter=Sorter(triage),
            directory=Directory(KnownFacts(KnownCustomers(languages, {}))),
        )
        self.parts = ActingParts(
            store=self.store,
            desk=lambda: CorridorDesk(self.corridor, home=self.home),
            engine=lambda: self.engine,
            clock=self.clock,
            zone="Asia/Almaty",
            console_address="https://console.example.com/console",
        )
        self.pilot = Pilot(
            settings=self.settings,
            taxonomy=taxonomy,
            vendors=lambda: VENDORS,
            new_code=self._make_code,
        )
        self.driver = VirtualDriver(
            Catalogue([make_incident_workflow(self.parts, pilot=self.pilot)]),
            self.parts,
            clock=self.clock,
            keeps=self.keeps,
            reach=self.reach,
        )

    # ------------------------------------------------------------ what happens

    def say(self, customer_id: str | None, text: str, *, branch: str = BRANCH) -> None:
        """A message arrives now."""
        self.n_messages += 1
        message = InboundMessage(
            inbound_id=f"m{self.n_messages}",
            at=self.clock.now,
            customer_id=customer_id,
            source="whatsapp",
            branch=branch,
            text=text,
        )
        with self.store.transaction() as session:
            session.inbound.add([message], arrived_at=self.clock.now)
        self.live(0)

    def live(self, minutes: float, *, step: float = 1) -> None:
        """Time goes on, so many minutes at a time."""
        until = self.clock.now + timedelta(minutes=minutes)
        while True:
            self.watcher.look(self.clock.now)
            self.driver.run_now()
            if self.clock.now >= until:
                return
            self.driver.run_until(min(until, self.clock.now + timedelta(minutes=step)))

    def complain(self, deeds: Mapping[float, Callable[[], object]] | None = None) -> None:
        """The reference case: seven complaints in forty minutes, and what people do meanwhile.

        Args:
            deeds: By minutes from the first complaint.
        """
        begun = self.clock.now
        said = [
            (minutes, partial(self.say, customer_id, text))
            for (minutes, text), customer_id in zip(REFERENCE, CUSTOMERS, strict=False)
        ]
        for minutes, deed in sorted([*said, *(deeds or {}).items()], key=lambda one: one[0]):
            self.live((begun + timedelta(minutes=minutes) - self.clock.now).total_seconds() / 60)
            deed()

    def visit(self, customer_id: str, *, branch: str = BRANCH, minutes_ago: float = 60) -> None:
        """Somebody is at a branch."""
        at = self.clock.now - timedelta(minutes=minutes_ago)
        with self.store.transaction() as session:
            add_visit(session, customer_id, branch=branch, at=at)

    def live_on(self, hours: float = 30) -> None:
        """Time goes on until all has come to its end."""
        self.live(hours * 60, step=60)

    def throw_switch(self, *, is_stopped: bool, branch: str | None = BRANCH) -> None:
        """Somebody throws a kill switch, and workflows that wait for it are told."""
        with self.store.transaction() as session:
            session.switches.throw(
                branch=branch, is_stopped=is_stopped, by="Dana", at=self.clock.now
            )
        self.live(0)

    # ------------------------------------------------------------ what people say

    def approve(self, part: str, *, role: str = "owner") -> Done | Denied:
        """Dana says yes to the action whose identity ends like that."""
        with self.store.transaction() as session:
            answer = approve_action(
                session,
                self.find_hold(part).request.action_id,
                desk=self.parts.desk(),
                by="Dana",
                role=role,
                now=self.clock.now,
            )
        self.live(0)
        return answer

    def veto(self, part: str) -> Done | Denied:
        """Dana says no."""
        with self.store.transaction() as session:
            answer = veto_action(
                session,
                self.find_hold(part).request.action_id,
                desk=self.parts.desk(),
                by="Dana",
                role="owner",
                now=self.clock.now,
            )
        self.live(0)
        return answer

    def answer(self, vendor_id: str, answer: VendorAnswer) -> None:
        """A vendor says something."""
        with self.store.transaction() as session:
            answer_vendor(
                session,
                self.workflow_id,
                vendor_id,
                answer=answer,
                by="Dana",
                now=self.clock.now,
            )
        self.live(0)

    def confirm_cause(self, cause: str) -> None:
        """Dana says why it was so."""
        with self.store.transaction() as session:
            confirm_cause(
                session,
                self.workflow_id,
                topic=self.burst.topic,
                cause=cause,
                updates=self.pilot.updates,
                by="Dana",
                now=self.clock.now,
            )
        self.live(0)

    def close(self) -> None:
        """Dana wants the incident closed."""
        with self.store.transaction() as session:
            ask_to_close(session, self.workflow_id, by="Dana", now=self.clock.now)
        self.live(0)

    # ------------------------------------------------------------ what there is

    @property
    def bursts(self) -> list[BurstRow]:
        """Incidents."""
        with self.store.reading() as session:
            return list(session.bursts.list())

    @property
    def burst(self) -> BurstRow:
        """The only incident."""
        (burst,) = self.bursts
        return burst

    @property
    def workflow_id(self) -> str:
        """Of the only incident."""
        return f"incident/{self.burst.incident_id}"

    @property
    def flow(self) -> FlowRow:
        """Its workflow."""
        with self.store.reading() as session:
            flow = session.flows.find(self.workflow_id)
        assert flow is not None
        return flow

    @property
    def holds(self) -> list[Held]:
        """Its actions."""
        with self.store.reading() as session:
            return session.holds.find_of(self.workflow_id)

    def find_hold(self, part: str) -> Held:
        """The action whose identity ends like that; of several the one that waits."""
        found = [held for held in self.holds if held.request.action_id.endswith(part)]
        if len(found) > 1:
            found = [held for held in found if held.state is ActionState.WAITING]
        assert len(found) == 1, [held.request.action_id for held in self.holds]
        return found[0]

    def state_of(self, part: str) -> ActionState:
        """Where that action stands."""
        return self.find_hold(part).state

    @property
    def asks(self) -> dict[str, AskState]:
        """Where it stands with each vendor that was asked."""
        with self.store.reading() as session:
            return {one.vendor_id: one.state for one in session.amends.find_asks(self.workflow_id)}

    @property
    def credits(self) -> list[IssuedCredit]:
        """What customers were given."""
        with self.store.reading() as session:
            return session.amends.find_credits(self.workflow_id)

    @property
    def letters(self) -> list[Letter]:
        """Who is told what."""
        with self.store.reading() as session:
            return session.letters.find_of(self.workflow_id)

    def read_texts(self, stage: str) -> dict[str, str]:
        """What customers read at a stage, by customer; of those who were written to."""
        decisions = {
            one.customer_id: self.store.read_decision(one.decision_id)
            for one in self.letters
            if one.stage.partition("/")[0] == stage
            and one.reason == "sent"
            and one.decision_id is not None
        }
        return {
            who: decision.content.body
            for who, decision in decisions.items()
            if decision is not None and decision.content is not None
        }

    @property
    def notices(self) -> list[Notice]:
        """What the owner and vendors were told."""
        with self.store.reading() as session:
            return session.notices.find_of(self.workflow_id)

    @property
    def entries(self) -> list[Entry]:
        """Its log."""
        with self.store.reading() as session:
            return list(session.audit.read(subject=self.workflow_id))

    def _make_code(self) -> str:
        self.n_codes += 1
        letters = "BCDFGHJKLMNPQRSTVWXZ"
        return "BCDFGHJ" + letters[self.n_codes // 20] + letters[self.n_codes % 20]


@cache
def find_detector() -> PreparedDetector:
    """What a salon is watched by whose history nobody knows; simulated once for all tests."""
    return assume_detector(load_taxonomy("salon"), zone="Asia/Almaty", settings=DetectionSettings())


@cache
def find_snapshot() -> Snapshot:
    """What is known of the chain's customers."""
    customers = [
        {
            "customer_id": customer_id,
            "signed_up_at": START - timedelta(days=200),
            "first_name": "Aigerim",
            "language": language,
            "timezone": "Asia/Almaty",
        }
        | {f"consent_{channel}": True for channel in Channel}
        for customer_id, language in zip(CUSTOMERS, LANGUAGES, strict=True)
    ]
    return make_snapshot(
        {"customers": frame_of("customers", customers)},
        as_of=START - timedelta(hours=1),
        models=Models(),
        bandit=new_bandit(),
    )


def make_engine(store: Store, clock: Callable[[], datetime]) -> Engine:
    """The engine of the chain."""
    return Engine(
        snapshot=find_snapshot(),
        settings=load_policy_settings(),
        economics=default_economics(),
        library=default_library(),
        copy_settings=CopySettings(currency="KZT"),
        store=store,
        clock=clock,
        new_id=lambda: "never asked for: letters have keys",
    )


def add_visit(session: StoreSession, customer_id: str, *, branch: str, at: datetime) -> None:
    """Somebody was at a branch."""
    row = {"customer_id": customer_id, "at": to_us(at), "kind": "visit", "location": branch}
    take_facts(session.online, [(Fact("activity", row, None), to_us(at))])
