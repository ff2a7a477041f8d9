"""Boosted trees for yes or no: fitted on earlier rows, stopped and calibrated on later ones."""

from collections.abc import Sequence
from dataclasses import dataclass

import lightgbm
import numpy as np

from training.calibration import fit_constant, fit_platt
from training.measures import Bools, Floats
from training.registry.servable import BoosterModel, FeatureSignature

_N_THREADS = 2
_MANY_ROWS = 50_000
_MANY_POSITIVES = 50
_PATIENCE = 40


@dataclass(frozen=True)
class BoosterSettings:
    """How trees are grown; LightGBM's own names.

    The defaults are for some thousand rows, where larger trees gain nothing.

    Attributes:
        learning_rate: Shrinkage of each tree.
        num_leaves: Leaves of a tree.
        min_data_in_leaf: Rows of a leaf.
        lambda_l2: Penalty on leaf values.
        feature_fraction: Share of the features that a tree sees.
        bagging_fraction: Share of the rows that a tree sees.
        max_rounds: Trees at most; early stopping takes fewer.
    """

    learning_rate: float = 0.04
    num_leaves: int = 7
    min_data_in_leaf: int = 80
    lambda_l2: float = 20.0
    feature_fraction: float = 0.5
    bagging_fraction: float = 0.8
    max_rounds: int = 800


RARE = BoosterSettings(num_leaves=4, min_data_in_leaf=200, lambda_l2=50.0, max_rounds=60)
"""For fewer than 50 positives: a few shallow, heavily shrunk trees."""


@dataclass(frozen=True)
class LabelledRows:
    """A matrix (n, features), NaN is null, and its labels (n,)."""

    X: Floats
    labels: Bools


@dataclass(frozen=True)
class FittedBooster:
    """A booster and what a reader of its training wants to know.

    Attributes:
        model: Calibrated, ready to serve.
        n_trees: Trees that early stopping kept.
        importance: Total gain by feature, summing to 1; all zero where no tree splits.
    """

    model: BoosterModel
    n_trees: int
    importance: Floats


def fit_booster(
    name: str,
    *,
    signature: FeatureSignature,
    train: LabelledRows,
    calibration: LabelledRows,
    seed: int,
    settings: BoosterSettings | None = None,
    categorical: Sequence[int] = (),
) -> FittedBooster:
    """Fit trees on `train`, stop them early and calibrate them on `calibration`.

    The same rows and seed give the same model, byte for byte. With fewer than
    50 positives (or negatives) the trees are `RARE`; with none the model is the constant rate.

    Args:
        name: What it predicts.
        signature: Features of the matrix, in order.
        train: Earlier rows.
        calibration: Later rows.
        seed: Of the sampling of rows and features.
        settings: How trees are grown; None chooses by the number of positives.
        categorical: Columns that are positions in a closed set.
    """
    n_scarce = min(int(train.labels.sum()), int((~train.labels).sum()))
    chosen = settings or (BoosterSettings() if n_scarce >= _MANY_POSITIVES else RARE)
    # Below this size threads wait for each other, above all on a busy machine.
    n_threads = _N_THREADS if len(train.labels) >= _MANY_ROWS else 1
    params = _write_params(chosen, seed=seed, n_threads=n_threads)
    fitted_on = lightgbm.Dataset(
        train.X,
        label=train.labels,
        feature_name=list(signature.names),
        categorical_feature=list(categorical),
        params=params,
    )
    booster = lightgbm.train(
        params,
        fitted_on,
        num_boost_round=chosen.max_rounds,
        valid_sets=[fitted_on.create_valid(calibration.X, label=calibration.labels)],
        callbacks=[lightgbm.early_stopping(_PATIENCE, verbose=False)],
    )
    if n_scarce == 0:
        fitted = fit_constant(np.concatenate([train.labels, calibration.labels]))
    else:
        raw = np.asarray(booster.predict(calibration.X, num_threads=1), dtype=np.float64)
        fitted = fit_platt(raw, labels=calibration.labels)
    text = booster.model_to_string(num_iteration=booster.best_iteration)
    gain = np.asarray(booster.feature_importance(importance_type="gain"), dtype=np.float64)
    return FittedBooster(
        model=BoosterModel(name, "", signature, text, fitted),
        n_trees=int(booster.best_iteration),
        importance=gain / max(gain.sum(), np.finfo(float).tiny),
    )


def _write_params(
    settings: BoosterSettings, *, seed: int, n_threads: int
) -> dict[str, str | int | float | bool]:
    return {
        "objective": "binary",
        "learning_rate": settings.learning_rate,
        "num_leaves": settings.num_leaves,
        "min_data_in_leaf": settings.min_data_in_leaf,
        "lambda_l2": settings.lambda_l2,
        "feature_fraction": settings.feature_fraction,
        "bagging_fraction": settings.bagging_fraction,
        "bagging_freq": 1,
        "seed": seed,
        "num_threads": n_threads,
        "deterministic": True,
        "force_row_wise": True,
        "verbosity": -1,
    }
