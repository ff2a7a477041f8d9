"""Logs as they come: what cannot be judged is refused or left out, and said."""

import dataclasses
from collections.abc import Callable, Sequence
from datetime import timedelta

import numpy as np
import pytest

from features.economics import default_economics
from features.errors import BadInputError
from features.vocabulary import Arm
from serving.evaluate.collect import collect_decisions
from serving.evaluate.contrast import gather_evidence
from serving.evaluate.judge import judge
from serving.evaluate.prepare import ReadyLog, prepare_log
from serving.evaluate.targets import TargetName, name_target
from serving.policy.settings import PolicySettings
from serving.records import Decision, OutcomeEvent
from tests.serving.evaluate.conftest import START, Company, changed
from training.policy_gate import HoldPolicy, decide_policy

Maker = Callable[..., Company]


@pytest.fixture(scope="module")
def company(make_company: Maker) -> Company:
    return make_company(800)


def make_ready(decisions: Sequence[Decision], outcomes: Sequence[OutcomeEvent]) -> ReadyLog:
    return prepare_log(
        decisions,
        outcomes,
        economics=default_economics(),
        known_until=START + timedelta(days=60),
        window_days=3,
        seed=0,
    )


def with_p(record: Decision, first: float) -> Decision:
    """The record with another probability of its first action."""
    allowed = (dataclasses.replace(record.allowed[0], probability=first), *record.allowed[1:])
    return record.model_copy(update={"allowed": allowed})


@pytest.mark.parametrize("p", [float("nan"), float("inf"), -0.1])
def test_collect_refuses_probabilities_that_are_none(company: Company, p: float) -> None:
    with pytest.raises(BadInputError, match=r"d000000: a probability .* is not between 0 and 1"):
        collect_decisions([with_p(company.decisions[0], p)])


def test_collect_refuses_a_propensity_that_is_not_of_action_and_words(company: Company) -> None:
    forged = company.decisions[0].model_copy(update={"propensity": 0.987})
    with pytest.raises(BadInputError, match=r"d000000: its propensity is 0\.987, action and words"):
        collect_decisions([forged])


def test_collect_refuses_two_records_of_one_identity(company: Company) -> None:
    first, second = company.decisions[:2]
    twin = second.model_copy(update={"decision_id": first.decision_id})
    with pytest.raises(BadInputError, match="d000000: there is another record of this identity"):
        collect_decisions([first, twin])


def test_collect_names_the_first_faults_and_counts_them_all(company: Company) -> None:
    broken = [with_p(record, 2.0) for record in company.decisions[:9]]
    with pytest.raises(BadInputError, match=r"9 records cannot be judged: .*; and 4 more$") as told:
        collect_decisions([*broken, *company.decisions[9:]])
    assert str(told.value).count("is not between 0 and 1") == 5


def test_columns_refuse_probabilities_that_do_not_sum_to_one(company: Company) -> None:
    first = company.decisions[0]
    broken = tuple(
        dataclasses.replace(action, probability=action.probability / 2) for action in first.allowed
    )
    with pytest.raises(BadInputError, match=r"d000000: the probabilities .* add up to 0\.(5|49)"):
        collect_decisions([first.model_copy(update={"allowed": broken})])


def test_columns_refuse_words_that_could_not_be_chosen(company: Company) -> None:
    sent = next(one for one in company.decisions if one.send)
    broken = sent.model_copy(update={"variant": "unheard"})
    with pytest.raises(BadInputError, match="its words, unheard, are not among the variants"):
        collect_decisions([broken])


def test_customers_of_several_arms_belong_to_none(company: Company) -> None:
    """Under two experiments, or when shares were changed under one name."""
    first = company.decisions[0]
    other = next(arm for arm in (Arm.RANDOM, Arm.LEARNED) if arm is not first.arm)
    again = next(
        one.model_copy(update={"customer_id": first.customer_id, "decision_id": "again"})
        for one in company.decisions
        if one.arm is other
    )
    log = collect_decisions([again, *company.decisions[:100]])
    assert first.customer_id not in log.customers
    assert log.left_out.n_moved == 3  # each customer has two
    assert log.n == 98


