"""What contact does is found in cases of chance, and not found where it does nothing."""

import numpy as np
import pytest
from scipy.special import expit, logit

from features.uplift_groups import default_borders
from features.vocabulary import UpliftGroup
from training.datasets.provenance import NotEnoughData
from training.registry.servable.retention import AtRisk, RetentionModel
from training.retention import LEAST_CASES, NO_LEVER, RetentionCases, fit_retention

LEVERS = ("call", "training")
N = 6_000


def draw_customers(rng: np.random.Generator, n: int = N) -> AtRisk:
    p_churn = expit(rng.normal(-2.2, 1.0, n))
    X = np.column_stack([rng.random(n) < 0.15, rng.normal(size=n), np.full(n, np.nan)])
    return AtRisk(p_churn, X.astype(float), rng.integers(0, 2, (n, 2)).astype(float))


def true_effects(customers: AtRisk, *, kept: float, woken: float) -> np.ndarray:
    """Change of the chance to stay by lever: matching levers keep twice as many."""
    p0 = customers.p_churn
    usual = np.median(p0)
    asleep = woken * customers.X[:, 0]
    keeps = kept * (0.5 + 0.5 * customers.match)
    mended = (1 - asleep) * np.maximum(p0 - usual, 0)
    return mended[:, None] * keeps - ((1 - p0) * asleep)[:, None]


def draw_cases(seed: int, *, kept: float, woken: float) -> RetentionCases:
    rng = np.random.default_rng(seed)
    customers = draw_customers(rng)
    lever = rng.integers(-1, 2, N)
    effects = true_effects(customers, kept=kept, woken=woken)
    own = effects[np.arange(N), np.maximum(lever, 0)]
    p_lost = customers.p_churn - np.where(lever == NO_LEVER, 0.0, own)
    return RetentionCases(customers, lever, rng.random(N) < p_lost)


def fit(cases: RetentionCases) -> RetentionModel:
    model = fit_retention(cases, levers=LEVERS)
    assert isinstance(model, RetentionModel)
    return model


def test_effects_of_contact_are_found_again() -> None:
    model = fit(draw_cases(1, kept=0.5, woken=0.3))
    fresh = draw_customers(np.random.default_rng(2), 2_000)
    truth = true_effects(fresh, kept=0.5, woken=0.3)
    found = model.effects(fresh, rng=np.random.default_rng(3))
    assert np.corrcoef(found.value.ravel(), truth.ravel())[0, 1] > 0.9
    assert abs(found.value.mean() - truth.mean()) < 0.02
    apart = np.abs(found.value - truth) / found.sd
    assert np.mean(apart < 2.5) > 0.8
    assert np.allclose(found.p_stays, 1 - fresh.p_churn, atol=0.06)


def test_customers_whom_contact_drives_away_are_named() -> None:
    model = fit(draw_cases(4, kept=0.3, woken=0.3))
    fresh = draw_customers(np.random.default_rng(5), 2_000)
    groups = model.effects(fresh, rng=np.random.default_rng(6)).find_groups(default_borders())
    asleep = fresh.X[:, 0] == 1
    low_risk = fresh.p_churn < 0.15
    named = groups == UpliftGroup.DO_NOT_DISTURB
    assert named[asleep & low_risk].mean() > 0.9
    assert named[~asleep].mean() < 0.05


@pytest.mark.parametrize("seed", [7, 8, 9])
def test_contact_that_does_nothing_is_found_to_do_next_to_nothing(seed: int) -> None:
    model = fit(draw_cases(seed, kept=0.0, woken=0.0))
    fresh = draw_customers(np.random.default_rng(10), 500)
    found = model.effects(fresh, rng=np.random.default_rng(11))
    assert abs(found.value.mean()) < 0.02
    groups = found.find_groups(default_borders())
    assert np.mean(groups == UpliftGroup.DO_NOT_DISTURB) < 0.05


def test_p_churn_that_is_too_high_is_put_right() -> None:
    cases = draw_cases(12, kept=0.4, woken=0.0)
    shifted = AtRisk(
        expit(logit(cases.customers.p_churn) + 1.0), cases.customers.X, cases.customers.match
    )
    model = fit(RetentionCases(shifted, cases.lever, cases.lost))
    found = model.effects(shifted, rng=np.random.default_rng(13))
    assert abs((1 - found.p_stays).mean() - cases.customers.p_churn.mean()) < 0.02


def test_too_few_cases_are_refused_with_their_numbers() -> None:
    rng = np.random.default_rng(14)
    customers = draw_customers(rng, 150)
    lever = np.where(np.arange(150) < LEAST_CASES, 0, NO_LEVER)
    found = fit_retention(RetentionCases(customers, lever, np.arange(150) % 2 == 0), levers=LEVERS)
    assert isinstance(found, NotEnoughData)
    assert "50 cases left alone, 25 of them lost" in found.reason
    assert "contacted" not in found.reason
