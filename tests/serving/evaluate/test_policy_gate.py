from collections.abc import Callable
from datetime import timedelta

import numpy as np
import pytest

from features.economics import default_economics
from features.vocabulary import Arm
from serving.cli.judgements import word_difference
from serving.evaluate.contrast import contrast, gather_evidence
from serving.evaluate.prepare import ReadyLog, prepare_log
from serving.evaluate.targets import TargetName, name_target
from serving.policy.settings import PolicySettings
from serving.records import Decision
from tests.serving.evaluate.conftest import START, Company, changed
from training.evaluation.bootstrap import Estimate
from training.policy_gate import HoldPolicy, PolicyEvidence, PromotePolicy, decide_policy

Maker = Callable[..., Company]


@pytest.fixture(scope="module")
def company(make_company: Maker, careless: PolicySettings) -> Company:
    return make_company(4_000, policy=careless)


@pytest.fixture(scope="module")
def ready(company: Company) -> ReadyLog:
    return prepare_log(
        company.decisions,
        company.outcomes,
        economics=default_economics(),
        known_until=START + timedelta(days=60),
        window_days=3,
        seed=0,
    )


def test_gate_promotes_what_earns_more(
    ready: ReadyLog, settings: PolicySettings, careless: PolicySettings
) -> None:
    better = changed(careless, floor=0.02, wide_share=0.0)
    evidence = gather_evidence(ready, candidate=better, running=careless)
    answer = decide_policy(better.version, before=careless.version, evidence=evidence)
    assert isinstance(answer, PromotePolicy)
    assert evidence.difference is not None
    assert evidence.difference.low > 0


def test_gate_holds_what_earns_less(ready: ReadyLog, careless: PolicySettings) -> None:
    worse = changed(careless, floor=0.95, wide_share=0.0)
    evidence = gather_evidence(ready, candidate=worse, running=careless)
    answer = decide_policy(worse.version, before=careless.version, evidence=evidence)
    assert isinstance(answer, HoldPolicy)
    assert "not shown to earn more" in answer.reasons[0]


def test_difference_is_narrower_than_its_parts_and_true(
    company: Company, ready: ReadyLog, careless: PolicySettings
) -> None:
    random = name_target(TargetName.RANDOM, ready.log)
    logged = name_target(TargetName.GREEDY, ready.log)
    evidence = contrast(ready, candidate=logged, running=random)
    best = np.eye(7)[company.values.argmax(axis=1)]
    truth = company.true_cents(best) - company.true_cents(np.full(best.shape, 1 / 7))
    assert evidence.difference is not None
    assert evidence.candidate is not None
    reach = (evidence.difference.high - evidence.difference.low) * 3.5 / 3.92
    assert abs(evidence.difference.value - truth) < reach
    same = contrast(ready, candidate=random, running=random)
    assert same.difference is not None
    assert same.difference.value == pytest.approx(0.0)
    assert same.difference.high == pytest.approx(0.0)
    assert (evidence.n_apart, same.n_apart) == (evidence.n_decisions, 0)
    held = decide_policy("a", before="b", evidence=same)
    assert isinstance(held, HoldPolicy)
    assert "both choose alike" in held.reasons[0]
    assert word_difference(same).startswith("cannot be told, because both choose alike")


def test_gate_names_settings_that_a_log_cannot_judge(
    ready: ReadyLog, careless: PolicySettings
) -> None:
    other = PolicySettings.model_validate(
        changed(careless, floor=0.1, incremental_share=0.9).model_dump() | {"experiment": "another"}
    )
    evidence = gather_evidence(ready, candidate=other, running=careless)
    assert "experiment, learned.incremental_share" in evidence.faults[0]
    answer = decide_policy(other.version, before=careless.version, evidence=evidence)
    assert isinstance(answer, HoldPolicy)


def test_gate_holds_on_a_log_that_is_not_the_running_policys(
    make_company: Maker, settings: PolicySettings
) -> None:
    company = make_company(400)
    cold = changed(settings, floor=0.5)
    forged = [one.model_copy(update={"policy_version": cold.version}) for one in company.decisions]
    ready = prepare_log(
        forged,
        company.outcomes,
        economics=default_economics(),
        known_until=START + timedelta(days=60),
        window_days=3,
        seed=0,
    )
    evidence = gather_evidence(ready, candidate=settings, running=cold)
    assert "other probabilities than its settings give" in evidence.faults[-1]


@pytest.mark.parametrize("arm", [None, Arm.RANDOM])
def test_gate_holds_on_a_log_of_which_the_running_policy_made_nothing(
    company: Company, settings: PolicySettings, careless: PolicySettings, arm: Arm | None
) -> None:
    """The log is another's, and says nothing of what the running one does."""
    decisions = [one for one in company.decisions if arm in (None, one.arm)]
    ready = read(decisions, company)
    better = changed(settings, floor=0.02)
    evidence = gather_evidence(ready, candidate=better, running=settings)
    fault = f"no decision of the log is by {settings.version}"
    assert [why.startswith(fault) for why in evidence.faults] == [True]
    assert careless.version in evidence.faults[0]
    assert ("for want of a learned decision" in evidence.faults[0]) == (arm is Arm.RANDOM)
    answer = decide_policy(better.version, before=settings.version, evidence=evidence)
    assert isinstance(answer, HoldPolicy)


def test_gate_takes_a_log_of_another_version_that_chose_alike(
    company: Company, careless: PolicySettings
) -> None:
    """Only the name differs: the running settings give every learned decision's probabilities."""
    running = changed(careless, name="renamed")
    assert running.version != careless.version
    evidence = gather_evidence(
        read(company.decisions, company), candidate=changed(careless, floor=0.02), running=running
    )
    assert evidence.faults == ()
    assert evidence.difference is not None


def read(decisions: list[Decision], company: Company) -> ReadyLog:
    return prepare_log(
        decisions,
        company.outcomes,
        economics=default_economics(),
        known_until=START + timedelta(days=60),
        window_days=3,
        seed=0,
    )


def test_gate_refuses_where_the_log_is_thin(make_company: Maker, settings: PolicySettings) -> None:
    company = make_company(60)
    ready = prepare_log(
        company.decisions,
        company.outcomes,
        economics=default_economics(),
        known_until=START + timedelta(days=60),
        window_days=3,
        seed=0,
    )
    better = changed(settings, floor=0.02)
    evidence = gather_evidence(ready, candidate=better, running=settings)
    answer = decide_policy(better.version, before=settings.version, evidence=evidence)
    assert isinstance(answer, HoldPolicy)
    assert answer.reasons[0] == "the log says too little about it"
    assert any("at least 50 are needed" in reason for reason in answer.reasons)


def test_gate_holds_the_running_policy_and_a_bound_at_zero() -> None:
    nothing = Estimate(0.0, 0.0, 0.0)
    evidence = PolicyEvidence(100, nothing, nothing, nothing)
    same = decide_policy("a", before="a", evidence=evidence)
    other = decide_policy("a", before="b", evidence=evidence)
    assert isinstance(same, HoldPolicy)
    assert same.reasons == ("it is the running policy",)
    assert isinstance(other, HoldPolicy)
    unknown = Estimate(1.0, float("nan"), float("nan"))
    unproven = decide_policy("a", before="b", evidence=PolicyEvidence(100, None, None, unknown))
    assert isinstance(unproven, HoldPolicy)
