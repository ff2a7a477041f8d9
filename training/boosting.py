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
_GROUP_TREES = 40

Params = dict[str, str | int | float | bool]


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
        settings: How its trees were grown.
        n_trees: Trees that early stopping kept.
        importance: Total gain by feature, summing to 1; all zero where no tree splits.
    """

    model: BoosterModel
    settings: BoosterSettings
    n_trees: int
    importance: Floats


def fit_booster(
    name: str,
    *,
    signature: FeatureSignature,
    train: LabelledRows,
    calibration: LabelledRows,
    seed: int,
    groups: Sequence[int] = (),
) -> FittedBooster:
    """Fit trees on `train`, stop them early and calibrate them on `calibration`.

    The same rows and seed give the same model, byte for byte. With fewer than 50 positives (or
    negatives) the trees are `RARE`; with none at all the model is the constant rate.

    Args:
        name: What it predicts.
        signature: Features of the matrix, in order.
        train: Earlier rows.
        calibration: Later rows.
        seed: Of the sampling of rows and features.
        groups: Columns that are positions in closed sets. The first trees learn the rates of
            their groups, and all others what the remaining features add to that.
    """
    n_scarce = min(int(train.labels.sum()), int((~train.labels).sum()))
    is_rare = n_scarce < _MANY_POSITIVES
    settings = RARE if is_rare else BoosterSettings()
    params = _write_params(settings, seed=seed, n_rows=len(train.labels))
    rows = _to_dataset(train, names=signature.names, groups=groups, params=params)
    booster = lightgbm.train(
        params,
        rows,
        num_boost_round=settings.max_rounds,
        valid_sets=[rows.create_valid(calibration.X, label=calibration.labels)],
        callbacks=[lightgbm.early_stopping(_PATIENCE, verbose=False)],
        init_model=None
        if is_rare or not groups
        else _learn_groups(train, names=signature.names, groups=groups, params=params),
    )
    if n_scarce == 0:
        fitted = fit_constant(np.concatenate([train.labels, calibration.labels]))
    else:
        raw = np.asarray(booster.predict(calibration.X, num_threads=1), dtype=np.float64)
        fitted = fit_platt(raw, labels=calibration.labels)
    n_trees = int(booster.best_iteration)
    gain = booster.feature_importance(importance_type="gain", iteration=n_trees)
    return FittedBooster(
        model=BoosterModel(
            name, "", signature, booster.model_to_string(num_iteration=n_trees), fitted
        ),
        settings=settings,
        n_trees=n_trees,
        importance=gain / max(float(gain.sum()), np.finfo(float).tiny),
    )


def _learn_groups(
    train: LabelledRows, *, names: tuple[str, ...], groups: Sequence[int], params: Params
) -> lightgbm.Booster:
    """A few trees that see the groups' columns alone."""
    X = np.zeros_like(train.X)
    X[:, groups] = train.X[:, groups]
    first = params | {
        "learning_rate": 0.3,
        "min_data_in_leaf": 20,
        "lambda_l2": 10.0,
        "feature_fraction": 1.0,
        "bagging_fraction": 1.0,
        "extra_trees": False,
    }
    rows = _to_dataset(LabelledRows(X, train.labels), names=names, groups=groups, params=first)
    return lightgbm.train(first, rows, num_boost_round=_GROUP_TREES)


def _to_dataset(
    rows: LabelledRows, *, names: tuple[str, ...], groups: Sequence[int], params: Params
) -> lightgbm.Dataset:
    return lightgbm.Dataset(
        rows.X,
        label=rows.labels,
        feature_name=list(names),
        categorical_feature=list(groups),
        params=params,
        free_raw_data=False,  # trees that continue others look at the rows again
    )


def _write_params(settings: BoosterSettings, *, seed: int, n_rows: int) -> Params:
    return {
        "objective": "binary",
        "learning_rate": settings.learning_rate,
        "num_leaves": settings.num_leaves,
        "min_data_in_leaf": settings.min_data_in_leaf,
        "lambda_l2": settings.lambda_l2,
        "feature_fraction": settings.feature_fraction,
        "bagging_fraction": settings.bagging_fraction,
        "bagging_freq": 1,
        "extra_trees": True,  # one random border per feature: less to overfit on few rows
        "seed": seed,
        # On few rows threads wait for each other, above all on a busy machine.
        "num_threads": _N_THREADS if n_rows >= _MANY_ROWS else 1,
        "deterministic": True,
        "force_row_wise": True,
        "verbosity": -1,
    }
