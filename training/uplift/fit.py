"""An uplift model from a trial: learners weighted by what they foretell of others, and intervals.

The learners are cross-fitted. Of those that foretell the doubly robust pseudo-outcomes of held-out
customers clearly better than the mean effect does (by an interval that excludes zero), the weights
are those, none negative, that meet them best: R-stacking (Nie & Wager 2021) on Kennedy's (2020)
pseudo-outcomes. Where none does, the first learner is taken alone: the simplest should come first.
"""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from scipy.optimize import nnls

from features.errors import BadInputError
from training.datasets.provenance import Customers
from training.evaluation import draw_weights
from training.measures import Bools, Floats, Integers
from training.registry.servable import Member
from training.uplift.learners import (
    Learner,
    Lesson,
    Nuisance,
    UpliftSettings,
    assign_folds,
    fit_nuisance,
    fit_part,
    make_pseudo_outcomes,
)
from training.uplift.products import find_room
from training.uplift.trial import Trial, pair_up, to_matrix

N_REPLICATES: Final = 12
"""Of the bootstrap behind an effect's standard deviation."""

FEWEST_ROWS: Final = 200
"""Rows with, and rows without treatment, below which nothing is fitted."""


@dataclass(frozen=True)
class Weighed:
    """What a learner foretold of held-out customers.

    Attributes:
        learner: Which.
        weight: In the average.
        gain: How much less the squared error to the held-out pseudo-outcomes is than that of the
            mean effect of each treatment, in squared outcomes a row; below 0 is worse.
    """

    learner: Learner
    weight: float
    gain: float


@dataclass(frozen=True)
class FittedEffects:
    """The average of learners, its bootstrap replicates, and how the weights came about.

    Attributes:
        members: The model, then its replicates.
        weighed: Every learner that was tried.
        nuisance: Expected outcomes of the rows, cross-fitted.
    """

    members: tuple[Member, ...]
    weighed: tuple[Weighed, ...]
    nuisance: Nuisance


def fit_effects(
    trial: Trial,
    *,
    learners: tuple[Learner, ...],
    seed: int,
    settings: UpliftSettings | None = None,
    n_replicates: int = N_REPLICATES,
) -> FittedEffects:
    """Fit, weigh and replicate.

    Args:
        trial: Rows of chance.
        learners: Which to weigh; the first is taken where none foretells anything.
        seed: Of everything random.
        settings: How trees are grown.
        n_replicates: Bootstrap replicates, drawn by customer; expected outcomes are kept.

    Raises:
        BadInputError: Fewer than 200 rows with, or without treatment.
    """
    if min(trial.count_both()) < FEWEST_ROWS:
        raise BadInputError(
            f"a trial needs {FEWEST_ROWS} rows with and without treatment, got {trial.count_both()}"
        )
    chosen = settings or UpliftSettings()
    nuisance = fit_nuisance(trial, settings=chosen, seed=seed)
    weighed = weigh(trial, nuisance, learners=learners, settings=chosen, seed=seed)
    kept = tuple(one for one in weighed if one.weight > 0)
    everybody = Lesson(trial, nuisance, chosen, seed, np.ones(len(trial.outcome)))
    n_groups = int(trial.group.max(initial=0)) + 1
    moved = _draw_z(n_groups, n_draws=n_replicates, seed=seed)
    rng = np.random.default_rng(seed)
    draws = list(draw_weights(trial.customers, rng=rng, n_resamples=max(n_replicates, 1)))
    lessons = [everybody] + [
        replace(everybody, seed=seed + 1 + at, weights=counts, z=z)
        for at, (counts, z) in enumerate(zip(draws[:n_replicates], moved, strict=True))
    ]
    members = [
        Member(tuple(one.weight for one in kept), tuple(fit_part(one.learner, it) for one in kept))
        for it in lessons
    ]
    return FittedEffects(tuple(members), weighed, nuisance)


