"""Comparing wordings with their siblings only: a test has a level of its own.

Tests differ in what they are about far more than wordings of a test differ, so everything here
looks at deviations from the test's own mean.
"""

import numpy as np
from scipy import sparse

from training.measures import Floats, Integers


def centre(values: Floats, *, tests: Integers, weights: Floats) -> Floats:
    """Values (n,) less the weighted mean of their test."""
    total = np.bincount(tests, weights)
    mean = np.bincount(tests, weights * values) / np.where(total > 0.0, total, 1.0)
    centred: Floats = values - mean[tests]
    return centred


def centre_columns(
    columns: sparse.csr_array, *, tests: Integers, weights: Floats
) -> sparse.csr_array:
    """Columns (n, k) less the weighted means of each row's test."""
    n_tests = int(tests.max()) + 1
    total = np.bincount(tests, weights)
    share = weights / np.where(total > 0.0, total, 1.0)[tests]
    places = np.arange(len(tests))
    means = sparse.csr_array((share, (tests, places)), shape=(n_tests, len(tests))) @ columns
    back = sparse.csr_array((np.ones(len(tests)), (places, tests)), shape=(len(tests), n_tests))
    return sparse.csr_array(columns - back @ means)


def find_spread(values: Floats, *, tests: Integers, sampling_variance: Floats) -> float:
    """Variance between the true values of siblings, by moments (DerSimonian and Laird 1986).

    Args:
        values: Measured, (n,).
        tests: Of each, (n,).
        sampling_variance: By how much the measured ones stray from the true ones, (n,).

    Returns:
        0 where siblings differ no more than by chance.
    """
    weights = 1.0 / sampling_variance
    deviations = centre(values, tests=tests, weights=weights)
    total, squares = np.bincount(tests, weights), np.bincount(tests, weights**2)
    there = total > 0.0
    excess = (weights * deviations**2).sum() - (len(values) - there.sum())
    scale = (total[there] - squares[there] / total[there]).sum()
    return max(0.0, float(excess / scale)) if scale > 0.0 else 0.0
