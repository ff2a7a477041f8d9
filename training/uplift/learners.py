"""Learners of effects, each short: what a treatment adds to the outcome of one who could get it.

- `T` (two models): the outcome with the treatment minus the outcome without.
- `X` (Künzel, Sekhon, Bickel & Yu 2019): what each treated row had beyond what the other model
  expects without treatment, and the reverse, averaged by the probability of treatment.
- `DR` (Kennedy 2020): a regression of the doubly robust pseudo-outcome, nuisances cross-fitted.
- `REACH`: a product of few numbers, effect = group x treatment x reach; see
  `training.uplift.products`.

The first three are boosted trees of three leaves. An effect is a small difference between large
noises: deeper trees learn the noise.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

import lightgbm
import numpy as np

from training.measures import Bools, Floats, Integers
from training.registry.servable import ReachEffect, TreeEffect
from training.uplift.products import find_room, fit_products
from training.uplift.trial import NONE, Pairs, Trial, pair_up, to_matrix

Weights = Floats


class Learner(StrEnum):
    """How effects can be learned."""

    T = "t"
    X = "x"
    DR = "dr"
    REACH = "reach"


@dataclass(frozen=True)
class UpliftSettings:
    """How the trees are grown; fixed beforehand, never on the rows that judge.

    Attributes:
        n_trees: Trees of an effect or an outcome.
        num_leaves: Leaves of a tree.
        learning_rate: Shrinkage of each tree.
        min_data_in_leaf: Rows of a leaf.
        lambda_l2: Penalty on leaf values.
        n_folds: Parts for cross-fitting; a customer's rows stay together.
    """

    n_trees: int = 30
    num_leaves: int = 3
    learning_rate: float = 0.1
    min_data_in_leaf: int = 200
    lambda_l2: float = 20.0
    n_folds: int = 3


@dataclass(frozen=True)
class Nuisance:
    """What each row's outcome would be expected to be, from rows of other customers.

    Attributes:
        without: Without treatment, (n,).
        given: With each treatment, (n, treatments).
        p_treated: P(treated at all), (n,), clipped to [.05, .95].
    """

    without: Floats
    given: Floats
    p_treated: Floats


Part = TreeEffect | ReachEffect


def fit_nuisance(trial: Trial, *, settings: UpliftSettings, seed: int) -> Nuisance:
    """Expected outcomes, cross-fitted: each fold's from the customers of all others."""
    fold = assign_folds(trial, n_folds=settings.n_folds, seed=seed)
    n, k = len(trial.outcome), trial.n_treatments
    without, given = np.zeros(n), np.zeros((n, k))
    for part in range(settings.n_folds):
        inside, outside = np.flatnonzero(fold == part), fold != part
        models = fit_outcomes(trial.take(outside), settings=settings, seed=seed)
        without[inside], given[inside] = models.expect(trial.take(inside))
    p = np.clip(estimate_p_treated(trial), 0.05, 0.95)
    return Nuisance(without, given, p)


def estimate_p_treated(trial: Trial) -> Floats:
    """P(treated): known of the treated only by channel, so the share in the row's group."""
    n_groups = int(trial.group.max(initial=0)) + 1
    share = np.bincount(trial.group, trial.treated, n_groups) / np.maximum(
        np.bincount(trial.group, minlength=n_groups), 1
    )
    p: Floats = share[trial.group]
    return p


@dataclass(frozen=True)
class OutcomeModels:
    """Two models: the outcome without treatment, and with the treatment that it is told."""

    without: lightgbm.Booster
    given: lightgbm.Booster

    def expect(self, trial: Trial) -> tuple[Floats, Floats]:
        """Expected outcomes without, (n,), and with each treatment, (n, treatments)."""
        none = _control_matrix(trial)
        by_treatment = [
            _predict(self.given, _pair_matrix(trial, treatment=np.full(len(none), position)))
            for position in range(trial.n_treatments)
        ]
        return _predict(self.without, none), np.column_stack(by_treatment)


def fit_outcomes(
    trial: Trial,
    *,
    settings: UpliftSettings,
    seed: int,
    weights: Weights | None = None,
) -> OutcomeModels:
    """Fit both outcome models on these rows."""
    w = np.ones(len(trial.outcome)) if weights is None else weights
    treated = trial.treated
    given = trial.take(treated)
    return OutcomeModels(
        without=_fit_trees(
            _control_matrix(trial.take(~treated)),
            trial.outcome[~treated],
            weights=w[~treated],
            settings=settings,
            seed=seed,
        ),
        given=_fit_trees(
            _pair_matrix(given, treatment=given.treatment),
            given.outcome,
            weights=w[treated],
            settings=settings,
            seed=seed,
        ),
    )


def make_pseudo_outcomes(trial: Trial, nuisance: Nuisance) -> Floats:
    """Doubly robust effect of every pair, (n, treatments); unbiased where p is right.

    Robins & Rotnitzky (1995); as a target of regression Kennedy (2020).
    """
    control, rows = ~trial.treated, np.arange(len(trial.outcome))
    pseudo = nuisance.given - nuisance.without[:, None]
    missed = np.where(control, (trial.outcome - nuisance.without) / trial.p_taken, 0.0)
    pseudo -= missed[:, None]
    got = trial.treatment
    given = rows[got != NONE]
    residual = trial.outcome[given] - nuisance.given[given, got[given]]
    pseudo[given, got[given]] += residual / trial.p_taken[given]
    return pseudo


