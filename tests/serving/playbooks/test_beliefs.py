"""Beliefs about offers move with finished cases, and not with those who recover by themselves."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from features.vocabulary import Arm, Factor, Tier, UpliftGroup
from serving.playbooks.beliefs import make_beliefs
from serving.playbooks.settings import default_playbooks
from serving.store.cases import CaseExit, CaseRow, CaseState, OfferRow, OfferState

OPENED = datetime(2026, 1, 1, tzinfo=UTC)
NOW = OPENED + timedelta(days=60)
OFFER = "discount_20"


def make_case(n: int, *, arm: Arm, p_churn: float, left: bool, days: float = 20) -> CaseRow:
    return CaseRow(
        case_id=f"{arm}{n}",
        customer_id=f"{arm}{n}",
        source="test",
        tier=Tier.HIGH,
        arm=arm,
        p_arm=0.5,
        factor=Factor.BILLING_CONCERNS,
        factors=(Factor.BILLING_CONCERNS,),
        p_churn=p_churn,
        mrr_cents=100_000,
        value_cents=360_000.0,
        uplift_group=UpliftGroup.PERSUADABLE,
        language="en",
        playbook="default/high/billing_concerns",
        model_version="1",
        opened_at=OPENED,
        state=CaseState.CLOSED,
        exit_reason=CaseExit.LEFT if left else CaseExit.RECOVERED,
        closed_at=OPENED + timedelta(days=days),
    )


def make_offer(case: CaseRow, *, state: OfferState = OfferState.MADE) -> OfferRow:
    return OfferRow(case.customer_id, OFFER, case.case_id, state, 120_000, "KZT", 0.5, 0.25, OPENED)


def simulate(
    *, saved: float, regression: float, n: int, seed: int = 0
) -> tuple[list[CaseRow], list[OfferRow]]:
    """Cases whose model overrates them all by `regression`; the offer saves `saved` of leavers."""
    rng = np.random.default_rng(seed)
    cases = []
    for row in range(n):
        arm = Arm.HOLDOUT if row % 2 else Arm.RANDOM
        p_churn = float(rng.uniform(0.3, 0.8))
        truth = p_churn * regression * ((1.0 - saved) if arm is Arm.RANDOM else 1.0)
        cases.append(make_case(row, arm=arm, p_churn=p_churn, left=bool(rng.random() < truth)))
    return cases, [make_offer(case) for case in cases if case.arm is Arm.RANDOM]


def believe(
    cases: list[CaseRow], offers: list[OfferRow], *, now: datetime = NOW
) -> tuple[float, float]:
    beliefs = make_beliefs(default_playbooks(), cases, offers, now=now)
    at = beliefs.names.index(OFFER)
    return float(beliefs.mean[at]), float(beliefs.sd[at])


def test_without_cases_the_prior_is_believed() -> None:
    beliefs = make_beliefs(default_playbooks(), [], [], now=NOW)

    for n, offer in enumerate(default_playbooks().offers.values()):
        assert beliefs.mean[n] == pytest.approx(offer.prior.mean)
        assert beliefs.sd[n] == pytest.approx(np.hypot(offer.prior.sd, 0.06))


@pytest.mark.parametrize("saved", [0.0, 0.4])
@pytest.mark.parametrize("regression", [1.0, 0.6])
def test_truth_is_found_where_customers_also_recover_alone(saved: float, regression: float) -> None:
    """Against p alone, an offer that does nothing would seem to save 40 % where p is too high."""
    mean, sd = believe(*simulate(saved=saved, regression=regression, n=6_000))

    assert mean == pytest.approx(saved, abs=3 * sd)
    assert sd < 0.06


def test_few_cases_move_a_belief_a_little() -> None:
    prior, prior_sd = believe([], [])
    mean, sd = believe(*simulate(saved=0.9, regression=1.0, n=20))

    assert prior < mean < 0.6
    assert 0.05 < sd < prior_sd


def test_what_one_offer_shows_is_partly_taken_for_all() -> None:
    cases, offers = simulate(saved=0.0, regression=1.0, n=6_000)
    before = make_beliefs(default_playbooks(), [], [], now=NOW)

    after = make_beliefs(default_playbooks(), cases, offers, now=NOW)

    others = [n for n, name in enumerate(after.names) if name != OFFER]
    assert (after.mean[others] < before.mean[others]).all()
    assert (after.sd[others] < before.sd[others]).all()


def test_cases_that_cannot_tell_yet_and_offers_never_made_do_not_count() -> None:
    cases, offers = simulate(saved=0.0, regression=1.0, n=400)
    unmade = [make_offer(c, state=OfferState.WITHDRAWN) for c in cases if c.arm is Arm.RANDOM]

    assert believe(cases, offers, now=OPENED + timedelta(days=29)) == believe([], [])
    assert believe(cases, unmade) == believe([], [])


def test_who_left_after_the_horizon_had_stayed() -> None:
    early = [make_case(n, arm=Arm.RANDOM, p_churn=0.5, left=True) for n in range(200)]
    late = [make_case(n, arm=Arm.RANDOM, p_churn=0.5, left=True, days=45) for n in range(200)]

    lost, _ = believe(early, [make_offer(case) for case in early])
    kept, _ = believe(late, [make_offer(case) for case in late])

    prior, _ = believe([], [])
    assert lost < prior < kept
