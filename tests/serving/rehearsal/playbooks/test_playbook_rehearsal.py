"""Policies act in a small world, on the real workflow, corridor, ledger and store."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from features.vocabulary import Arm
from serving.rehearsal.playbooks import knowledge as past
from serving.rehearsal.playbooks.knowledge import Knowledge, learn_from_history
from serving.rehearsal.playbooks.loop import PlaybookRun, Span, rehearse_playbooks
from serving.rehearsal.playbooks.policies import PlaybookPolicy
from serving.rehearsal.playbooks.run import NothingLearned, PlaybookPlan, give_places, run_playbooks
from serving.runtime import wire_parts
from serving.settings import Settings
from serving.snapshot.state import Models
from training import retention
from training.registry.entries import ModelName
from training.registry.servable import ChurnModel
from training.world.acting.simulated import SimulatedActingWorld

DAYS = 150
PLACES = 5
POLICIES = (
    PlaybookPolicy.NOBODY,
    PlaybookPolicy.OURS,
    PlaybookPolicy.RISKIEST,
    PlaybookPolicy.ORACLE,
)

Runs = Mapping[PlaybookPolicy, PlaybookRun]


@dataclass(frozen=True)
class _Record:
    """What training gives, of a model that was made before."""

    model: ChurnModel


@dataclass(frozen=True)
class _Recipe:
    record: _Record

    def learn(self, *_: object, **__: object) -> _Record:
        return self.record


@pytest.fixture(scope="module")
def world() -> SimulatedActingWorld:
    """500 customers after 150 days with a pilot; to be looked at, never advanced."""
    return SimulatedActingWorld(seed=3, n_customers=500, days=DAYS)


@pytest.fixture(scope="module")
def known(world: SimulatedActingWorld, models: Models) -> Knowledge:
    """What the pilot of that world taught, with a churn model that knows nothing of it."""
    churn = models.churn
    assert churn is not None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(past, "RECIPES", {ModelName.CHURN: _Recipe(_Record(churn))})
        patch.setattr(retention, "LEAST_CASES", 5)
        patch.setattr(retention, "LEAST_LOST", 1)
        found = learn_from_history(world, history_days=DAYS, seed=0)
    assert isinstance(found, Knowledge)
    return found


@pytest.fixture(scope="module")
def runs(
    world: SimulatedActingWorld, known: Knowledge, tmp_path_factory: pytest.TempPathFactory
) -> Runs:
    found = {}
    taught = replace(known, retention=believe(known.retention))
    for policy in POLICIES:
        home = tmp_path_factory.mktemp(policy.value)
        found[policy] = act(policy, copy.deepcopy(world), taught, home)
    return found


def believe(model: retention.RetentionModel) -> retention.RetentionModel:
    """Sure that contact keeps a third of whoever would leave, and drives next to nobody away."""
    mode = np.zeros_like(model.mode)
    mode[1], mode[2], mode[4 + len(model.levers)] = 1.0, -0.7, -8.0
    return replace(model, usual=0.0, mode=mode, covariance=1e-9 * np.eye(len(mode)))


def act(
    policy: PlaybookPolicy, world: SimulatedActingWorld, known: Knowledge, home: Path
) -> PlaybookRun:
    settings = Settings(home=home, clock="caller", served_share=0.0)
    parts = wire_parts(settings, clock=lambda: world.start)
    playbooks = give_places(parts.opener.playbooks, n=PLACES)
    parts = replace(parts, opener=replace(parts.opener, playbooks=playbooks))
    run = rehearse_playbooks(
        policy,
        world,
        parts=parts,
        knowledge=known,
        span=Span(open_weeks=1, horizon_days=4),
        home=home,
        case="calm",
        seed=3,
    )
    parts.store.close()
    return run


def test_pilot_is_read_as_it_was_decided(world: SimulatedActingWorld, known: Knowledge) -> None:
    book = world.interventions(world.start)
    assert 0 < known.n_pilot < len(book)
    n_segments = world.tables(world.start)["customers"]["segment"].dropna().nunique()
    assert len(known.segments) == n_segments
    assert len(known.retention.mode) == 4 + 5 + 1 + 3 + n_segments
    assert np.isfinite(known.retention.covariance).all()


def test_nobody_spends_nothing_and_speaks_with_nobody(runs: Runs) -> None:
    nobody = runs[PlaybookPolicy.NOBODY]
    assert (len(nobody.contacts), nobody.cost_cents, len(nobody.outcomes)) == (0, 0.0, 0)
    assert 0.5 < nobody.retained.mean() <= 1.0


@pytest.mark.parametrize("policy", POLICIES[1:])
def test_policies_work_on_cases_and_leave_the_holdout_alone(
    runs: Runs, policy: PlaybookPolicy
) -> None:
    run = runs[policy]
    outcomes = run.outcomes
    assert 0 < len(outcomes) <= PLACES
    held = set(outcomes.customer_id[outcomes.arm == Arm.HOLDOUT.value])
    spoken = {one.customer_id for one in run.contacts}
    assert spoken
    assert not spoken & held
    assert spoken <= set(outcomes.customer_id)
    assert run.task_cents > 0
    assert outcomes.cost_cents.sum() == pytest.approx(run.cost_cents)


def test_riskiest_are_picked_by_risk_alone(runs: Runs) -> None:
    riskiest, oracle = runs[PlaybookPolicy.RISKIEST], runs[PlaybookPolicy.ORACLE]
    assert riskiest.outcomes.p_churn.min() > oracle.outcomes.p_churn.min()
    assert len(riskiest.outcomes) == PLACES


def test_who_knows_the_truth_does_better_and_disturbs_nobody(runs: Runs) -> None:
    oracle = runs[PlaybookPolicy.ORACLE]
    assert oracle.net_cents > 0
    assert oracle.net_cents > runs[PlaybookPolicy.OURS].net_cents
    assert not oracle.disturbed


def test_world_without_enough_of_a_past_is_told_and_not_rehearsed() -> None:
    plan = PlaybookPlan([1], 60, 60, PLACES, Span(1, 5))
    (found,) = run_playbooks(plan)
    assert isinstance(found, NothingLearned)
    assert found.reason.startswith("churn model: ")


def test_span_ends_when_the_last_case_has_been_watched() -> None:
    assert Span(open_weeks=1, horizon_days=10).n_days == 11
    assert Span(open_weeks=3, horizon_days=35).n_days == 2 * 7 + 1 + 35
