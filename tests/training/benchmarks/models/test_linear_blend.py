import numpy as np
import pytest
from scipy.special import expit

from training.benchmarks.models.judging import Part
from training.benchmarks.models.linear_blend import fit_blend, make_gain_row
from training.boosting import LabelledRows, fit_booster
from training.measures import Floats, make_auc
from training.registry.servable import BoosterModel, FeatureSignature


def draw_rows(n: int, *, seed: int, is_linear: bool) -> LabelledRows:
    """Six numbers, one of which is null at times; what they say is a sum, or nothing but a box."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 6))
    box = 3.0 * ((np.abs(X[:, 0]) < 0.7) & (np.abs(X[:, 1]) < 0.7))
    z = X.sum(axis=1) / 2 if is_linear else box - 1.5
    labels = rng.random(n) < expit(z)
    X[rng.random(n) < 0.1, 5] = np.nan
    return LabelledRows(X, labels)


def fit_trees(train: LabelledRows, calibration: LabelledRows) -> BoosterModel:
    names = tuple(f"column_{n}" for n in range(train.X.shape[1]))
    return fit_booster(
        "blend",
        signature=FeatureSignature(names, "blend"),
        train=train,
        calibration=calibration,
        seed=0,
    ).model


def measure_auc(p: Floats, rows: LabelledRows) -> float:
    return make_auc(p, rows.labels)(np.ones(len(rows.labels)))


def test_linear_blend_leans_on_the_regression_where_the_truth_is_a_sum() -> None:
    train, calibration, later = (
        draw_rows(n, seed=seed, is_linear=True) for seed, n in enumerate((600, 600, 4_000))
    )
    trees = fit_trees(train, calibration)
    blend = fit_blend(trees, train=train, calibration=calibration, seed=0)
    assert blend.weight < 0.5
    gain = measure_auc(blend.score(trees, later.X), later) - measure_auc(
        trees.predict(later.X), later
    )
    assert gain > 0.01


def test_linear_blend_leaves_the_trees_alone_where_no_line_can_tell() -> None:
    train, calibration, later = (
        draw_rows(n, seed=seed, is_linear=False) for seed, n in enumerate((4_000, 4_000, 2_000))
    )
    trees = fit_trees(train, calibration)
    blend = fit_blend(trees, train=train, calibration=calibration, seed=0)
    assert blend.weight >= 0.9
    ours = measure_auc(blend.score(trees, later.X), later)
    assert ours == pytest.approx(measure_auc(trees.predict(later.X), later), abs=0.005)
    again = fit_blend(trees, train=train, calibration=calibration, seed=0)
    assert np.array_equal(again.score(trees, later.X), blend.score(trees, later.X))


def test_gain_of_a_blend_is_its_figure_less_that_of_the_trees_alone() -> None:
    labels = np.array([False, True] * 20)
    right, wrong = labels.astype(float), 1.0 - labels
    part = Part(np.arange(40), labels, right, wrong)
    row = make_gain_row("case", "auc", [[part]], make=make_auc)
    assert (row.metric, row.ours, row.reference) == ("auc_gain_of_linear_blend", 1.0, 0.0)
