import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from training.measures import (
    assign_bins,
    make_auc,
    make_average_precision,
    make_brier,
    make_calibration_error,
    make_log_loss,
)


def draw_rows(seed: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """Probabilities with many ties, and labels drawn from them."""
    rng = np.random.default_rng(seed)
    p = rng.integers(1, 10, size=300) / 10
    return p, rng.random(300) < p


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("make", "reference"),
    [
        (make_auc, metrics.roc_auc_score),
        (make_average_precision, metrics.average_precision_score),
        (make_brier, metrics.brier_score_loss),
        (make_log_loss, metrics.log_loss),
    ],
)
def test_measure_equals_scikit_learn_with_ties_and_weights(make, reference, seed: int) -> None:  # type: ignore[no-untyped-def] # the reference is untyped
    p, labels = draw_rows(seed)
    weights = np.random.default_rng(seed + 10).integers(0, 4, size=300).astype(float)
    expected = reference(labels, p, sample_weight=weights)
    assert make(p, labels)(weights) == pytest.approx(expected, abs=1e-12)


def test_weight_counts_like_a_repeated_row() -> None:
    p, labels = draw_rows(4)
    weights = np.random.default_rng(1).integers(0, 4, size=300)
    repeated = np.repeat(np.arange(300), weights)
    for make in (make_auc, make_average_precision, make_brier, make_log_loss):
        once = make(p[repeated], labels[repeated])(np.ones(len(repeated)))
        assert make(p, labels)(weights.astype(float)) == pytest.approx(once)


def test_auc_and_average_precision_are_undefined_without_positives() -> None:
    p, labels = draw_rows(5)
    weights = np.where(labels, 0.0, 1.0)
    assert np.isnan(make_auc(p, labels)(weights))
    assert np.isnan(make_average_precision(p, labels)(weights))


def test_calibration_error_is_the_known_shift() -> None:
    labels = np.tile([True, False, False, False], 250)
    p = np.full(1000, 0.25)
    assert make_calibration_error(p, labels)(np.ones(1000)) == pytest.approx(0.0)
    assert make_calibration_error(p + 0.1, labels)(np.ones(1000)) == pytest.approx(0.1)


def test_calibration_error_sees_errors_that_cancel_on_the_whole() -> None:
    p = np.repeat([0.2, 0.8], 500)
    labels = np.arange(1000) % 2 == 0
    assert make_calibration_error(p, labels)(np.ones(1000)) == pytest.approx(0.3)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=60), st.integers(2, 10))
def test_bins_keep_ties_together_and_follow_the_order(values: list[float], n_bins: int) -> None:
    p = np.array(values)
    bins = assign_bins(p, n_bins=n_bins)
    assert set(bins) == set(range(bins.max() + 1))
    assert bins.max() < n_bins
    order = np.argsort(p)
    assert (np.diff(bins[order]) >= 0).all()
    assert all(len(set(bins[p == value])) == 1 for value in values)
