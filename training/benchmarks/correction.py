"""Trees that correct a figure of ours by what it truly is: what else of the truth features tell."""

from collections.abc import Callable, Sequence
from typing import Final

import lightgbm
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Correction = Callable[[Floats], Floats]
"""From a matrix like the one it was taught on to what is to be added, (n,)."""

_N_TREES: Final = 200
_LEAVES: Final = 31
_LEAST_SHARE: Final = 0.008
"""Rows of a leaf, as a share of all: one case is many rows, and must not be a leaf of its own."""


def fit_correction(
    X: Floats, missing: Floats, *, groups: Sequence[int] = (), seed: int = 0
) -> Correction:
    """Learn what is missing by least squares.

    The same rows and seed give the same trees.

    Args:
        X: What is known, (n, features); NaN is null.
        missing: The truth less our figure, (n,).
        groups: Columns that are positions in closed sets.
        seed: Of the rows and features that a tree sees.
    """
    params: dict[str, str | int | float | bool] = {
        "objective": "regression",
        "learning_rate": 0.05,
        "num_leaves": _LEAVES,
        "min_data_in_leaf": max(int(_LEAST_SHARE * len(X)), 20),
        "feature_fraction": 0.7,
        "bagging_fraction": 0.7,
        "bagging_freq": 1,
        "seed": seed,
        "num_threads": 1,
        "deterministic": True,
        "force_row_wise": True,
        "verbosity": -1,
    }
    rows = lightgbm.Dataset(X, label=missing, categorical_feature=list(groups), params=params)
    booster = lightgbm.train(params, rows, num_boost_round=_N_TREES)

    def correct(seen: Floats) -> Floats:
        return np.asarray(booster.predict(seen, num_threads=1), dtype=np.float64)

    return correct
