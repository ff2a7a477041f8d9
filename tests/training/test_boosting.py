from dataclasses import replace

import numpy as np
import pytest

from features.errors import BadInputError
from training.boosting import (
    EXACT,
    LARGE,
    RARE,
    BoosterSettings,
    FittedBooster,
    LabelledRows,
    choose_settings,
    fit_booster,
)
from training.calibration import fit_platt
from training.measures import Bools, Floats, make_auc
from training.registry.servable import Calibration, FeatureSignature

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


def test_settings_that_were_chosen_are_taken() -> None:
    train, calibration = LabelledRows(*draw(1)), LabelledRows(*draw(2))
    few = BoosterSettings(max_rounds=7)
    fitted = fit_booster(
        "churn", signature=SIGNATURE, train=train, calibration=calibration, seed=1, settings=few
    )
    assert fitted.settings == few
    assert fitted.n_trees <= 7
    assert fitted.model.text.count("Tree=") == fitted.n_trees


def test_settings_follow_rows_and_the_rarer_label() -> None:
    assert choose_settings(np.arange(1_000) < 49) == RARE
    assert choose_settings(np.arange(1_000) >= 49) == RARE
    assert choose_settings(np.arange(1_000) < 50) == BoosterSettings()
    assert choose_settings(np.arange(199_999) % 2 == 0) == BoosterSettings()
    assert choose_settings(np.arange(200_000) % 2 == 0) == LARGE


def test_refit_learns_from_the_calibration_rows_too_and_keeps_the_calibration() -> None:
    train, calibration = LabelledRows(*draw(1, n=1_500)), LabelledRows(*draw(2, n=1_500))
    once, again = (
        fit_booster(
            "churn",
            signature=SIGNATURE,
            train=train,
            calibration=calibration,
            seed=1,
            groups=(1,),
            settings=replace(EXACT, refit=refit),
        )
        for refit in (False, True)
    )
    assert again.n_trees == once.n_trees
    assert again.model.text.count("Tree=") == once.n_trees
    assert again.model.calibration == once.model.calibration
    X, labels = draw(3, n=20_000)
    full = np.ones(len(labels))
    auc_once, auc_again = (make_auc(f.model.predict(X), labels)(full) for f in (once, again))
    assert auc_again > auc_once


def test_monotone_feature_never_lowers_what_it_may_only_raise() -> None:
    X, labels = draw(1)
    flipped = LabelledRows(X, labels ^ (X[:, 0] > 1.0))  # high signals look bad in these rows
    steps = np.column_stack([np.linspace(-3, 3, 200), np.zeros(200), np.zeros(200)])

    def rises(monotone: dict[str, int]) -> float:
        fitted = fit_booster(
            "churn",
            signature=SIGNATURE,
            train=flipped,
            calibration=LabelledRows(*draw(2)),
            seed=1,
            monotone=monotone,
        )
        return float(np.diff(fitted.model.predict(steps)).min())

    assert rises({"signal": 1}) >= 0.0
    assert rises({}) < 0.0


@pytest.mark.parametrize("monotone", [{"unknown": 1}, {"signal": 2}])
def test_monotone_of_an_unknown_feature_or_way_is_refused(monotone: dict[str, int]) -> None:
    train, calibration = LabelledRows(*draw(1, n=500)), LabelledRows(*draw(2, n=500))
    with pytest.raises(BadInputError, match="expected -1 or 1"):
        fit_booster(
            "churn",
            signature=SIGNATURE,
            train=train,
            calibration=calibration,
            seed=1,
            monotone=monotone,
        )


def test_many_calibration_rows_are_sampled_and_the_level_stays_honest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("training.boosting._MOST_CALIBRATION_ROWS", 2_000)
    seen: list[int] = []

    def count(p_raw: Floats, *, labels: Bools) -> Calibration:
        seen.append(len(labels))
        return fit_platt(p_raw, labels=labels)

    monkeypatch.setattr("training.boosting.fit_platt", count)
    X, labels = draw(2, n=8_000)
    fitted = fit(LabelledRows(*draw(1)), LabelledRows(X, labels))
    assert seen == [2_000]
    assert fitted.model.predict(X).mean() == pytest.approx(labels.mean(), abs=0.03)
