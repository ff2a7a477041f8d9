import numpy as np
import pytest
from pydantic import ValidationError

from features.churn import CHURN_FEATURES
from features.churn.factors import FACTORS, FactorMap, default_factors
from features.vocabulary import Factor


def test_every_feature_has_one_factor_or_is_neutral() -> None:
    named = [name for names in default_factors().factors.values() for name in names]

    assert sorted([*named, *default_factors().neutral]) == sorted(CHURN_FEATURES.names)
    assert set(default_factors().factors) == set(Factor)


def test_a_map_that_is_incomplete_is_refused_with_every_fault() -> None:
    given = default_factors().model_dump(mode="json")
    given["factors"]["relationship"] = ["opened_30d", "tickets_30d", "horoscope"]
    del given["factors"]["onboarding"]

    with pytest.raises(ValidationError) as refusal:
        FactorMap.model_validate(given)

    text = str(refusal.value)
    assert "onboarding is missing" in text
    assert "tickets_30d stands 2 times" in text
    assert "nps has neither a factor nor is neutral" in text
    assert "onboarding_share has neither" in text
    assert "horoscope is no feature" in text


def test_add_up_sums_by_factor_and_leaves_neutral_features_out() -> None:
    names = ("tickets_30d", "tenure_days", "escalations_90d", "nps")
    contributions = np.array([[0.5, 9.0, -0.2, 0.1], [0.0, -9.0, 1.0, 0.0]])

    summed = default_factors().add_up(contributions, names=names)

    assert summed.shape == (2, len(FACTORS))
    assert summed[:, FACTORS.index(Factor.SUPPORT_ISSUES)] == pytest.approx([0.3, 1.0])
    assert summed[:, FACTORS.index(Factor.RELATIONSHIP)] == pytest.approx([0.1, 0.0])
    assert summed.sum(axis=1) == pytest.approx([0.4, 1.0])


def test_add_up_of_everything_loses_only_what_is_neutral() -> None:
    contributions = np.random.default_rng(3).normal(size=(5, len(CHURN_FEATURES.names)))
    neutral = [CHURN_FEATURES.names.index(name) for name in default_factors().neutral]

    summed = default_factors().add_up(contributions, names=CHURN_FEATURES.names)

    expected = contributions.sum(axis=1) - contributions[:, neutral].sum(axis=1)
    assert summed.sum(axis=1) == pytest.approx(expected)
