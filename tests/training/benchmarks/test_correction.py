"""What trees add to a figure of ours: what features tell of the truth, and no more."""

import numpy as np

from training.benchmarks.correction import fit_correction


def test_fit_correction_finds_what_features_tell() -> None:
    rng = np.random.default_rng(3)
    X = np.column_stack([rng.integers(0, 3, 6000), rng.normal(size=(6000, 2))])
    told = np.array([1.0, -2.0, 0.5])[X[:, 0].astype(int)] + 2.0 * (X[:, 1] > 0.0)
    hidden = rng.normal(size=6000)
    half = slice(0, 3000)
    later = slice(3000, None)

    correct = fit_correction(X[half], (told + hidden)[half], groups=(0,))

    left = told[later] - correct(X[later])
    assert np.var(left) < 0.05 * np.var(told)
    again = fit_correction(X[half], (told + hidden)[half], groups=(0,))
    np.testing.assert_array_equal(again(X[later]), correct(X[later]))


def test_fit_correction_adds_next_to_nothing_where_features_tell_nothing() -> None:
    rng = np.random.default_rng(4)
    X, hidden = rng.normal(size=(6000, 5)), rng.normal(size=6000)

    correct = fit_correction(X[:3000], hidden[:3000])

    rest = hidden[3000:]
    left = np.var(rest - correct(X[3000:]))
    assert left > 0.95 * np.var(rest)
