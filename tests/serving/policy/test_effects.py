"""What a message changes: cautious where it was measured, believed where it was not."""

from collections.abc import Callable

import numpy as np
import pytest

from features.vocabulary import Trigger
from serving.policy.cases import Cases
from serving.policy.effects import find_effect
from serving.policy.settings import CHANNELS, LearnedSettings, PolicySettings
from training.registry.servable import (
    BoosterModel,
    FeatureSignature,
    Member,
    ReachEffect,
    UpliftModel,
)

CART, CARD = Trigger.ABANDONED_CART, Trigger.PAYMENT_FAILURE_RISK
NONE = FeatureSignature((), "x")
BELIEVED = np.full((1, len(CHANNELS)), 0.02)


def measured(*shares: float) -> UpliftModel:
    """Fits that differ in the level of carts: their spread is how unsure it is."""
    ones = (1.0,) * len(CHANNELS)
    return UpliftModel(
        version="1",
        signature=NONE,
        groups=(CART.value, CARD.value),
        treatments=tuple(CHANNELS),
        members=tuple(Member((1.0,), (ReachEffect((share, 0.0), ones),)) for share in shares),
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
        effect = find_effect(one_case(trigger), uplift, believed=BELIEVED, learned=learned)
        np.testing.assert_array_equal(effect.p, BELIEVED)
        np.testing.assert_array_equal(effect.borne_out, 1.0)
        assert effect.error.tolist() == [learned.believed_error]


def test_find_effect_draws_a_sure_measure_to_the_belief_in_logs(
    one_case: Callable[..., Cases], learned: LearnedSettings
) -> None:
    effect = find_effect(
        one_case(CART), measured(0.005, 0.005, 0.005), believed=BELIEVED, learned=learned
    )
    np.testing.assert_allclose(effect.p, np.sqrt(0.005 * 0.02))
    np.testing.assert_allclose(effect.borne_out, 0.5)
    assert effect.error == pytest.approx([0.3])  # customers of a kind differ, the level is sure


def test_find_effect_takes_off_what_the_level_is_unsure_by(
    one_case: Callable[..., Cases], learned: LearnedSettings
) -> None:
    shares = (0.006, 0.010, 0.014)  # mean .010, standard deviation .004
    effect = find_effect(one_case(CART), measured(*shares), believed=BELIEVED, learned=learned)
    np.testing.assert_allclose(effect.p, np.sqrt(0.006 * 0.02))
    assert effect.error == pytest.approx([np.hypot(0.4, 0.3)])


def test_find_effect_lets_no_belief_bring_back_what_may_be_nothing(
    one_case: Callable[..., Cases], learned: LearnedSettings
) -> None:
    shares = (0.0, 0.001, 0.005)
    effect = find_effect(one_case(CART), measured(*shares), believed=BELIEVED, learned=learned)
    np.testing.assert_array_equal(effect.p, 0.0)
    np.testing.assert_array_equal(effect.borne_out, 0.0)
    assert effect.error.tolist() == [1.0]


def test_find_effect_takes_a_measure_of_nothing_for_one_where_draws_around_it_differ(
    one_case: Callable[..., Cases], learned: LearnedSettings
) -> None:
    """A share that is clipped to 0 was measured; only what no draw moves was never seen."""
    effect = find_effect(
        one_case(CART), measured(0.0, 0.004, -0.004), believed=BELIEVED, learned=learned
    )
    np.testing.assert_array_equal(effect.p, 0.0)
