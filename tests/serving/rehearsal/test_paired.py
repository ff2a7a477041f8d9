"""Two copies of one world, customer by customer."""

import numpy as np
import pandas as pd
import pytest

from serving.rehearsal.paired import LogRatio, find_fall, find_gain

N = 4000


def _copies(*, seed: int, prevented: float) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Calls that somebody would make anyway, and those that are left of them."""
    rng = np.random.default_rng(seed)
    alone = rng.poisson(0.3, N).astype(np.float64)
    told = rng.binomial(alone.astype(np.int64), 1.0 - prevented).astype(np.float64)
    index = [f"c{n}" for n in range(N)]
    return pd.DataFrame({"calls": told}, index=index), pd.DataFrame({"calls": alone}, index=index)


def test_find_fall_finds_the_truth_within_its_interval() -> None:
    within = 0
    for seed in range(200):
        found = find_fall(*_copies(seed=seed, prevented=0.2), columns=["calls"])
        assert found.low is not None
        assert found.high is not None
        within += found.low < 0.2 < found.high

    assert 0.91 < within / 200 < 0.985


def test_find_fall_is_surer_of_the_same_customers_than_of_others() -> None:
    ours, theirs = _copies(seed=0, prevented=0.2)
    shuffled = theirs.set_axis(np.random.default_rng(1).permutation(theirs.index))
    paired, unpaired = (find_fall(ours, copy, columns=["calls"]) for copy in (theirs, shuffled))

    assert paired.value == unpaired.value
    assert paired.low is not None
    assert unpaired.low is not None
    assert paired.value - paired.low < 0.6 * (unpaired.value - unpaired.low)


def test_find_fall_goes_by_name_and_not_by_place() -> None:
    ours, theirs = _copies(seed=0, prevented=0.2)

    assert find_fall(ours, theirs.iloc[::-1], columns=["calls"]) == find_fall(
        ours, theirs, columns=["calls"]
    )


def test_find_fall_from_nothing_is_nothing() -> None:
    ours, theirs = _copies(seed=0, prevented=0.2)
    found = find_fall(ours, theirs * 0.0, columns=["calls"])

    assert np.isnan(found.value)
    assert (found.low, found.high, found.n) == (None, None, N)


def test_beside_takes_off_what_befell_others() -> None:
    told = LogRatio.of(np.array([2.0, 4.0]), np.array([4.0, 8.0]))
    spared = LogRatio.of(np.array([9.0, 9.0]), np.array([10.0, 10.0]))
    assert told is not None
    assert spared is not None
    found = told.beside(spared).fall()

    assert found.value == pytest.approx(1.0 - 0.5 / 0.9)
    assert found.n == 4


def test_where_no_pair_differs_there_is_no_interval() -> None:
    same = pd.DataFrame({"calls": [1.0, 0.0, 2.0], "stays": [True, False, True]}, index=list("abc"))
    for found in (
        find_gain(same, same, column="stays"),
        find_fall(same, same, columns=["calls"]),
    ):
        assert (found.value, found.low, found.high) == (0.0, None, None)


def test_find_gain_is_the_mean_difference_of_the_same_customers() -> None:
    ours = pd.DataFrame({"stays": [True, True, False, True]}, index=list("abcd"))
    theirs = pd.DataFrame({"stays": [True, False, False, False]}, index=list("abcd"))
    found = find_gain(ours, theirs, column="stays")

    half = 1.959964 * np.sqrt(np.var([0, 1, 0, 1], ddof=1) / 4)
    assert found.value == 0.5
    assert (found.low, found.high) == pytest.approx((0.5 - half, 0.5 + half))
