"""Real input: a year of a grocer's households, their churn, and what to tell them today."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime

import pandas as pd

from features.sources import read_complete_journey
from features.tables import Tables, last_moment
from features.triggers import find_triggers
from serving.publish import learn_bandit, load_champions
from serving.records import Decision
from serving.requests import churn_risk_requests, requests_of
from serving.risk.answer import RiskDesk
from serving.risk.records import ChurnAnswer, ChurnQuestion
from serving.runtime import wire_parts
from serving.settings import Settings
from serving.snapshot.making import make_snapshot
from serving.snapshot.state import Snapshot
from training.datasets.provenance import NotEnoughData
from training.gate import Hold, Promote
from training.promote import promote
from training.registry.tracking import Tracking
from training.train import Trainings, train_all

Stage = Callable[[str], AbstractContextManager[None]]

_N_RISKIEST = 5


@dataclass(frozen=True)
class RealResult:
    """What came of the real data.

    Attributes:
        as_of: The last moment of the data.
        sizes: Rows by table.
        assumptions: What the data does not say.
        training: What became of each model.
        gate: What the gate said of each model that could be trained.
        decisions: Decisions about the households as of the last day.
        riskiest: The households with the highest churn risk.
    """

    as_of: datetime
    sizes: dict[str, int]
    assumptions: tuple[str, ...]
    training: Trainings
    gate: Sequence[Promote | Hold]
    decisions: Sequence[Decision]
    riskiest: Sequence[ChurnAnswer]


def run_real(
    settings: Settings, *, stage: Stage, seed: int, n_households: int | None = None
) -> RealResult:
    """Read, train, judge and decide; state goes to the settings' home.

    Args:
        settings: Where to.
        stage: Tells what is going on.
        seed: Of training.
        n_households: As many of the data's, in order of their names; None takes all.
    """
    with stage("real data: reading a year of a grocer's households"):
        adapted = read_complete_journey()
        tables = _take_households(adapted.tables, n_households)
        as_of = last_moment(tables)
    tracking = Tracking.in_folder(settings.registry)
    with stage("real data: training and judging models forward in time"):
        training = train_all(tables, known_until=as_of, tracking=tracking, seed=seed)
        gate = promote_all(training, tables, known_until=as_of, tracking=tracking, seed=seed)
    with stage("real data: deciding for every household as of the last day"):
        decisions, riskiest = _decide(settings, tables, as_of=as_of, tracking=tracking)
    return RealResult(
        as_of=as_of,
        sizes={name: len(frame) for name, frame in tables.items()},
        assumptions=adapted.assumptions,
        training=training,
        gate=gate,
        decisions=decisions,
        riskiest=riskiest,
    )


def _take_households(tables: Tables, n_households: int | None) -> Tables:
    if n_households is None:
        return tables
    kept = set(tables["customers"]["customer_id"].sort_values().head(n_households))
    messages = tables["messages"]
    sent = set(messages.loc[messages["customer_id"].isin(kept), "message_id"])
    return {
        name: frame[
            frame["customer_id"].isin(kept)
            if "customer_id" in frame
            else frame["message_id"].isin(sent)
        ].reset_index(drop=True)
        for name, frame in tables.items()
    }


def promote_all(
    training: Trainings,
    tables: Tables,
    *,
    known_until: datetime,
    tracking: Tracking,
    seed: int,
) -> list[Promote | Hold]:
    """Send every model that could be trained through the gate."""
    return [
        promote(name, tables, known_until=known_until, tracking=tracking, seed=seed)
        for name, found in training.items()
        if not isinstance(found, NotEnoughData)
    ]


def _decide(
    settings: Settings, tables: Tables, *, as_of: datetime, tracking: Tracking
) -> tuple[list[Decision], list[ChurnAnswer]]:
    parts = wire_parts(settings, clock=lambda: as_of)
    snapshot = make_snapshot(
        tables,
        as_of=as_of,
        models=load_champions(tracking),
        bandit=learn_bandit(tables, parts.store, as_of=as_of, policy=parts.policy),
    )
    found = requests_of(
        find_triggers(tables, as_of=as_of), as_of=as_of, prices=tables.get("prices")
    )
    at_risk = churn_risk_requests(snapshot, rules=parts.risk)
    decisions = parts.engine(snapshot).decide_many([*found, *at_risk])
    parts.store.close()
    desk = RiskDesk(parts.risk, parts.copy_settings)
    riskiest = [
        desk.explain(ChurnQuestion(customer_id=id_), snapshot) for id_ in _find_riskiest(snapshot)
    ]
    return decisions, riskiest


def _find_riskiest(snapshot: Snapshot) -> list[str]:
    """Customers with the highest churn probability; empty without a model."""
    p_churn = pd.Series(snapshot.customers.p_churn, snapshot.customers.profile["customer_id"])
    riskiest = p_churn.dropna().sort_values(ascending=False, kind="stable")
    return [str(customer_id) for customer_id in riskiest.index[:_N_RISKIEST]]
