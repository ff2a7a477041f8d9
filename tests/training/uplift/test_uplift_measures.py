import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.errors import BadInputError
from training.measures import Floats
from training.uplift.measures import (
    Arms,
    Strategy,
    estimate,
    make_auuc,
    make_qini,
    make_uplift_at,
    trace_qini,
    true_qini,
)


def arms_of(treated: list[int], outcome: list[float], p: list[float] | None = None) -> Arms:
    n = len(treated)
    return Arms(
        np.array(treated, dtype=bool),
        np.array(outcome, dtype=np.float64),
        None if p is None else np.array(p),
        np.array([f"c{row}" for row in range(n)], dtype=object),
    )


SCORE = np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2])
ARMS = arms_of([1, 0, 1, 1, 0, 0, 1, 0], [1, 0, 1, 0, 1, 0, 0, 1])
ONES = np.ones(8)


def test_uplift_at_k_overall_is_the_difference_of_means_among_the_best_rows() -> None:
    # Best four: treated 1, 1, 0 and control 0.
    assert make_uplift_at(0.5)(SCORE, ARMS)(ONES) == pytest.approx(2 / 3 - 0)


def test_uplift_at_k_by_group_takes_the_best_of_each_arm() -> None:
    # Best two treated: 1, 1; best two of the control: 0, 1.
    by_group = make_uplift_at(0.5, strategy=Strategy.BY_GROUP)
    assert by_group(SCORE, ARMS)(ONES) == pytest.approx(1.0 - 0.5)


def test_uplift_at_all_is_the_difference_of_means() -> None:
    assert make_uplift_at(1.0)(SCORE, ARMS)(ONES) == pytest.approx(2 / 4 - 2 / 4)


def test_qini_is_the_area_by_hand() -> None:
    # After each row: treated positives less control positives times n_treated / n_control, over 4.
    gains = [0, 1, 1, 2, 2, 2 - 3 / 2, 2 - 1, 2 - 4 / 3, 0]
    area = np.trapezoid(np.array(gains) / 4, np.linspace(0, 1, 9))
    assert make_qini(SCORE, ARMS)(ONES) == pytest.approx(area - 0)
    assert make_auuc(SCORE, ARMS)(ONES) == pytest.approx(area)
    curve = trace_qini(SCORE, ARMS, n_points=9)
    np.testing.assert_allclose(curve.gain, np.array(gains) / 4)


def test_equal_scores_are_one_step_whatever_their_order() -> None:
    even = np.zeros(8)
    assert make_qini(even, ARMS)(ONES) == pytest.approx(0.0)


def test_rows_of_unequal_chance_count_by_it() -> None:
    """Half the customers were written to four times out of five: their control counts fivefold."""
    rng = np.random.default_rng(4)
    n = 40_000
    kind = rng.random(n) < 0.5
    p = np.where(kind, 0.8, 0.5)
    treated = rng.random(n) < p
    outcome = (rng.random(n) < np.where(kind, 0.6, 0.2) + 0.1 * treated).astype(np.float64)
    ids = np.array([f"c{row}" for row in range(n)], dtype=object)
    score = np.zeros(n)
    weighed = Arms(treated, outcome, np.where(treated, p, 1 - p), ids)
    raw = Arms(treated, outcome, None, ids)
    found = make_uplift_at(1.0)(score, weighed)(np.ones(n))
    naive = make_uplift_at(1.0)(score, raw)(np.ones(n))
    assert found == pytest.approx(0.1, abs=0.02)
    assert naive > 0.18


def test_an_interval_of_a_difference_is_around_it() -> None:
    rng = np.random.default_rng(1)
    n = 4_000
    effect, treated = rng.random(n) * 0.4, rng.random(n) < 0.5
    outcome = (rng.random(n) < 0.2 + effect * treated).astype(np.float64)
    arms = arms_of(treated.astype(int).tolist(), outcome.tolist())
    found = estimate(make_qini, effect, arms=arms, rng=rng, other=rng.random(n), n_resamples=60)
    assert 0 < found.low < found.value < found.high
    # The known effects say the same as the rows of chance.
    assert found.low < true_qini(effect, effect) < found.high


@given(
    st.lists(st.floats(-1, 1, allow_nan=False), min_size=2, max_size=30),
    st.integers(0, 2**32 - 1),
)
def test_nothing_ranks_better_than_the_truth(effects: list[float], seed: int) -> None:
    truth: Floats = np.array(effects)
    score = np.random.default_rng(seed).permutation(truth)
    assert true_qini(score, truth) <= true_qini(truth, truth) + 1e-12
    assert true_qini(2 * truth + 3, truth) == pytest.approx(true_qini(truth, truth))


def test_bad_input_is_refused_with_what_was_expected() -> None:
    with pytest.raises(BadInputError, match="0 treated of 2"):
        arms_of([0, 0], [1, 0])
    with pytest.raises(BadInputError, match=r"\(0, 1\]"):
        make_uplift_at(0.0)
