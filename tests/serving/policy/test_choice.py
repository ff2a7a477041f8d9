from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from scipy import stats

from features.vocabulary import Arm, Channel, Trigger
from serving.policy.actions import propose_actions
from serving.policy.arms import ARMS, draw_rows, stable_uniforms
from serving.policy.cases import HOUR_US, Cases, Floats, Ints, Occasions
from serving.policy.choice import choose_by_arm, soft_choice, uniform_choice
from serving.policy.settings import PolicySettings

TRIGGER = Trigger.ABANDONED_CART
CONTACTED = datetime(2026, 6, 11, 18, tzinfo=UTC)  # thirty hours after the decision
N_REPEATS = 200_000


@pytest.fixture(scope="module")
def chances() -> Floats:
    """The stable chances of as many decisions."""
    return stable_uniforms("action", names=[f"d{i}" for i in range(N_REPEATS)])


def coded(arm: Arm) -> Ints:
    """The arm of one case."""
    return np.array([ARMS.index(arm)])


def test_soft_choice_is_a_softmax_with_a_floor_over_the_allowed(
    one_case: Callable[..., Cases], settings: PolicySettings
) -> None:
    learned = settings.learned
    grid = propose_actions(one_case(TRIGGER, consents=[Channel.EMAIL]), settings=settings)
    values = np.random.default_rng(3).normal(0, 4, grid.allowed.shape)

    unsure = 30.0
    p = soft_choice(values, grid, unsure=np.array([unsure]), learned=learned)[0]

    allowed = grid.flat_allowed()[0]
    n_allowed = allowed.sum()
    expected = np.full(n_allowed, learned.floor / n_allowed)
    narrow = 1 - learned.floor - learned.wide_share
    for share, warmth in ((narrow, 1.0), (learned.wide_share, 4.0)):
        t = learned.temperature_share * unsure * warmth
        scaled = np.append(values[0].ravel(), 0.0)[allowed] / t
        expected += share * np.exp(scaled) / np.exp(scaled).sum()
    assert p[~allowed].sum() == 0
    assert p[allowed] == pytest.approx(expected)
    assert p[allowed].min() >= learned.floor / n_allowed


def test_soft_choice_explores_less_where_values_are_surer(
    one_case: Callable[..., Cases], settings: PolicySettings
) -> None:
    grid = propose_actions(one_case(TRIGGER), settings=settings)
    values = np.random.default_rng(3).normal(0, 4, grid.allowed.shape)
    by_error = [
        soft_choice(values, grid, unsure=np.array([error]), learned=settings.learned)[0].max()
        for error in (0.0, 10.0, 100.0)
    ]
    assert by_error[0] > by_error[1] > by_error[2]


def test_soft_choice_survives_values_that_would_overflow(
    one_case: Callable[..., Cases], settings: PolicySettings
) -> None:
    grid = propose_actions(one_case(TRIGGER), settings=settings)
    values = np.full(grid.allowed.shape, -1e7)
    values[0, 0, 0] = 1e7

    p = soft_choice(values, grid, unsure=np.array([1.0]), learned=settings.learned)

    assert np.isfinite(p).all()
    assert p.sum() == pytest.approx(1.0)
    assert p[0].argmax() == 0


def test_choose_by_arm_lets_each_arm_do_its_own(
    one_case: Callable[..., Cases], settings: PolicySettings
) -> None:
    grid = propose_actions(one_case(TRIGGER), settings=settings)
    learned = soft_choice(
        np.zeros(grid.allowed.shape), grid, unsure=np.array([1.0]), learned=settings.learned
    )

    by_arm = {arm: choose_by_arm(coded(arm), grid, learned=learned)[0] for arm in Arm}

    assert by_arm[Arm.HOLDOUT][-1] == 1.0
    assert by_arm[Arm.RULES][grid.rule_action()[0]] == 1.0
    assert by_arm[Arm.RANDOM] == pytest.approx(uniform_choice(grid)[0])
    assert by_arm[Arm.LEARNED] == pytest.approx(learned[0])


