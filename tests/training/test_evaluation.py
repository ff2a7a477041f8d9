import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.errors import BadInputError
from training.evaluation import (
    Window,
    calibration_curve,
    compare,
    draw_weights,
    evaluate,
    lift_at,
    mean_difference,
)
from training.evaluation.surplus import Surpluses
from training.measures import Bools, Floats, make_calibration_error


def draw_window(rng: np.random.Generator, *, n: int, rows_each: int = 1) -> tuple[Floats, Window]:
    """True probabilities and a window drawn from them; rows of a customer share their fate."""
    p = np.repeat(rng.beta(1.0, 4.0, size=n), rows_each)
    labels: Bools = np.repeat(rng.random(n), rows_each) < p
    return p, Window(labels, np.repeat(np.arange(n).astype(str), rows_each).astype(object))


def test_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    streams = np.random.default_rng(1).spawn(40)
    covered = 0
    for rng in streams:
        p, window = draw_window(rng, n=400)
        truth = np.mean(p * (1 - p))
        brier = evaluate(p, window=window, rng=rng, n_resamples=120).brier
        covered += brier.low <= truth <= brier.high
    assert 34 <= covered <= 40


def test_interval_of_repeated_rows_is_that_of_their_customers() -> None:
    rng = np.random.default_rng(2)
    p, window = draw_window(rng, n=300, rows_each=5)
    of_customers = evaluate(p, window=window, rng=np.random.default_rng(0)).brier
    as_rows = Window(window.labels, np.arange(1500).astype(str).astype(object))
    of_rows = evaluate(p, window=as_rows, rng=np.random.default_rng(0)).brier
    width, naive = of_customers.high - of_customers.low, of_rows.high - of_rows.low
    assert width / naive == pytest.approx(5**0.5, rel=0.25)


def test_paired_interval_sees_a_difference_that_two_intervals_hide() -> None:
    rng = np.random.default_rng(3)
    p, window = draw_window(rng, n=800)
    worse = np.clip(p * 0.7, 0.001, 0.999)
    comparison = compare(p, other=worse, window=window, rng=rng)
    assert comparison.ours.log_loss.high > comparison.other.log_loss.low
    assert comparison.difference.log_loss.high < 0


def test_comparison_of_a_model_with_itself_is_exactly_nothing() -> None:
    rng = np.random.default_rng(4)
    p, window = draw_window(rng, n=200)
    for estimate in compare(p, other=p, window=window, rng=rng).difference.by_name().values():
        assert (estimate.value, estimate.low, estimate.high) == (0.0, 0.0, 0.0)


def test_evaluation_is_the_same_for_the_same_seed() -> None:
    p, window = draw_window(np.random.default_rng(5), n=200)
    first = evaluate(p, window=window, rng=np.random.default_rng(7))
    assert first == evaluate(p, window=window, rng=np.random.default_rng(7))
    assert first != evaluate(p, window=window, rng=np.random.default_rng(8))


def test_evaluation_with_few_positives_keeps_the_replicates_that_have_some() -> None:
    labels = np.zeros(50, dtype=bool)
    labels[0] = True
    window = Window(labels, np.arange(50).astype(str).astype(object))
    auc = evaluate(np.linspace(1, 0, 50), window=window, rng=np.random.default_rng(1)).auc
    assert auc.value == auc.low == 1.0


@pytest.mark.parametrize("label", [True, False])
def test_window_refuses_a_single_class(label: bool) -> None:
    with pytest.raises(BadInputError, match="positives"):
        Window(np.full(3, label), np.array(["a", "b", "c"], dtype=object))


@pytest.mark.parametrize("p", [[0.1, np.nan], [0.1, 1.2]])
def test_evaluation_refuses_what_is_no_probability(p: list[float]) -> None:
    window = Window(np.array([True, False]), np.array(["a", "b"], dtype=object))
    with pytest.raises(BadInputError, match="probabilities"):
        evaluate(np.array(p), window=window, rng=np.random.default_rng(1))


def test_weights_draw_whole_customers() -> None:
    customers = np.array(["a", "b", "a", "c"], dtype=object)
    for weights in draw_weights(customers, rng=np.random.default_rng(1), n_resamples=20):
        assert weights[0] == weights[2]
        assert weights[[0, 1, 3]].sum() == 3


def test_mean_difference_of_losses_has_the_sign_of_ours_minus_other() -> None:
    rng = np.random.default_rng(2)
    losses = rng.random(300)
    customers = np.arange(300).astype(str).astype(object)
    estimate = mean_difference(losses, other=losses + 0.1, customers=customers, rng=rng)
    assert estimate.value == pytest.approx(-0.1)
    assert estimate.low == pytest.approx(-0.1)


def test_calibration_curve_finds_rates_and_counts_every_row() -> None:
    p = np.repeat([0.1, 0.5], 100)
    labels = np.concatenate([np.arange(100) < 20, np.arange(100) < 50])
    curve = calibration_curve(p, labels=labels)
    np.testing.assert_allclose(curve.p_mean, [0.1, 0.5])
    np.testing.assert_allclose(curve.rate, [0.2, 0.5])
    assert curve.n_rows.tolist() == [100, 100]


def test_lift_does_not_depend_on_the_order_of_ties() -> None:
    labels = np.array([True, False, False, False])
    p = np.full(4, 0.5)
    assert lift_at(p, labels=labels, share=0.5) == lift_at(p, labels=labels[::-1], share=0.5) == 1.0


def test_interval_of_the_calibration_error_holds_value_and_truth() -> None:
    held = held_gain = 0
    for rng in np.random.default_rng(11).spawn(40):
        p, window = draw_window(rng, n=400)
        gloomy = np.clip(1.5 * p, 0.0, 1.0)
        truth = float((gloomy - p).mean())
        found = compare(p, other=gloomy, window=window, rng=rng, n_resamples=120)
        for one in (found.ours, found.other, found.difference):
            error = one.calibration_error
            assert error.low <= error.value <= error.high
        ours, gain = found.ours.calibration_error, found.difference.calibration_error
        held += ours.low <= 0.0 and found.other.calibration_error.low <= truth
        held_gain += gain.low <= -truth <= gain.high
    assert held >= 36
    assert held_gain >= 32


def test_percentiles_of_the_calibration_error_leave_the_truth_below() -> None:
    n_left_out = 0
    for rng in np.random.default_rng(12).spawn(20):
        p, window = draw_window(rng, n=400)
        error_of = make_calibration_error(p, window.labels)
        draws = draw_weights(window.customers, rng=rng, n_resamples=120)
        n_left_out += np.percentile([error_of(weights) for weights in draws], 2.5) > 0.0
    assert n_left_out == 20


@given(st.integers(0, 2**32 - 1), st.integers(1, 10), st.floats(0.0, 1.0))
def test_interval_of_an_error_holds_its_value_whatever_the_bins(
    seed: int, n_bins: int, size: float
) -> None:
    rng = np.random.default_rng(seed)
    seen, other = size * rng.normal(size=(2, n_bins)) / 10.0
    noise = rng.normal(size=(2, 100, n_bins)) / 20.0
    ours, theirs = Surpluses(seen, seen + noise[0]), Surpluses(other, other + noise[1])
    for found in (ours.estimate(), ours.minus(theirs)):
        assert found.low <= found.value <= found.high
    assert ours.estimate().low >= 0.0
    assert ours.estimate() == ours.estimate()
