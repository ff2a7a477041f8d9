import numpy as np
import pytest

from tests.training.variant_prior.planted import plant
from training.variant_prior.finished import FinishedTests
from training.variant_prior.ranking import rank_pairs


def test_ranking_counts_pairs_within_tests() -> None:
    tests = FinishedTests(
        np.array(["a", "a", "a", "b", "b"], dtype=object),
        ("1", "2", "3", "4", "5"),
        ("en",) * 5,
        np.full(5, 1_000),
        np.array([10, 20, 100, 50, 50]),
    )
    ranking = rank_pairs(tests, np.array([0.0, 0.0, 1.0, 5.0, -5.0]))
    assert ranking.n_pairs == 3  # b's two are clicked alike
    assert ranking.all_pairs.value == pytest.approx(2.5 / 3)  # a tie is half
    assert ranking.n_sure == 2
    assert ranking.sure_pairs is not None
    assert ranking.sure_pairs.value == 1.0


def test_chance_ranks_half_and_its_interval_holds_that() -> None:
    inside = 0
    for seed in range(40):
        tests = plant(seed, n_tests=60, n_shown=500)
        scores = np.random.default_rng(1_000 + seed).normal(size=len(tests))
        pairs = rank_pairs(tests, scores).all_pairs
        inside += pairs.low <= 0.5 <= pairs.high
    assert inside >= 34  # 38 are expected; fewer than 34 have a probability below .01


def test_no_sure_pair_is_said() -> None:
    tests = FinishedTests(
        np.array(["a", "a"], dtype=object),
        ("1", "2"),
        ("en",) * 2,
        np.full(2, 20),
        np.array([1, 2]),
    )
    assert rank_pairs(tests, np.array([0.0, 1.0])).sure_pairs is None