def weigh(
    trial: Trial,
    nuisance: Nuisance,
    *,
    learners: tuple[Learner, ...],
    settings: UpliftSettings,
    seed: int,
) -> tuple[Weighed, ...]:
    """Weights of the learners from cross-fitted effects; see the module."""
    fold = assign_folds(trial, n_folds=settings.n_folds, seed=seed + 1)
    pairs = pair_up(trial.eligible)
    target = make_pseudo_outcomes(trial, nuisance)[pairs.row, pairs.treatment]
    w = 1.0 / trial.eligible.sum(axis=1)[pairs.row]
    room = find_room(trial, nuisance.without)[pairs.row]
    told = np.zeros((len(learners), len(target)))
    mean = np.zeros(len(target))
    for part in range(settings.n_folds):
        outside, here = fold != part, fold[pairs.row] == part
        train, its = trial.take(outside), _take_nuisance(nuisance, outside)
        mean[here] = _mean_effects(train, its)[pairs.treatment[here]]
        matrix = _pair_matrix(trial, pairs.row[here], pairs.treatment[here])
        for at, learner in enumerate(learners):
            lesson = Lesson(train, its, settings, seed, np.ones(len(train.outcome)))
            fitted = fit_part(learner, lesson)
            seen = room[here] if learner is Learner.REACH else 1.0
            told[at, here] = seen * fitted.predict(matrix)
    less = w * ((target - mean) ** 2 - (target - told) ** 2)
    gains = less.sum(axis=1) / w.sum()
    clear = np.array([_is_clear(own, trial.customers[pairs.row]) for own in less])
    weights = _stack(told, target, w=w, among=clear)
    return tuple(
        Weighed(learner, float(weight), float(gain))
        for learner, weight, gain in zip(learners, weights, gains, strict=True)
    )


def _is_clear(less: Floats, customers: Customers) -> bool:
    """Whether the errors saved are above zero by 1.96 standard errors, drawn by customer."""
    _, position = np.unique(customers, return_inverse=True)
    by_customer = np.bincount(position, less)
    return bool(by_customer.sum() > 1.96 * np.sqrt((by_customer**2).sum()))


def _stack(told: Floats, target: Floats, *, w: Floats, among: Bools) -> Floats:
    """Weights of the learners; one that is alone keeps its own scale."""
    weights = np.zeros(len(told))
    if among.sum() > 1:
        root = np.sqrt(w / w.sum())
        weights[among], _ = nnls((told[among] * root).T, target * root)
    if (weights > 0).sum() > 1:
        return weights
    first = weights.argmax() if weights.any() else among.argmax()
    alone: Floats = np.eye(len(told))[first]
    return alone


def predict_effects(members: tuple[Member, ...], trial: Trial) -> Floats:
    """Mean effects of the members, of every treatment on every row, (n, treatments)."""
    n, k = trial.eligible.shape
    rows, treatments = np.repeat(np.arange(n), k), np.tile(np.arange(k), n)
    matrix = _pair_matrix(trial, rows, treatments)
    effects: Floats = np.mean([one.predict(matrix) for one in members], axis=0).reshape(n, k)
    return effects


def mean_over_eligible(values: Floats, trial: Trial) -> Floats:
    """Mean over the treatments that each row could have had, (n,)."""
    n_eligible = np.maximum(trial.eligible.sum(axis=1), 1)
    mean: Floats = np.where(trial.eligible, values, 0.0).sum(axis=1) / n_eligible
    return mean


def _draw_z(n_groups: int, *, n_draws: int, seed: int) -> Floats:
    """Normal draws of each group, (draws, groups); every second one is the one before, negated.

    So few draws would tell their spread badly: they are scaled so that, the middle among them, it
    is that of the standard normal.
    """
    half = np.random.default_rng(seed).standard_normal(((n_draws + 1) // 2, n_groups))
    z = np.stack([half, -half], axis=1).reshape(-1, n_groups)[:n_draws]
    if n_draws < 2:
        return z
    spread = np.vstack([z, np.zeros((1, n_groups))]).std(axis=0, ddof=1)
    scaled: Floats = z / spread
    return scaled


def _mean_effects(trial: Trial, nuisance: Nuisance) -> Floats:
    """Mean pseudo-outcome of each treatment, (treatments,)."""
    pseudo = np.where(trial.eligible, make_pseudo_outcomes(trial, nuisance), 0.0)
    means: Floats = pseudo.sum(axis=0) / np.maximum(trial.eligible.sum(axis=0), 1)
    return means


def _take_nuisance(nuisance: Nuisance, rows: Bools) -> Nuisance:
    return Nuisance(nuisance.without[rows], nuisance.given[rows], nuisance.p_treated[rows])


def _pair_matrix(trial: Trial, rows: Integers, treatments: Integers) -> Floats:
    return to_matrix(
        trial.X[rows],
        group=trial.group[rows],
        treatment=treatments,
        reach=trial.reach[rows, treatments],
    )
