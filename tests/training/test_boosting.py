import numpy as np
import pytest

from training.boosting import RARE, FittedBooster, LabelledRows, fit_booster
from training.measures import Bools, Floats, make_auc
from training.registry.servable import FeatureSignature

SIGNATURE = FeatureSignature(("signal", "group", "noise"), "digest")


def draw(seed: int, *, n: int = 3_000, base: float = -2.0) -> tuple[Floats, Bools]:
    """Rows of a signal with nulls, a closed set of five and noise; and labels drawn from them."""
    rng = np.random.default_rng(seed)
    X = np.column_stack([rng.normal(size=n), rng.integers(0, 5, n), rng.normal(size=n)])
    effect = np.array([0.0, 2.0, 0.0, 2.0, 0.0])[X[:, 1].astype(int)]
    labels = rng.random(n) < 1 / (1 + np.exp(-(base + X[:, 0] + effect)))
    X[rng.random(n) < 0.1, 0] = np.nan
    return X, labels


def fit(train: LabelledRows, calibration: LabelledRows, *, seed: int = 1) -> FittedBooster:
    return fit_booster(
        "churn",
        signature=SIGNATURE,
        train=train,
        calibration=calibration,
        seed=seed,
        groups=(1,),
    )


def test_booster_ranks_and_is_calibrated_on_new_rows() -> None:
    fitted = fit(LabelledRows(*draw(1)), LabelledRows(*draw(2)))
    X, labels = draw(3, n=6_000)
    p = fitted.model.predict(X)
    assert make_auc(p, labels)(np.ones(len(p))) > 0.75
    assert p.mean() == pytest.approx(labels.mean(), abs=0.02)
    assert fitted.importance.sum() == pytest.approx(1.0)
    assert fitted.importance.argmin() == 2


def test_booster_is_the_same_byte_for_byte_for_the_same_seed() -> None:
    train, calibration = LabelledRows(*draw(1)), LabelledRows(*draw(2))
    assert fit(train, calibration).model == fit(train, calibration).model
    assert fit(train, calibration).model != fit(train, calibration, seed=2).model


def test_booster_keeps_only_the_trees_that_help_later_rows() -> None:
    X, labels = draw(1)
    helped = fit(LabelledRows(X, labels), LabelledRows(*draw(2)))
    misled = fit(LabelledRows(X, labels), LabelledRows(X, ~labels))
    assert misled.n_trees < helped.n_trees / 2


def test_booster_begins_with_the_rates_of_the_groups() -> None:
    rng = np.random.default_rng(6)
    n = 4_000
    X = np.column_stack([rng.normal(size=n), rng.integers(0, 5, n), rng.normal(size=n)])
    rates = np.array([0.02, 0.3, 0.05, 0.12, 0.5])
    labels = rng.random(n) < rates[X[:, 1].astype(int)]
    fitted = fit(LabelledRows(X[:3000], labels[:3000]), LabelledRows(X[3000:], labels[3000:]))
    groups = np.column_stack([np.zeros(5), np.arange(5), np.zeros(5)])
    np.testing.assert_allclose(fitted.model.predict(groups), rates, rtol=0.35)


def test_rare_label_gets_few_shallow_trees_and_an_honest_level() -> None:
    train, calibration = draw(1, base=-7.5), draw(2, base=-7.5)
    assert 0 < train[1].sum() < 50
    fitted = fit(LabelledRows(*train), LabelledRows(*calibration))
    assert fitted.n_trees <= RARE.max_rounds
    p = fitted.model.predict(draw(3)[0])
    rate = np.concatenate([train[1], calibration[1]]).mean()
    assert 0.2 * rate < p.mean() < 5 * rate


def test_label_never_seen_is_a_small_constant_not_zero() -> None:
    X, labels = draw(1, n=999)
    none = LabelledRows(X, np.zeros_like(labels))
    p = fit(none, none).model.predict(X)
    np.testing.assert_allclose(p, 0.5 / (2 * 999 + 1))


def test_booster_names_its_features() -> None:
    fitted = fit(LabelledRows(*draw(1, n=500)), LabelledRows(*draw(2, n=500)))
    assert "feature_names=signal group noise" in fitted.model.text
