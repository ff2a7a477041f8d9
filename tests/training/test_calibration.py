import numpy as np
import pytest

from training.calibration import fit_constant, fit_platt
from training.measures import Floats
from training.registry.servable import Calibration


def distort(p: Floats, *, slope: float, intercept: float) -> Floats:
    """Raw probabilities from which slope and intercept lead back to the true ones."""
    raw: Floats = 1 / (1 + np.exp(-(np.log(p / (1 - p)) - intercept) / slope))
    return raw


@pytest.mark.parametrize(("slope", "intercept"), [(1.0, 0.0), (0.4, -1.0), (2.5, 1.5)])
def test_platt_recovers_slope_and_intercept(slope: float, intercept: float) -> None:
    rng = np.random.default_rng(1)
    p = rng.beta(1.5, 4.0, size=20_000)
    fitted = fit_platt(distort(p, slope=slope, intercept=intercept), labels=rng.random(20_000) < p)
    assert fitted.slope == pytest.approx(slope, rel=0.06)
    assert fitted.intercept == pytest.approx(intercept, abs=0.12)


def test_platt_makes_the_mean_probability_the_rate() -> None:
    rng = np.random.default_rng(2)
    p = rng.beta(1.0, 9.0, size=5_000)
    labels = rng.random(5_000) < p
    fitted = fit_platt(distort(p, slope=0.6, intercept=1.0), labels=labels)
    mean = fitted.apply(distort(p, slope=0.6, intercept=1.0)).mean()
    assert mean == pytest.approx(labels.mean(), rel=0.01)


def test_platt_with_three_positives_trusts_the_model_and_moves_its_level() -> None:
    labels = np.zeros(1_000, dtype=bool)
    labels[:3] = True
    raw = np.linspace(0.2, 0.01, 1_000)
    fitted = fit_platt(raw, labels=labels)
    assert 0.5 < fitted.slope < 2.5
    assert fitted.apply(raw).mean() == pytest.approx(0.003, rel=0.5)


@pytest.mark.parametrize("label", [False, True])
def test_platt_of_one_class_stays_finite(label: bool) -> None:
    fitted = fit_platt(np.linspace(0.1, 0.9, 500), labels=np.full(500, label))
    p = fitted.apply(np.linspace(0.1, 0.9, 500))
    assert ((p > 0) & (p < 1)).all()
    assert p.mean() == pytest.approx(float(label), abs=0.02)


def test_constant_is_the_rate_and_never_zero() -> None:
    raw = np.array([0.001, 0.999])
    assert fit_constant(np.arange(99) < 33).apply(raw) == pytest.approx([0.335, 0.335])
    assert fit_constant(np.zeros(99, dtype=bool)).apply(raw) == pytest.approx([0.005, 0.005])


def test_calibration_of_a_calibrated_model_changes_nothing() -> None:
    p = np.array([0.01, 0.4, 0.99])
    np.testing.assert_allclose(Calibration().apply(p), p)
