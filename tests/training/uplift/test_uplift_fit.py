import json
from dataclasses import dataclass

import numpy as np
import pytest

from features.errors import BadInputError
from training.measures import Floats
from training.registry.servable import Member, ReachEffect, TreeEffect
from training.uplift.fit import fit_effects, predict_effects
from training.uplift.learners import Learner, UpliftSettings
from training.uplift.measures import true_qini
from training.uplift.trial import NONE, Trial

TREES = (Learner.X, Learner.DR, Learner.T)
QUICK = UpliftSettings(n_folds=2, n_trees=40)


@dataclass(frozen=True)
class Known:
    """A trial and the effects that made it, (n, treatments)."""

    trial: Trial
    effects: Floats


def make_known(n: int, *, seed: int, booked: bool = False) -> Known:
    """Two offers; those who act anyway are hardly moved, and were written to more often."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 4))
    without = 0.1 + 0.6 / (1.0 + np.exp(-2.0 * X[:, 0]))
    reach = np.column_stack([0.6 / (1.0 + np.exp(-X[:, 1])), 0.3 + 0.3 * rng.random(n)])
    if booked:
        effects = reach * np.array([0.4, 0.4])
    else:
        moved = [np.where(X[:, 1] > 0, 0.2, -0.05), np.where(X[:, 2] > 0, 0.15, 0.0)]
        effects = np.column_stack(moved) * (1.0 - without)[:, None]
    p_any = np.where(X[:, 0] > 0, 0.75, 0.4)
    takes = rng.random(n) < p_any
    which = rng.integers(2, size=n)
    treatment = np.where(takes, which, NONE)
    chance = without + np.where(takes, effects[np.arange(n), which], 0.0)
    outcome = (rng.random(n) < np.clip(chance, 0, 1)).astype(np.float64)
    trial = Trial(
        X=X,
        group=np.zeros(n, dtype=np.int64),
        treatment=treatment,
        p_each=np.repeat(p_any[:, None] / 2, 2, axis=1),
        eligible=np.ones((n, 2), dtype=bool),
        outcome=outcome,
        reach=reach if booked else np.ones((n, 2)),
        customers=np.array([f"c{row}" for row in range(n)], dtype=object),
        bounded=(frozenset({0}),) if booked else (),
    )
    return Known(trial, effects)


@pytest.fixture(scope="module")
def known() -> Known:
    return make_known(24_000, seed=3)


def test_learners_find_who_is_moved_where_a_response_model_finds_who_acts_anyway(
    known: Known,
) -> None:
    fitted = fit_effects(known.trial, learners=TREES, seed=1, settings=QUICK, n_replicates=2)
    later = make_known(10_000, seed=4)
    found = predict_effects(fitted.members, later.trial)
    truth = later.effects.ravel()
    acts = np.repeat(later.trial.X[:, 0], 2)
    best = true_qini(truth, truth)
    assert true_qini(found.ravel(), truth) > 0.6 * best
    assert true_qini(acts, truth) < 0.0
    assert np.abs(found.mean(axis=0) - later.effects.mean(axis=0)).max() < 0.02
    assert any(one.weight > 0 and one.gain > 0 for one in fitted.weighed)


def test_learners_that_foretell_nothing_are_left_out() -> None:
    """Effects are the same for all: trees only learn noise, and the first learner stands alone."""
    trial = make_known(3_000, seed=5).trial
    rng = np.random.default_rng(5)
    noise = (rng.random(len(trial.outcome)) < 0.5).astype(np.float64)
    flat = Trial(**{**vars(trial), "outcome": noise})
    learners = (Learner.REACH, Learner.T, Learner.DR)
    fitted = fit_effects(flat, learners=learners, seed=1, settings=QUICK, n_replicates=0)
    assert [one.weight for one in fitted.weighed] == [1.0, 0.0, 0.0]
    assert np.abs(predict_effects(fitted.members, flat)).max() < 0.05


def test_reach_learner_finds_which_share_of_booked_orders_is_brought_about() -> None:
    known = make_known(40_000, seed=6, booked=True)
    fitted = fit_effects(known.trial, learners=(Learner.REACH,), seed=1, n_replicates=6)
    part = fitted.members[0].parts[0]
    assert isinstance(part, ReachEffect)
    assert all(isinstance(member.parts[0], ReachEffect) for member in fitted.members)
    share = part.by_group[0] * np.array(part.by_treatment)
    assert 0.0 <= part.by_group[0] <= 1.0
    assert share == pytest.approx([0.4, 0.4], abs=0.08)
    drawn = [member.parts[0].by_group[0] for member in fitted.members[1:]]
    assert 0.005 < np.std(drawn) < 0.1
    assert np.mean(drawn) == pytest.approx(part.by_group[0])
    found = predict_effects(fitted.members, known.trial)
    truth = known.effects[:, 0]
    assert true_qini(found[:, 0], truth) > 0.98 * true_qini(truth, truth)


def test_same_rows_and_seed_give_the_same_model(known: Known) -> None:
    trial = known.trial.take(np.arange(4_000))
    first, again = (
        fit_effects(trial, learners=TREES, seed=7, settings=QUICK, n_replicates=1) for _ in range(2)
    )
    assert [m.to_json() for m in first.members] == [m.to_json() for m in again.members]


def test_members_come_back_from_json(known: Known) -> None:
    fitted = fit_effects(
        known.trial.take(np.arange(4_000)), learners=(Learner.X,), seed=7, n_replicates=1
    )
    reach = ReachEffect((0.5,), (1.0, 0.9))
    member = Member((0.7, 0.3), (*fitted.members[0].parts, reach))
    read = Member.from_json(json.loads(json.dumps(member.to_json())))
    assert read == member
    assert isinstance(read.parts[0], TreeEffect)


def test_too_few_rows_are_refused(known: Known) -> None:
    with pytest.raises(BadInputError, match="200 rows with and without"):
        fit_effects(known.trial.take(np.arange(300)), learners=TREES, seed=0)


def test_a_trial_refuses_what_had_no_chance(known: Known) -> None:
    with pytest.raises(BadInputError, match="p_each"):
        Trial(**{**vars(known.trial), "p_each": np.zeros((len(known.trial.outcome), 2))})
