"""What a message changes: cautious where it was measured, believed where it was not."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from features.vocabulary import Outcome, Trigger
from serving.policy.cases import Cases
from serving.policy.effects import expect_calls, find_effect
from serving.policy.settings import CHANNELS, LearnedSettings, PolicySettings
from tests.channel_beliefs import believe
from training.registry.servable import (
    TRIGGERS,
    BoosterModel,
    FeatureSignature,
    Member,
    Reach,
    ReachEffect,
    Stakes,
    UpliftModel,
)

CART, CARD = Trigger.ABANDONED_CART, Trigger.PAYMENT_FAILURE_RISK
NONE = FeatureSignature((), "x")
ONES = (1.0,) * len(CHANNELS)
MOST = np.full((1, len(CHANNELS)), 0.04)
BELIEVED = 0.5 * MOST


def measured(*shares: float, of: Trigger = CART) -> UpliftModel:
    """Fits that differ in the level of one trigger: their spread is how unsure it is."""
    levels = [(share, 0.0) if of is CART else (0.0, share) for share in shares]
    return UpliftModel(
        version="1",
        signature=NONE,
        groups=(CART.value, CARD.value),
        treatments=tuple(CHANNELS),
        members=tuple(Member((1.0,), (ReachEffect(level, ONES),)) for level in levels),
        reaches={},
        own_sd=(0.3, 0.3),
        without=BoosterModel("without", "1", NONE, ""),
        value_cents=(1000.0, 800.0),
        cost_cents=(0.0,) * len(CHANNELS),
    )


@pytest.fixture
def learned(settings: PolicySettings) -> LearnedSettings:
    return settings.learned.model_copy(update={"caution": 1.0, "believed_share": 0.5})


def test_find_effect_believes_where_nothing_was_measured(
    one_case: Callable[..., Cases], learned: LearnedSettings
) -> None:
    model = measured(0.02, 0.02, 0.02)
    for trigger, uplift in ((CART, None), (CARD, model), (Trigger.CHURN_RISK, model)):
        effect = find_effect(one_case(trigger), uplift, most=MOST, share=0.5, learned=learned)
        np.testing.assert_array_equal(effect.p, BELIEVED)
        np.testing.assert_array_equal(effect.borne_out, 1.0)
        assert effect.error.tolist() == [learned.believed_error]


def test_find_effect_draws_a_sure_measure_to_the_belief_in_logs(
    one_case: Callable[..., Cases], learned: LearnedSettings
) -> None:
    effect = find_effect(
        one_case(CART),
        measured(0.005, 0.005, 0.005),
        most=MOST,
        share=0.5,
        learned=learned,
    )
    np.testing.assert_allclose(effect.p, np.sqrt(0.005 * 0.02))
    np.testing.assert_allclose(effect.borne_out, 0.5)
    assert effect.error == pytest.approx([0.3])  # customers of a kind differ, the level is sure


def test_find_effect_takes_off_what_the_level_is_unsure_by(
    one_case: Callable[..., Cases], learned: LearnedSettings
) -> None:
    shares = (0.006, 0.010, 0.014)  # mean .010, standard deviation .004
    effect = find_effect(one_case(CART), measured(*shares), most=MOST, share=0.5, learned=learned)
    np.testing.assert_allclose(effect.p, np.sqrt(0.006 * 0.02))
    assert effect.error == pytest.approx([np.hypot(0.4, 0.3)])


def test_find_effect_lets_no_belief_bring_back_what_may_be_nothing(
    one_case: Callable[..., Cases], learned: LearnedSettings
) -> None:
    shares = (0.0, 0.001, 0.005)
    effect = find_effect(one_case(CART), measured(*shares), most=MOST, share=0.5, learned=learned)
    np.testing.assert_array_equal(effect.p, 0.0)
    np.testing.assert_array_equal(effect.borne_out, 0.0)
    assert effect.error.tolist() == [1.0]


def test_find_effect_takes_a_measure_of_nothing_for_one_where_draws_around_it_differ(
    one_case: Callable[..., Cases], learned: LearnedSettings
) -> None:
    """A share that is clipped to 0 was measured; only what no draw moves was never seen."""
    effect = find_effect(
        one_case(CART),
        measured(0.0, 0.004, -0.004),
        most=MOST,
        share=0.5,
        learned=learned,
    )
    np.testing.assert_array_equal(effect.p, 0.0)


def test_find_effect_takes_the_share_of_the_family_where_a_trial_saw_no_call(
    one_case: Callable[..., Cases], learned: LearnedSettings
) -> None:
    """Calls about cards come too late to be seen; other notices prevent .2 of what they can."""
    effect = find_effect(one_case(CARD), calling(0.0), most=MOST, share=0.5, learned=learned)

    np.testing.assert_allclose(effect.p, np.sqrt(0.1 * MOST * BELIEVED))
    assert effect.error == pytest.approx([np.hypot(0.5, 0.3)])


def test_find_effect_heeds_no_trial_about_calls_that_come_after_it(
    one_case: Callable[..., Cases], learned: LearnedSettings
) -> None:
    """Within the days of the trial nearly nobody calls about a card: that is no sign of nothing."""
    model = calling(0.001)
    counted = replace(model, foreseen={CARD.value: 0.25})

    by_trial, by_family = (
        find_effect(one_case(CARD), one, most=MOST, share=0.5, learned=learned)
        for one in (model, counted)
    )

    np.testing.assert_allclose(by_family.p, np.sqrt(0.1 * MOST * BELIEVED))
    assert (by_trial.p < 0.2 * by_family.p).all()


def test_expect_calls_goes_by_what_was_counted_where_it_was(
    one_case: Callable[..., Cases],
) -> None:
    card, cart = one_case(CARD), one_case(CART)
    model = calling(0.07)

    assert expect_calls(card, None, believed=0.1).tolist() == [0.1]
    assert expect_calls(card, calling(0.0), believed=0.1).tolist() == [0.1]
    assert expect_calls(cart, model, believed=0.1).tolist() == [0.1]
    assert expect_calls(one_case(Trigger.CHURN_RISK), model, believed=0.1).tolist() == [0.1]
    assert expect_calls(card, model, believed=0.1) == pytest.approx([0.07])
    foreseen = replace(model, foreseen={CARD.value: 0.25})
    assert expect_calls(card, foreseen, believed=0.1).tolist() == [0.25]


def calling(rate: float) -> UpliftModel:
    """Notices about cards prevent .2 of the calls of those who see them; so many are made."""
    opened = believe(NONE).outcomes[Outcome.OPENED]
    stakes = Stakes((rate,) * len(TRIGGERS), (), (1.0,))
    reach = Reach(opened.rates, opened, ONES, stakes)
    return replace(measured(0.1, 0.2, 0.3, of=CARD), reaches={CARD.value: reach})
