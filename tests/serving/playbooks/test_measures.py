"""Measures of playbooks: what was achieved is told apart from what would have happened anyway."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.vocabulary import Arm
from serving.playbooks.measures import (
    ACTED,
    LEAST_CASES,
    CaseOutcomes,
    Comparison,
    Measure,
    NotEnoughCases,
    compare,
    list_words,
    measure_playbooks,
)

HORIZON = 60


def make_outcomes(
    arm: np.ndarray,
    retained: np.ndarray,
    *,
    mrr: float = 1_000.0,
    cost: float = 500.0,
    tier: np.ndarray | None = None,
    customer: np.ndarray | None = None,
) -> CaseOutcomes:
    n = len(arm)
    names = np.array([f"c{row}" for row in range(n)], dtype=object)
    acted = arm != "holdout"
    return CaseOutcomes(
        customer_id=names if customer is None else customer,
        arm=arm.astype(object),
        cohorts={"tier": np.full(n, "high", dtype=object) if tier is None else tier},
        retained=retained,
        days_kept=np.where(retained, float(HORIZON), HORIZON / 2),
        recovered=retained,
        days_to_recovery=np.where(retained, np.where(acted, 10.0, 20.0), np.nan),
        mrr_cents=np.full(n, mrr),
        cost_cents=np.where(acted, cost, 0.0),
        p_churn=np.full(n, 0.5),
        horizon_days=HORIZON,
    )


def draw_company(seed: int, *, effect: float, n: int = 6_000) -> CaseOutcomes:
    """Picked for a high score, which is in part luck; `effect` of those who leave are kept."""
    rng = np.random.default_rng(seed)
    risk = rng.beta(1.0, 9.0, 20 * n)
    score = np.clip(risk + rng.normal(0.0, 0.15, len(risk)), 0.0, 1.0)
    picked = np.argsort(-score)[:n]
    arm = rng.choice(["learned", "rules", "random", "holdout"], n, p=[0.4, 0.1, 0.1, 0.4])
    leaves = rng.random(n) < risk[picked]
    kept = (rng.random(n) < effect) & (arm != "holdout")
    return make_outcomes(arm, ~leaves | kept)


def find(outcomes: CaseOutcomes, seed: int = 0) -> Comparison:
    found = compare(outcomes, ACTED, Arm.HOLDOUT, rng=np.random.default_rng(seed))
    assert isinstance(found, Comparison)
    return found


def test_retained_over_intervened_praises_a_playbook_that_does_nothing() -> None:
    found = find(draw_company(1, effect=0.0))
    naive, saved = found.find(Measure.SAVE_RATE), found.find(Measure.SAVED)
    assert naive.low > 0.6  # people would be proud of it
    assert found.find(Measure.NAIVE_ROI).low > 5
    assert saved.low < 0.0 < saved.high
    assert found.find(Measure.ROI).low < 0.0
    assert found.find(Measure.NET).value < 0.0
    assert naive.theirs is not None
    assert abs(naive.theirs - naive.value) < 0.03


def test_effect_is_found_where_there_is_one() -> None:
    outcomes = draw_company(5, effect=0.4)
    found = find(outcomes)
    held = ~outcomes.retained[outcomes.arm == "holdout"]
    truth = 0.4 * held.mean()
    saved = found.find(Measure.SAVED)
    assert saved.low > 0.0
    assert saved.low < truth < saved.high
    fall = found.find(Measure.CHURN_REDUCTION)
    assert fall.low < 0.4 < fall.high
    protected = found.find(Measure.REVENUE_PROTECTED)
    assert protected.low < 12 * 1_000.0 * truth < protected.high


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    hits = 0
    for seed in range(30):
        outcomes = draw_company(100 + seed, effect=0.3, n=400)
        held = 0.3 * _expected_loss()
        saved = find(outcomes, seed).find(Measure.SAVED)
        hits += saved.low <= held <= saved.high
    assert hits >= 24  # P(fewer | .95) < .001


def _expected_loss() -> float:
    rng = np.random.default_rng(0)
    risk = rng.beta(1.0, 9.0, 400_000)
    score = np.clip(risk + rng.normal(0.0, 0.15, len(risk)), 0.0, 1.0)
    return float(risk[np.argsort(-score)[: len(risk) // 20]].mean())


def test_figures_follow_their_definitions() -> None:
    arm = np.array(["learned"] * 40 + ["holdout"] * 40)
    retained = np.array([True] * 32 + [False] * 8 + [True] * 20 + [False] * 20)
    found = find(make_outcomes(arm, retained, mrr=1_000.0, cost=600.0))
    value = {one.measure: one.value for one in found.figures}
    assert value[Measure.SAVE_RATE] == pytest.approx(0.8)
    assert value[Measure.SAVED] == pytest.approx(0.3)
    assert value[Measure.CHURN_REDUCTION] == pytest.approx(0.3 / 0.5)
    assert value[Measure.REVENUE_PROTECTED] == pytest.approx(12_000 * 0.3)
    assert value[Measure.COST] == pytest.approx(600.0)
    assert value[Measure.NET] == pytest.approx(3_000.0)
    assert value[Measure.ROI] == pytest.approx(5.0)
    assert value[Measure.NAIVE_ROI] == pytest.approx((0.8 * 12_000 - 600) / 600)
    assert value[Measure.LIFETIME_GAINED] == pytest.approx((0.8 - 0.5) * 30)
    assert value[Measure.DAYS_TO_RECOVERY] == pytest.approx(-10.0)
    assert found.find(Measure.DAYS_TO_RECOVERY).theirs == pytest.approx(20.0)


def test_too_few_cases_are_refused_and_said() -> None:
    arm = np.array(["learned"] * 100 + ["holdout"] * (LEAST_CASES - 1))
    outcomes = make_outcomes(arm, np.ones(len(arm), dtype=bool))
    found = measure_playbooks(outcomes, rng=np.random.default_rng(0))
    assert all(isinstance(one, NotEnoughCases) for one in found)
    first = found[0]
    assert isinstance(first, NotEnoughCases)
    assert "100 cases of learned + random + rules and 29 of holdout" in first.reason
    assert "cannot be told yet" in list_words(found)[0]


def test_no_cases_at_all_are_refused_too() -> None:
    empty = make_outcomes(np.array([], dtype=str), np.array([], dtype=bool))
    found = measure_playbooks(empty, rng=np.random.default_rng(0))
    assert len(found) == 6
    assert all(isinstance(one, NotEnoughCases) for one in found)


def test_cohorts_are_told_each_beside_its_own_holdout() -> None:
    rng = np.random.default_rng(3)
    n = 2_000
    tier = np.where(np.arange(n) < n // 2, "critical", "high").astype(object)
    arm = rng.choice(["learned", "holdout"], n)
    p_stays = np.where(tier == "critical", 0.3, 0.8) + 0.2 * (
        (arm == "learned") & (tier == "critical")
    )
    outcomes = make_outcomes(arm, rng.random(n) < p_stays, tier=tier)
    found = {one.cohort: one for one in measure_playbooks(outcomes, rng=rng) if one.by == "tier"}
    critical, high = found["critical"], found["high"]
    assert isinstance(critical, Comparison)
    assert isinstance(high, Comparison)
    assert critical.find(Measure.SAVED).low > 0.05
    assert high.find(Measure.SAVED).low < 0.0 < high.find(Measure.SAVED).high


def test_cases_of_one_customer_count_as_one_draw() -> None:
    rng = np.random.default_rng(4)
    arm = np.repeat(rng.choice(["learned", "holdout"], 200), 10)
    retained = np.repeat(rng.random(200) < 0.5, 10)
    names = np.repeat(np.array([f"c{row}" for row in range(200)], dtype=object), 10)

    def width(customer: np.ndarray | None) -> float:
        one = find(make_outcomes(arm, retained, customer=customer)).find(Measure.SAVED)
        return one.high - one.low

    assert width(names) > 2.5 * width(None)


def test_unknown_revenue_counts_as_none(recwarn: pytest.WarningsRecorder) -> None:
    arm = np.array(["learned"] * 40 + ["holdout"] * 40)
    found = find(make_outcomes(arm, np.ones(80, dtype=bool), mrr=float("nan"), cost=0.0))
    assert found.find(Measure.REVENUE_PROTECTED).value == 0.0
    assert np.isnan(found.find(Measure.ROI).value)
    assert not recwarn.list


@settings(max_examples=15)
@given(
    st.integers(0, 10_000),
    st.integers(0, 5_000),
    st.sampled_from([lambda n: np.arange(n) % 2 == 0, lambda n: np.ones(n, dtype=bool)]),
)
def test_net_is_protected_less_cost_and_intervals_are_in_order(
    seed: int, cost: int, stays: Callable[[int], np.ndarray]
) -> None:
    rng = np.random.default_rng(seed)
    arm = rng.choice(["learned", "random", "holdout"], 150, p=[0.4, 0.2, 0.4])
    found = find(make_outcomes(arm, stays(150), cost=cost), seed)
    value = {one.measure: one.value for one in found.figures}
    assert value[Measure.NET] == pytest.approx(
        value[Measure.REVENUE_PROTECTED] - value[Measure.COST]
    )
    for one in found.figures:
        assert not one.low > one.high
