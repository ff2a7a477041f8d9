"""Boosted trees for yes or no: fitted on earlier rows, stopped and calibrated on later ones."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import lightgbm
import numpy as np

from features.errors import BadInputError
from training.calibration import fit_constant, fit_platt
from training.measures import Bools, Floats
from training.registry.servable import BoosterModel, Calibration, FeatureSignature

_N_THREADS = 2
_THREADS_FROM_ROWS = 50_000
_MANY_ROWS = 200_000
_MANY_POSITIVES = 50
PATIENCE = 40
_GROUP_TREES = 40
_MOST_CALIBRATION_ROWS = 100_000

Params = dict[str, str | int | float | bool]


@dataclass(frozen=True)
class BoosterSettings:
    """How trees are grown; LightGBM's own names.

    The defaults are for some thousand rows, where larger trees gain nothing; `choose_settings`
    says what is taken when nobody chose.

    Attributes:
        learning_rate: Shrinkage of each tree.
        num_leaves: Leaves of a tree.
        min_data_in_leaf: Rows of a leaf.
        lambda_l2: Penalty on leaf values.
        feature_fraction: Share of the features that a tree sees.
        bagging_fraction: Share of the rows that a tree sees.
        max_rounds: Trees at most; early stopping takes fewer.
        extra_trees: One random border per feature instead of the best (Geurts et al. 2006): less
            to overfit on few rows, and steadier where later rows differ from earlier ones.
    """

    learning_rate: float = 0.04
    num_leaves: int = 7
    min_data_in_leaf: int = 80
    lambda_l2: float = 20.0
    feature_fraction: float = 0.5
    bagging_fraction: float = 0.8
    max_rounds: int = 800
    extra_trees: bool = True
    refit: bool = False


RARE = BoosterSettings(num_leaves=4, min_data_in_leaf=200, lambda_l2=50.0, max_rounds=60)
"""For fewer than 50 positives: a few shallow, heavily shrunk trees."""

EXACT = BoosterSettings(num_leaves=4, extra_trees=False, refit=True)
"""Shallow trees with the best borders: for rows that are all of one time, as in a survey."""

LARGE = BoosterSettings(
    learning_rate=0.15, num_leaves=31, min_data_in_leaf=200, max_rounds=80, extra_trees=False
)
"""For 200,000 rows and more: fewer and larger trees, each of which costs a pass over the rows."""


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
    settings: BoosterSettings | None = None,
    monotone: Mapping[str, int] | None = None,
) -> FittedBooster:
    """Fit trees on `train`, stop them early and calibrate them on `calibration`.

    The same rows and seed give the same model, byte for byte. With no positives (or negatives) at
    all the model is the constant rate. More than 100,000 rows are calibrated on a sample of them.

    Args:
        name: What it predicts.
        signature: Features of the matrix, in order.
        train: Earlier rows.
        calibration: Later rows.
        seed: Of the sampling of rows and features.
        groups: Columns that are positions in closed sets. The first trees learn the rates of
            their groups, and all others what the remaining features add to that.
        settings: How trees are grown; None takes what `choose_settings` says.
        monotone: By the name of a feature +1 where the probability may only rise with it, -1
            where it may only fall: what one knows beforehand and rows of one period cannot tell.

    Raises:
        BadInputError: `monotone` names a feature that there is not, or another direction.
    """
    chosen = settings or choose_settings(train.labels)
    params = write_params(chosen, seed=seed, n_rows=len(train.labels))
    params |= _constrain(monotone or {}, names=signature.names)
    booster = _grow(
        train, calibration, chosen.max_rounds, params=params, names=signature.names, groups=groups
    )
    fitted = _calibrate(booster, train=train, calibration=calibration, seed=seed)
    n_trees = int(booster.best_iteration)
    if chosen.refit and n_trees:
        both = LabelledRows(
            np.concatenate([train.X, calibration.X]),
            np.concatenate([train.labels, calibration.labels]),
        )
        booster = _grow(both, None, n_trees, params=params, names=signature.names, groups=groups)
    gain = booster.feature_importance(importance_type="gain", iteration=n_trees)
    return FittedBooster(
        model=BoosterModel(
            name, "", signature, booster.model_to_string(num_iteration=n_trees), fitted
        ),
        settings=chosen,
        n_trees=n_trees,
        importance=gain / max(float(gain.sum()), np.finfo(float).tiny),
    )


def choose_settings(labels: Bools) -> BoosterSettings:
    """What is taken for training rows with these labels: `RARE`, `LARGE` or the defaults."""
    if _count_scarce(labels) < _MANY_POSITIVES:
        return RARE
    return LARGE if len(labels) >= _MANY_ROWS else BoosterSettings()


def _grow(
    train: LabelledRows,
    stopping: LabelledRows | None,
    n_most: int,
    *,
    params: Params,
    names: tuple[str, ...],
    groups: Sequence[int],
) -> lightgbm.Booster:
    """At most that many trees, those of the groups included; exactly as many without `stopping`."""
    begins_with_groups = bool(groups) and _count_scarce(train.labels) >= _MANY_POSITIVES
    first = (
        _learn_groups(train, names=names, groups=groups, params=params)
        if begins_with_groups
        else None
    )
    rows = _to_dataset(
        train, names=names, groups=groups, params=params, is_continued=begins_with_groups
    )
    callbacks: list[Callable[..., object]] = []
    if stopping is not None:
        callbacks.append(lightgbm.early_stopping(PATIENCE, verbose=False))
    return lightgbm.train(
        params,
        rows,
        num_boost_round=max(n_most - (_GROUP_TREES if begins_with_groups else 0), 1),
        valid_sets=[rows.create_valid(stopping.X, label=stopping.labels)] if stopping else None,
        callbacks=callbacks,
        init_model=first,
    )


def _calibrate(
    booster: lightgbm.Booster, *, train: LabelledRows, calibration: LabelledRows, seed: int
) -> Calibration:
    if _count_scarce(train.labels) == 0:
        return fit_constant(np.concatenate([train.labels, calibration.labels]))
    n_rows, X, labels = len(calibration.labels), calibration.X, calibration.labels
    if n_rows > _MOST_CALIBRATION_ROWS:
        rng = np.random.default_rng(seed)
        sample = rng.choice(n_rows, size=_MOST_CALIBRATION_ROWS, replace=False)
        X, labels = X[sample], labels[sample]
    n_threads = _N_THREADS if n_rows >= _THREADS_FROM_ROWS else 1
    raw = np.asarray(booster.predict(X, num_threads=n_threads), dtype=np.float64)
    return fit_platt(raw, labels=labels)


def _count_scarce(labels: Bools) -> int:
    """Rows of the rarer label."""
    n_positive = int(labels.sum())
    return min(n_positive, len(labels) - n_positive)


def _constrain(monotone: Mapping[str, int], *, names: tuple[str, ...]) -> Params:
    wrong = {name: way for name, way in monotone.items() if name not in names or way not in (-1, 1)}
    if wrong:
        raise BadInputError(f"monotone: {wrong}; expected -1 or 1 by name of a feature: {names}")
    if not monotone:
        return {}
    return {"monotone_constraints": ",".join(str(monotone.get(name, 0)) for name in names)}


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
    rows = _to_dataset(
        LabelledRows(X, train.labels), names=names, groups=groups, params=first, is_continued=False
    )
    return lightgbm.train(first, rows, num_boost_round=_GROUP_TREES)


def _to_dataset(
    rows: LabelledRows,
    *,
    names: tuple[str, ...],
    groups: Sequence[int],
    params: Params,
    is_continued: bool,
) -> lightgbm.Dataset:
    # Threads of LightGBM do not know of `verbosity`, and warn of codes that are no closed set.
    alone: Params = {"num_threads": 1} if groups else {}
    dataset = lightgbm.Dataset(
        rows.X,
        label=rows.labels,
        feature_name=list(names),
        categorical_feature=list(groups),
        params=params | alone,
        free_raw_data=not is_continued,  # trees that continue others look at the rows again
    )
    return dataset.construct() if groups else dataset


def write_params(settings: BoosterSettings, *, seed: int, n_rows: int) -> Params:
    """What LightGBM is told."""
    return {
        "objective": "binary",
        "learning_rate": settings.learning_rate,
        "num_leaves": settings.num_leaves,
        "min_data_in_leaf": settings.min_data_in_leaf,
        "lambda_l2": settings.lambda_l2,
        "feature_fraction": settings.feature_fraction,
        "bagging_fraction": settings.bagging_fraction,
        "bagging_freq": 1,
        "extra_trees": settings.extra_trees,
        "seed": seed,
        # On few rows threads wait for each other, above all on a busy machine.
        "num_threads": _N_THREADS if n_rows >= _THREADS_FROM_ROWS else 1,
        "deterministic": True,
        "force_row_wise": True,
        "verbosity": -1,
    }
