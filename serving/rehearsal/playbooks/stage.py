"""Everything that a policy acts with in a world: the real workflow, corridor, ledger and store."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Self

import numpy as np

from features.errors import NotReadyError
from serving.corridor.desk import CorridorDesk
from serving.corridor.settings import load_corridor
from serving.decide import Engine
from serving.playbooks.judges import Judge
from serving.playbooks.workflow import make_case_workflow
from serving.rehearsal.playbooks.knowledge import Knowledge, RetentionJudge, see_risk
from serving.rehearsal.playbooks.levers import require_levers
from serving.rehearsal.playbooks.office import Office
from serving.rehearsal.playbooks.policies import (
    BY_VALUE,
    EverybodyJudge,
    Picker,
    PlaybookPolicy,
    TrueJudge,
    set_playbooks,
)
from serving.runtime import EngineParts
from serving.snapshot.state import Snapshot
from serving.workflows.catalogue import Catalogue
from serving.workflows.parts import ActingParts
from serving.workflows.virtual import VirtualClock, VirtualDriver
from training.world.acting.protocol import ActingWorld


@dataclass
class _Known:
    """What is known now; the engine is asked for at every step of every case."""

    parts: EngineParts
    snapshot: Snapshot | None = None
    engine: Engine | None = field(default=None, init=False)

    def publish(self, snapshot: Snapshot) -> None:
        """This is known from now on."""
        self.snapshot, self.engine = snapshot, self.parts.engine(snapshot)

    def find_engine(self) -> Engine:
        """The engine of what is known."""
        if self.engine is None:
            raise NotReadyError("nothing has been looked at yet")
        return self.engine


@dataclass
class Stage:
    """One policy at work.

    Attributes:
        world: Where it acts.
        parts: What its workflows act with.
        office: The people.
        driver: Runs the workflows.
        picker: Opens cases.
        knowledge: What was learned from the history.
        known: What is known now.
    """

    world: ActingWorld
    parts: ActingParts
    office: Office
    driver: VirtualDriver
    picker: Picker
    knowledge: Knowledge
    known: _Known

    @classmethod
    def set_up(
        cls,
        policy: PlaybookPolicy,
        world: ActingWorld,
        *,
        parts: EngineParts,
        knowledge: Knowledge,
        home: Path,
        seed: int,
    ) -> Self:
        """At the world's start, with nothing known and nothing open.

        Args:
            policy: Which.
            world: Where it acts.
            parts: Settings, prices, an empty store.
            knowledge: What was learned from the history.
            home: Folder in which STOP files would be looked for.
            seed: Of who picks anybody.
        """
        clock, known = VirtualClock(world.start), _Known(parts)
        judge: Judge = RetentionJudge(knowledge, seed)
        if policy is PlaybookPolicy.ORACLE:
            judge = TrueJudge(world, parts.economics, clock)
        elif policy not in BY_VALUE:
            judge = EverybodyJudge()
        playbooks = set_playbooks(policy, require_levers(parts.opener.playbooks))
        opener = replace(parts.opener, playbooks=playbooks, judge=judge)
        currency = parts.copy_settings.currency
        corridor = load_corridor().model_copy(update={"currency": currency})
        desk = CorridorDesk(corridor, home=home)
        acting = ActingParts(parts.store, lambda: desk, known.find_engine, clock)
        workflow = make_case_workflow(acting, opener=opener)
        return cls(
            world=world,
            parts=acting,
            office=Office(acting, world),
            driver=VirtualDriver(Catalogue([workflow]), acting, clock=clock),
            picker=Picker(policy, opener, np.random.default_rng(seed)),
            knowledge=knowledge,
            known=known,
        )

    def look(self, now: datetime) -> None:
        """Features and scores of everybody as of now."""
        self.driver.run_until(now)
        tables = dict(self.world.tables(now))
        self.known.publish(see_risk(tables, as_of=now, models=self.knowledge.models))

    def open(self, now: datetime) -> None:
        """Open cases."""
        snapshot = self.known.find_engine().snapshot
        self.picker.open(self.parts.store, snapshot, world=self.world, now=now)

    def live(self, now: datetime) -> None:
        """What comes due by now, the owner's word, and the day's tasks."""
        self.driver.run_until(now)
        if self.office.approve(now):
            self.driver.run_now()
        self.office.work(now, gone=self._find_gone())
        self.driver.run_now()

    def _find_gone(self) -> frozenset[str]:
        """Customers of whom the last look says that they have left."""
        customers = self.known.find_engine().snapshot.customers
        gone = np.isnan(customers.p_churn)
        return frozenset(customers.profile["customer_id"][gone])
