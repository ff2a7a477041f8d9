"""Two short cases with every kind of step: for the tests that kill whoever acts on them."""

import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

import lightgbm
import numpy as np
import pandas as pd

from features.churn import CHURN_FEATURES
from features.churn.risk import default_rules
from features.contracts import MARKETING
from features.economics import default_economics
from features.engagement import ENGAGEMENT_FEATURES
from features.vocabulary import Arm, Channel, Factor, Tier
from serving.copy.library import default_library
from serving.copy.settings import CopySettings
from serving.corridor.actions import ActionState
from serving.corridor.desk import CorridorDesk
from serving.corridor.settings import load_corridor
from serving.decide import Engine
from serving.playbooks.opening import Opener, make_case_id
from serving.playbooks.plans import RISK
from serving.playbooks.seen import Seen, see_snapshot
from serving.playbooks.settings import Checks, PlannedItem, Playbooks, TierPlan
from serving.playbooks.words import finish_task
from serving.playbooks.workflow import make_case_workflow
from serving.policy.settings import load_policy_settings
from serving.snapshot.state import Customers, Models, Snapshot, signature_of
from serving.store.store import Store, StoreSession
from serving.store.tasks import TaskOutcome
from serving.workflows.catalogue import Catalogue
from serving.workflows.parts import ActingParts
from serving.workflows.words import approve_action
from tests.serving.playbooks.small import SaidJudge, all_in
from tests.serving.workflows.kills import Scene
from tests.serving.workflows.small import NOON
from training.bandit.files import new_bandit
from training.registry.servable import (
    BoosterModel,
    Calibration,
    ChurnModel,
    PopulationReference,
)

RISKS = {"critical": 0.9, "medium": 0.4}
_RECOVERED = "recovered"  # file that says that some have


def open_scene(folder: Path, clock: Callable[[], datetime]) -> Scene:
    # In the process of the scene alone: every case is about use, so that its steps are known.
    Seen.find_factors = lambda *_: (Factor.LOW_USAGE,)  # type: ignore[method-assign]
    store = Store(folder / "store.db")
    before = make_engine(store, clock, RISKS, as_of=NOON - timedelta(days=1))
    after = make_engine(store, clock, RISKS | {"medium": 0.05}, as_of=NOON + timedelta(minutes=30))
    news = folder / _RECOVERED
    desk = CorridorDesk(load_corridor(), home=folder)
    parts = ActingParts(store, lambda: desk, lambda: after if news.exists() else before, clock)
    opener = Opener(make_short_playbooks(), default_rules(), default_economics(), SaidJudge())

    def begin(session: StoreSession, now: datetime) -> None:
        seen = see_snapshot(before.snapshot, list(RISKS), rules=opener.rules)
        assert len(opener.open(session, seen, before.snapshot, source="test", now=now)) == len(
            RISKS
        )

    def say(session: StoreSession, now: datetime) -> None:
        """A yes to the offer, whose identity is known by then."""
        for held in session.holds.find_in(ActionState.WAITING):
            action_id = held.request.action_id
            approve_action(session, action_id, desk=desk, by="Dana", role="owner", now=now)

    def accept(session: StoreSession, now: datetime) -> None:
        for task in session.tasks.list():
            if task.kind == "offer":
                finish_task(
                    session, task.task_id, by="Aliya", outcome=TaskOutcome.ACCEPTED, now=now
                )

    def recover(session: StoreSession, now: datetime) -> None:
        news.touch()
        flow = f"case/{make_case_id('medium', opened_at=NOON)}"
        session.flows.signal(flow, topic=RISK, at=now, key="recovered")

    script = {60: recover, 200: say, 400: accept}
    return Scene(
        Catalogue([make_case_workflow(parts, opener=opener)]),
        parts,
        NOON,
        begin,
        {timedelta(minutes=minutes): act for minutes, act in script.items()},
        until=timedelta(days=9),
    )


def make_short_playbooks() -> Playbooks:
    """Each kind of step once, and within days."""
    steps = {
        Tier.CRITICAL: ("alert_csm", "collect_brief", "executive_call", "custom_offer"),
        Tier.HIGH: (),
        Tier.MEDIUM: ("nurture_message",),
    }
    tiers = {
        tier: TierPlan(
            steps=tuple(
                PlannedItem(item=name, after_hours=3 * (n // 3)) for n, name in enumerate(names)
            ),
            checks=Checks(every_days=1, times=2),
        )
        for tier, names in steps.items()
    }
    none: dict[Factor, tuple[PlannedItem, ...]] = dict.fromkeys(Factor, ())
    return all_in(Arm.LEARNED).model_copy(update={"tiers": tiers, "factors": none})


def make_engine(
    store: Store, clock: Callable[[], datetime], risks: dict[str, float], *, as_of: datetime
) -> Engine:
    """An engine of the rules policy that knows these customers."""
    return Engine(
        snapshot=_make_snapshot(tuple(sorted(risks.items())), as_of),
        settings=load_policy_settings(),
        economics=default_economics(),
        library=default_library(),
        copy_settings=CopySettings(currency="KZT"),
        store=store,
        clock=clock,
        new_id=lambda: uuid.uuid4().hex,
        takes_callers_time=True,
    )


@cache
def _make_snapshot(risks: tuple[tuple[str, float], ...], as_of: datetime) -> Snapshot:
    n = len(risks)
    profile = pd.DataFrame(
        {
            "customer_id": [customer_id for customer_id, _ in risks],
            "first_name": [None] * n,
            "language": ["ru"] * n,
            "timezone": ["Asia/Almaty"] * n,
            "segment": [None] * n,
            "nine_is_active": [True] * n,
            "region": [None] * n,
            **{f"consent_{channel}": [True] * n for channel in Channel},
            **{
                f"{MARKETING}{channel}": pd.array([pd.NA] * n, dtype="boolean")
                for channel in Channel
            },
            "known_us": np.zeros(n, dtype=np.int64),
        }
    )
    churn = np.full((n, len(CHURN_FEATURES.names)), np.nan)
    churn[:, CHURN_FEATURES.names.index("mrr_cents")] = 4_000_000.0
    customers = Customers(
        profile=profile,
        churn=churn,
        engagement=np.full((n, len(ENGAGEMENT_FEATURES.names)), np.nan),
        week_counts=np.zeros((n, 168)),
        p_churn=np.array([p for _, p in risks]),
    )
    return Snapshot("1", as_of, customers, (), Models(churn=_make_model()), new_bandit())


@cache
def _make_model() -> ChurnModel:
    """A model that is there, so that risk can be told; its scores are those of the snapshot."""
    signature = signature_of(CHURN_FEATURES)
    width = len(signature.names)
    rng = np.random.default_rng(0)
    data = lightgbm.Dataset(rng.normal(size=(40, width)), np.arange(40) % 2)
    params = {"objective": "binary", "num_leaves": 2, "verbosity": -1, "num_threads": 1}
    text = lightgbm.train(params, data, num_boost_round=1).model_to_string()
    booster = BoosterModel("churn", "1", signature, text, Calibration(1.0, 0.0))
    reference = PopulationReference((0.0,) * width, (1.0,) * width, 100.0)
    return ChurnModel("1", signature, {30: booster}, reference)
