from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from features.vocabulary import Arm, Channel, Trigger
from serving.policy.actions import propose_actions
from serving.policy.arms import draw, stable_uniform
from serving.policy.cases import Cases
from serving.policy.choice import choose_by_arm, soft_choice, uniform_choice
from serving.policy.settings import PolicySettings

TRIGGER = Trigger.ABANDONED_CART


def test_soft_choice_is_a_softmax_with_a_floor_over_the_allowed(
    one_case: Callable[..., Cases], settings: PolicySettings
) -> None:
    learned = settings.learned
    grid = propose_actions(one_case(TRIGGER, consents=[Channel.EMAIL]), settings=settings)
    values = np.random.default_rng(3).normal(0, 4, grid.allowed.shape)

    p = soft_choice(values, grid, learned=learned)[0]

    allowed = grid.flat_allowed()[0]
    scaled = np.append(values[0].ravel(), 0.0)[allowed] / learned.temperature_cents
    expected = np.exp(scaled) / np.exp(scaled).sum()
    n_allowed = allowed.sum()
    assert p[~allowed].sum() == 0
    assert p[allowed] == pytest.approx((1 - learned.floor) * expected + learned.floor / n_allowed)
    assert p[allowed].min() >= learned.floor / n_allowed


def test_soft_choice_survives_values_that_would_overflow(
    one_case: Callable[..., Cases], settings: PolicySettings
) -> None:
    grid = propose_actions(one_case(TRIGGER), settings=settings)
    values = np.full(grid.allowed.shape, -1e7)
    values[0, 0, 0] = 1e7

    p = soft_choice(values, grid, learned=settings.learned)

    assert np.isfinite(p).all()
    assert p.sum() == pytest.approx(1.0)
    assert p[0].argmax() == 0


def test_choose_by_arm_lets_each_arm_do_its_own(
    one_case: Callable[..., Cases], settings: PolicySettings
) -> None:
    grid = propose_actions(one_case(TRIGGER), settings=settings)
    learned = soft_choice(np.zeros(grid.allowed.shape), grid, learned=settings.learned)

    by_arm = {arm: choose_by_arm((arm,), grid, learned=learned)[0] for arm in Arm}

    assert by_arm[Arm.HOLDOUT][-1] == 1.0
    assert by_arm[Arm.RULES][grid.rule_action()[0]] == 1.0
    assert by_arm[Arm.RANDOM] == pytest.approx(uniform_choice(grid)[0])
    assert by_arm[Arm.LEARNED] == pytest.approx(learned[0])


def test_choose_by_arm_follows_the_rules_where_nothing_is_learned(
    one_case: Callable[..., Cases], settings: PolicySettings
) -> None:
    grid = propose_actions(one_case(TRIGGER), settings=settings)
    unknown = np.full((1, grid.n_actions), np.nan)

    for learned in (None, unknown):
        p = choose_by_arm((Arm.LEARNED,), grid, learned=learned)[0]
        assert p[grid.rule_action()[0]] == 1.0


@pytest.mark.parametrize("arm", [Arm.LEARNED, Arm.RANDOM])
def test_logged_probabilities_are_the_frequencies(
    arm: Arm, one_case: Callable[..., Cases], settings: PolicySettings
) -> None:
    cases = one_case(TRIGGER, consents=[Channel.EMAIL, Channel.PUSH])
    grid = propose_actions(cases, settings=settings)
    values = np.random.default_rng(5).normal(0, 3, grid.allowed.shape)
    learned = soft_choice(values, grid, learned=settings.learned)
    p = choose_by_arm((arm,), grid, learned=learned)[0]

    n = 50_000
    drawn = [draw(p, u=stable_uniform("action", f"d{i}")) for i in range(n)]
    counts = np.bincount(drawn, minlength=len(p))

    possible = p > 0
    assert counts[~possible].sum() == 0
    assert stats.chisquare(counts[possible], p[possible] * n).pvalue > 0.001