@pytest.mark.parametrize(
    ("trigger", "most", "n_sets"),
    [
        (Trigger.ABANDONED_CART, 2, 5),
        (Trigger.DELIVERY_DELAY, 1, 6),
        (Trigger.DELIVERY_DELAY, 2, 15),
        (Trigger.ORDER_SHIPPED, 2, 15),
        (Trigger.ORDER_SHIPPED, 3, 25),
    ],
)
def test_service_notices_may_go_out_on_several_channels_each_set_once(
    trigger: Trigger,
    most: int,
    n_sets: int,
    one_case: Callable[..., Cases],
    settings: PolicySettings,
) -> None:
    learned = settings.learned.model_copy(update={"most_channels": most})
    given = settings.model_copy(update={"learned": learned})
    grid = propose_actions(one_case(trigger), settings=given)
    assert len({frozenset(channels) for channels in grid.sets}) == len(grid.sets) == n_sets
    rule = given.triggers[trigger]
    assert not rule.is_together or grid.sets[-1] == rule.channels

    p = uniform_choice(grid)[0, :-1].reshape(len(grid.sets), grid.n_slots)
    is_more = np.array([len(channels) > 1 for channels in grid.sets])
    alone = p[~is_more][p[~is_more] > 0]
    assert alone == pytest.approx(alone[0])
    assert not is_more.any() or p[is_more][:, 0].sum() <= alone[0] * (1 + 1e-9)


def test_choose_by_arm_follows_the_rules_where_nothing_is_learned(
    one_case: Callable[..., Cases], settings: PolicySettings
) -> None:
    grid = propose_actions(one_case(TRIGGER), settings=settings)
    unknown = np.full((1, grid.n_actions), np.nan)

    for learned in (None, unknown):
        p = choose_by_arm(coded(Arm.LEARNED), grid, learned=learned)[0]
        assert p[grid.rule_action()[0]] == 1.0


@pytest.mark.parametrize("arm", list(Arm))
def test_logged_probabilities_are_the_frequencies_after_guards(
    arm: Arm,
    one_case: Callable[..., Cases],
    settings: PolicySettings,
    chances: Floats,
) -> None:
    """Of 200,000 repeats; consent, fatigue and the occasion's end forbid some actions."""
    cases = one_case(
        TRIGGER,
        consents=[Channel.EMAIL, Channel.PUSH],
        contacts=[(CONTACTED + timedelta(minutes=m), True, False) for m in (0, 60)],
    )
    ends = replace(Occasions.unknown(1), expires_us=cases.decided_at_us + 60 * HOUR_US)
    grid = propose_actions(replace(cases, known_occasions=ends), settings=settings)
    free = propose_actions(one_case(TRIGGER), settings=settings)
    assert 2 < grid.allowed.sum() < free.allowed.sum()
    values = np.random.default_rng(5).normal(0, 3, grid.allowed.shape)
    learned = soft_choice(values, grid, unsure=np.array([60.0]), learned=settings.learned)
    p = choose_by_arm(coded(arm), grid, learned=learned)[0]

    drawn = np.concatenate([draw_rows(np.tile(p, (len(u), 1)), u=u) for u in np.split(chances, 20)])
    counts = np.bincount(drawn, minlength=len(p))

    assert counts[~grid.flat_allowed()[0]].sum() == 0
    possible = p > 0
    assert counts[~possible].sum() == 0
    if possible.sum() == 1:
        assert counts[possible] == [N_REPEATS]
    else:
        assert (p[possible] * N_REPEATS).min() > 5
        assert stats.chisquare(counts[possible], p[possible] * N_REPEATS).pvalue > 0.001


def test_propose_actions_sends_nothing_after_the_occasion_has_ended(
    one_case: Callable[..., Cases], settings: PolicySettings
) -> None:
    cases = one_case(TRIGGER)
    for hours in (-1, 5):
        ends_us = cases.decided_at_us + hours * HOUR_US
        known = replace(Occasions.unknown(1), expires_us=ends_us)
        grid = propose_actions(replace(cases, known_occasions=known), settings=settings)
        late = grid.slots_us[0] > ends_us[0]
        assert not grid.allowed[0][:, late].any()
        assert grid.allowed[0].any() == (hours > 0)
