"""Trees over what is pooled: what features of the customer, recent load among them, still add."""

from dataclasses import asdict, dataclass
from typing import Final

import lightgbm
import numpy as np

from training.boosting import RARE, BoosterSettings, FittedBooster
from training.measures import Bools, Floats
from training.registry.servable import BoosterModel, FeatureSignature

_PATIENCE: Final = 40
_MANY_POSITIVES: Final = 50
_MANY_ROWS: Final = 50_000
_N_GROUPS: Final = 2
"""Channel and trigger, the last columns of the matrix, are positions in closed sets."""


@dataclass(frozen=True)
class OffsetRows:
    """A matrix (n, features), NaN is null, pooled log-odds (n,) and labels (n,)."""

    X: Floats
    z: Floats
    labels: Bools


def fit_correction(
    name: str,
    *,
    signature: FeatureSignature,
    train: OffsetRows,
    calibration: OffsetRows,
    seed: int,
) -> FittedBooster:
    """Trees that add to the pooled log-odds; none where they do not help on the later rows.

    The same rows and seed give the same trees, byte for byte.
    """
    n_scarce = min(int(train.labels.sum()), int((~train.labels).sum()))
    settings = RARE if n_scarce < _MANY_POSITIVES else BoosterSettings()
    params = {
        **{key: value for key, value in asdict(settings).items() if key != "max_rounds"},
        "objective": "binary",
        "bagging_freq": 1,
        "extra_trees": True,
        "seed": seed,
        "num_threads": 2 if len(train.labels) >= _MANY_ROWS else 1,
        "deterministic": True,
        "force_row_wise": True,
        "verbosity": -1,
    }
    n_features = len(signature.names)
    rows = lightgbm.Dataset(
        train.X,
        label=train.labels,
        init_score=train.z,
        feature_name=list(signature.names),
        categorical_feature=list(range(n_features - _N_GROUPS, n_features)),
        params=params,
    )
    later = rows.create_valid(calibration.X, label=calibration.labels, init_score=calibration.z)
    booster = lightgbm.train(
        params,
        rows,
        num_boost_round=settings.max_rounds,
        valid_sets=[later],
        callbacks=[lightgbm.early_stopping(_PATIENCE, verbose=False)],
    )
    n_trees = int(booster.best_iteration)
    with_trees = float(booster.best_score["valid_0"]["binary_logloss"])
    without = float((np.logaddexp(0.0, calibration.z) - calibration.z * calibration.labels).mean())
    gain = booster.feature_importance(importance_type="gain", iteration=n_trees)
    return FittedBooster(
        model=BoosterModel(name, "", signature, booster.model_to_string(num_iteration=n_trees)),
        settings=settings,
        n_trees=n_trees if with_trees < without else 0,
        importance=gain / max(float(gain.sum()), np.finfo(float).tiny),
    )