@dataclass(frozen=True)
class Lesson:
    """What a learner is given.

    Attributes:
        trial: The rows.
        nuisance: Their expected outcomes, cross-fitted.
        settings: How trees are grown.
        seed: Of the sampling of rows and features.
        weights: How often each row counts, (n,).
        z: Moves what has a posterior by so many standard deviations; see `fit_products`.
    """

    trial: Trial
    nuisance: Nuisance
    settings: UpliftSettings
    seed: int
    weights: Weights
    z: Floats | None = None

    def fit(self, X: Floats, y: Floats, *, weights: Weights) -> lightgbm.Booster:
        """Trees of these rows."""
        return _fit_trees(X, y, weights=weights, settings=self.settings, seed=self.seed)


def fit_part(learner: Learner, lesson: Lesson) -> Part:
    """Fit one learner."""
    return _FITS[learner](lesson)


def _fit_t(lesson: Lesson) -> TreeEffect:
    models = fit_outcomes(
        lesson.trial, settings=lesson.settings, seed=lesson.seed, weights=lesson.weights
    )
    return TreeEffect((models.given.model_to_string(), models.without.model_to_string()), (1, -1))


def _fit_x(lesson: Lesson) -> TreeEffect:
    trial, nuisance, w = lesson.trial, lesson.nuisance, lesson.weights
    treated = trial.treated
    given, control = trial.take(treated), trial.take(~treated)
    of_treated = lesson.fit(
        _pair_matrix(given, treatment=given.treatment),
        given.outcome - nuisance.without[treated],
        weights=w[treated],
    )
    pairs = pair_up(control.eligible)
    missed = nuisance.given[~treated] - control.outcome[:, None]
    of_control = lesson.fit(
        _matrix_of(control, pairs),
        missed[pairs.row, pairs.treatment],
        weights=w[~treated][pairs.row] / control.eligible.sum(axis=1)[pairs.row],
    )
    share = float(nuisance.p_treated.mean())
    texts = (of_treated.model_to_string(), of_control.model_to_string())
    return TreeEffect(texts, (1.0 - share, share))


def _fit_dr(lesson: Lesson) -> TreeEffect:
    trial = lesson.trial
    pairs = pair_up(trial.eligible)
    pseudo = make_pseudo_outcomes(trial, lesson.nuisance)
    booster = lesson.fit(
        _matrix_of(trial, pairs),
        pseudo[pairs.row, pairs.treatment],
        weights=lesson.weights[pairs.row] / trial.eligible.sum(axis=1)[pairs.row],
    )
    return TreeEffect((booster.model_to_string(),), (1.0,))


def _fit_reach(lesson: Lesson) -> ReachEffect:
    trial, nuisance = lesson.trial, lesson.nuisance
    expected = trial.p_none * nuisance.without + (trial.p_each * nuisance.given).sum(axis=1)
    # Its uncertainty is the posterior's, not the bootstrap's.
    return fit_products(trial, expected, room=find_room(trial, nuisance.without), z=lesson.z)


_FITS: Mapping[Learner, Callable[[Lesson], Part]] = {
    Learner.T: _fit_t,
    Learner.X: _fit_x,
    Learner.DR: _fit_dr,
    Learner.REACH: _fit_reach,
}


def assign_folds(trial: Trial, *, n_folds: int, seed: int) -> Integers:
    """Fold of each row; a customer's rows stay together."""
    unique, position = np.unique(trial.customers, return_inverse=True)
    folds = np.random.default_rng(seed).permutation(len(unique)) % n_folds
    return folds[position].astype(np.int64)


def _matrix_of(trial: Trial, pairs: Pairs) -> Floats:
    return to_matrix(
        trial.X[pairs.row],
        group=trial.group[pairs.row],
        treatment=pairs.treatment,
        reach=trial.reach[pairs.row, pairs.treatment],
    )


def _pair_matrix(trial: Trial, *, treatment: Integers) -> Floats:
    rows = np.arange(len(treatment))
    return to_matrix(
        trial.X, group=trial.group, treatment=treatment, reach=trial.reach[rows, treatment]
    )


def _control_matrix(trial: Trial) -> Floats:
    n = len(trial.outcome)
    return to_matrix(trial.X, group=trial.group, treatment=np.full(n, NONE), reach=np.zeros(n))


def _fit_trees(
    X: Floats, y: Floats, *, weights: Weights, settings: UpliftSettings, seed: int
) -> lightgbm.Booster:
    kept: Bools = weights > 0
    params = {
        "objective": "regression",
        "learning_rate": settings.learning_rate,
        "num_leaves": settings.num_leaves,
        "min_data_in_leaf": settings.min_data_in_leaf,
        "lambda_l2": settings.lambda_l2,
        "feature_fraction": 0.7,
        "bagging_fraction": 0.8,
        "bagging_freq": 1,
        "seed": seed,
        "num_threads": 1,
        "deterministic": True,
        "force_row_wise": True,
        "verbosity": -1,
    }
    n_features = X.shape[1]
    rows = lightgbm.Dataset(
        X[kept],
        label=y[kept],
        weight=weights[kept],
        categorical_feature=[n_features - 3, n_features - 2],
        params=params,
    )
    return lightgbm.train(params, rows, num_boost_round=settings.n_trees)


def _predict(booster: lightgbm.Booster, X: Floats) -> Floats:
    return np.asarray(booster.predict(X, num_threads=1), dtype=np.float64)