def test_several_versions_are_judged_together_by_their_own_probabilities(
    make_company: Maker, careless: PolicySettings
) -> None:
    """Every record has the probabilities of the policy that made it."""
    one, other = make_company(2_000, seed=1), make_company(2_000, seed=2, policy=careless)
    renamed = [
        record.model_copy(
            update={
                "decision_id": "x" + record.decision_id,
                "customer_id": "x" + record.customer_id,
                "messages": tuple(
                    message.model_copy(update={"message_id": "x" + message.message_id})
                    for message in record.messages
                ),
            }
        )
        for record in other.decisions
    ]
    told = [
        event.model_copy(update={"message_id": "x" + event.message_id}) for event in other.outcomes
    ]
    ready = make_ready([*one.decisions, *renamed], [*one.outcomes, *told])
    assert len(set(ready.log.versions)) == 2
    target = name_target(TargetName.RANDOM, ready.log)
    net = ready.rewards.margin + ready.rewards.send
    found = judge(
        ready.log, net, expected=ready.expected, target=target, rng=np.random.default_rng(0)
    )
    assert found.headline is not None
    uniform = np.full((2_000, 7), 1 / 7)
    truth = (one.true_cents(uniform) + other.true_cents(uniform)) / 2
    reach = (found.headline.found.high - found.headline.found.low) / 2 * 3.5 / 1.96
    assert abs(found.headline.found.value - truth) < reach


def test_outcomes_before_their_decision_are_counted_and_left_out(company: Company) -> None:
    at = {m.message_id: one.decided_at for one in company.decisions for m in one.messages}
    early = [
        event.model_copy(update={"at": at[event.message_id] - timedelta(minutes=1)})
        for event in company.outcomes
    ]
    rewards = make_ready(company.decisions, early).rewards
    strange = company.outcomes[0].model_copy(update={"message_id": "of nobody"})
    others = make_ready(company.decisions, [*early, strange, strange]).rewards.told
    assert (others.n_early, others.n_of_others) == (len(early), 2)
    assert rewards.told.n_of_others == 0
    assert rewards.told.n_early == len(early) > 0
    assert rewards.told.n_counted == 0
    assert not rewards.margin.any()


def test_gate_holds_where_nothing_came_back(company: Company, settings: PolicySettings) -> None:
    """A log without a single outcome would rank policies by what they spend."""
    ready = make_ready(company.decisions, [])
    assert ready.rewards.is_silent
    better = changed(settings, floor=0.9)
    evidence = gather_evidence(ready, candidate=better, running=settings)
    answer = decide_policy(better.version, before=settings.version, evidence=evidence)
    assert isinstance(answer, HoldPolicy)
    assert "nothing is known of what came of its decisions" in answer.reasons[0]


def test_one_decision_is_refused(company: Company) -> None:
    with pytest.raises(BadInputError, match=r"1 decisions have a choice .* at least 20 are needed"):
        make_ready(company.decisions[:1], company.outcomes)


def test_one_customer_says_too_little_whatever_is_asked(
    company: Company, settings: PolicySettings
) -> None:
    mine = [one for one in company.decisions if one.arm is Arm.LEARNED][:200]
    alone = [one.model_copy(update={"customer_id": "c"}) for one in mine]
    ready = make_ready(alone, company.outcomes)
    for name in TargetName:
        found = judge(
            ready.log,
            ready.rewards.net,
            expected=ready.expected,
            target=name_target(name, ready.log),
            rng=np.random.default_rng(0),
        )
        assert found.headline is None
        assert found.values == ()
        assert any("at least 50 are needed" in why for arm in found.arms for why in arm.refusals)
    evidence = gather_evidence(ready, candidate=changed(settings, floor=0.3), running=settings)
    assert evidence.difference is None
