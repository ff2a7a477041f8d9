import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from training.variant_prior.siblings import centre, centre_columns, find_spread


@given(st.integers(0, 10_000))
def test_columns_are_centred_as_values_are(seed: int) -> None:
    rng = np.random.default_rng(seed)
    tests = np.concatenate([np.arange(3), rng.integers(0, 3, 9)])
    weights = rng.random(12) + 0.1
    columns = rng.normal(size=(12, 4))
    centred = centre_columns(sparse.csr_array(columns), tests=tests, weights=weights).toarray()
    for at in range(4):
        np.testing.assert_allclose(
            centred[:, at], centre(columns[:, at], tests=tests, weights=weights), atol=1e-12
        )
    np.testing.assert_allclose(
        [np.bincount(tests, weights * centred[:, at]) for at in range(4)], 0.0, atol=1e-12
    )


@pytest.mark.parametrize("truth", [0.0, 0.05, 0.3])
def test_spread_of_true_values_is_found_beneath_the_noise(truth: float) -> None:
    rng = np.random.default_rng(1)
    tests = np.repeat(np.arange(1_500), 4)
    variance = rng.uniform(0.02, 0.3, len(tests))
    values = (
        rng.normal(size=1_500)[tests]
        + np.sqrt(truth) * rng.normal(size=len(tests))
        + np.sqrt(variance) * rng.normal(size=len(tests))
    )
    found = find_spread(values, tests=tests, sampling_variance=variance)
    assert found == pytest.approx(truth, abs=0.02)


def test_spread_without_siblings_is_nothing() -> None:
    assert find_spread(np.ones(3), tests=np.arange(3), sampling_variance=np.ones(3)) == 0.0
