"""A small company with customers at risk, on a clock of its own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from features.churn import CHURN_FEATURES
from features.churn.risk import default_rules
from features.economics import default_economics
from features.vocabulary import Arm, UpliftGroup
from serving.corridor.desk import CorridorDesk
from serving.corridor.settings import BrokenCorridor, Corridor, load_corridor
from serving.decide import Engine
from serving.playbooks.judges import Judged
from serving.playbooks.opening import Opener
from serving.playbooks.seen import Seen, see_snapshot
from serving.playbooks.settings import Playbooks, default_playbooks
from serving.playbooks.workflow import make_case_workflow
from serving.snapshot.state import Customers, Snapshot
from serving.store.cases import CaseRow
from serving.store.store import Store
from serving.workflows.catalogue import Catalogue
from serving.workflows.parts import ActingParts
from serving.workflows.virtual import VirtualClock, VirtualDriver

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
MRR_CENTS = 4_000_000


@dataclass
class SaidJudge:
    """Says what it is told to say; persuadable where it is told nothing."""

    groups: dict[str, UpliftGroup | None] = field(default_factory=dict)
    default: UpliftGroup | None = UpliftGroup.PERSUADABLE

    def judge(self, customers: Sequence[Seen], snapshot: Snapshot) -> list[Judged]:  # noqa: ARG002
        """One answer for each."""
        said = [self.groups.get(seen.customer_id, self.default) for seen in customers]
        return [Judged(group, by="test 1") for group in said]


def with_risk(
    snapshot: Snapshot, risk: Mapping[str, float], *, as_of: datetime | None = None
) -> Snapshot:
    """The snapshot in which these customers have these probabilities, the rest next to none.

    Everybody pays the same, and a NaN is somebody who is gone.
    """
    customers = snapshot.customers
    p_churn = np.array(
        [risk.get(one, 0.01) for one in customers.profile["customer_id"]], dtype=float
    )
    churn = customers.churn.copy()
    churn[:, CHURN_FEATURES.names.index("mrr_cents")] = float(MRR_CENTS)
    return replace(
        snapshot,
        as_of=as_of or snapshot.as_of,
        customers=replace(customers, p_churn=p_churn, churn=churn),
    )


def all_in(arm: Arm, playbooks: Playbooks | None = None) -> Playbooks:
    """Playbooks in which nearly everybody is in that arm."""
    playbooks = playbooks or default_playbooks()
    shares = dict.fromkeys(Arm, 1e-12) | {arm: 1.0 - 3e-12}
    return playbooks.model_copy(update={"arms": shares})


class Bed:
    """A store, an engine, a corridor, and everything that cases need, on a virtual clock."""

    def __init__(
        self,
        store: Store,
        engine: Engine,
        home: Path,
        *,
        playbooks: Playbooks | None = None,
        judge: SaidJudge | None = None,
        corridor: Corridor | BrokenCorridor | None = None,
        keeps: bool = True,
    ) -> None:
        """Everything at the moment of the engine's snapshot."""
        self.store = store
        self.engine = replace(
            engine,
            takes_callers_time=True,
            copy_settings=engine.copy_settings.model_copy(update={"currency": "KZT"}),
        )
        self.home = home
        self.judge = judge or SaidJudge()
        self.corridor = corridor or load_corridor()
        self.opener = Opener(
            playbooks or all_in(Arm.LEARNED), default_rules(), default_economics(), self.judge
        )
        self.clock = VirtualClock(engine.snapshot.as_of)
        self.parts = ActingParts(store, self.desk, lambda: self.engine, self.clock)
        self.driver = VirtualDriver(
            Catalogue([make_case_workflow(self.parts, opener=self.opener)]),
            self.parts,
            clock=self.clock,
            keeps=keeps,
        )

    def desk(self) -> CorridorDesk:
        """The corridor as it is now."""
        return CorridorDesk(self.corridor, home=self.home)

    def learn(self, risk: Mapping[str, float]) -> None:
        """A snapshot of now is published."""
        snapshot = with_risk(self.engine.snapshot, risk, as_of=self.clock.now)
        self.engine = replace(self.engine, snapshot=snapshot)

    def unlearn(self, risk: Mapping[str, float]) -> None:
        """The engine has an old snapshot again."""
        snapshot = with_risk(self.engine.snapshot, risk)
        self.engine = replace(self.engine, snapshot=snapshot)

    def forget(self, customer_id: str) -> None:
        """Nobody of that identity is in the snapshot any more."""
        customers = self.engine.snapshot.customers
        kept = (customers.profile["customer_id"] != customer_id).to_numpy()
        fewer = Customers(
            profile=customers.profile[kept].reset_index(drop=True),
            churn=customers.churn[kept],
            engagement=customers.engagement[kept],
            week_counts=customers.week_counts[kept],
            p_churn=customers.p_churn[kept],
        )
        snapshot = replace(self.engine.snapshot, customers=fewer)
        self.engine = replace(self.engine, snapshot=snapshot)

    def unsubscribe(self) -> None:
        """Nobody pays a subscription; there are orders."""
        customers = self.engine.snapshot.customers
        churn = customers.churn.copy()
        churn[:, CHURN_FEATURES.names.index("mrr_cents")] = np.nan
        snapshot = replace(self.engine.snapshot, customers=replace(customers, churn=churn))
        self.engine = replace(self.engine, snapshot=snapshot)

    def open(self, *customer_ids: str) -> list[CaseRow]:
        """Cases of these customers, as of the engine's snapshot."""
        snapshot = self.engine.snapshot
        seen = see_snapshot(snapshot, customer_ids, rules=self.opener.rules)
        with self.store.transaction() as session:
            return self.opener.open(session, seen, snapshot, source="test", now=self.clock.now)

    def case(self, case_id: str) -> CaseRow:
        """The case as it stands."""
        with self.store.reading() as session:
            case = session.cases.find(case_id)
        assert case is not None
        return case

    def story(self, case_id: str) -> list[str]:
        """The log of a case, in words."""
        with self.store.reading() as session:
            return [entry.words for entry in session.audit.read(subject=f"case/{case_id}")]
