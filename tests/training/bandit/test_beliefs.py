"""Beliefs about single variants: exact in the pool, fading with data, part of the state."""

import json

import numpy as np
import pytest
from scipy import stats

from features.errors import BadInputError
from features.vocabulary import Channel, Trigger
from tests.training.bandit.conftest import contexts_of, make_trials
from training.bandit.arms import ArmLearner, alike
from training.bandit.beliefs import ArmPrior, collect_priors
from training.bandit.contextual import ContextualBandit
from training.bandit.files import read_bandit
from training.bandit.normal_best import draw_arms
from training.bandit.rewards import Cell
from training.bandit.sites import ArmPriors, Designs, Rows, Sites, Spread, refit_spread, solve_pool

CELL = Cell(Trigger.PRICE_DROP, Channel.EMAIL)
CLEAR, WARM, NEW = (f"price_drop.email.{style}" for style in ("clear", "warm", "new"))
HOPEFUL = {(CELL, NEW): ArmPrior(0.6, 0.8)}


def learn_two(n: int = 600, *, rate: float = 0.1, seed: int = 1) -> ContextualBandit:
    """Two variants that do equally well."""
    rng = np.random.default_rng(seed)
    names = [CLEAR, WARM] * (n // 2)
    return ContextualBandit.start().update(
        make_trials(names, (rng.random(n) < rate).tolist(), cell=CELL)
    )


def test_pool_with_beliefs_equals_one_joint_system() -> None:
    rng = np.random.default_rng(3)
    n_arms, d = 3, 2
    spread = Spread((1.3, 0.4), base=0.7, slope=0.2)
    given = ArmPriors(np.array([0.5, 0.0, -0.8]), np.array([0.5, 1.0, 0.25]))
    designs = Designs(np.tile(np.eye(d), (n_arms, 1, 1)), np.array([0, 1]), 2, given)
    x = rng.normal(size=(n_arms, 7, d))
    x[1] = 0.0
    sites = Sites(x.transpose(0, 2, 1) @ x, rng.normal(size=(n_arms, d)))
    sites.shift[1] = 0.0
    pool = solve_pool(sites, designs, spread, base_mean=-2.0)
    size = d + n_arms * d
    variance = np.concatenate([[1.3, 0.4], *([0.7 * left, 0.2] for left in given.left)])
    expected = np.concatenate([[-2.0, 0.0], *([shift, 0.0] for shift in given.shift)])
    precision, shift = np.diag(1.0 / variance), expected / variance
    maps = np.zeros((n_arms, d, size))
    for arm in range(n_arms):
        maps[arm, :, :d] = np.eye(d)
        maps[arm, :, d + arm * d : d + (arm + 1) * d] = np.eye(d)
        precision += maps[arm].T @ sites.precision[arm] @ maps[arm]
        shift += maps[arm].T @ sites.shift[arm]
    covariance = np.linalg.inv(precision)
    joint = covariance @ shift
    np.testing.assert_allclose(pool.mean, maps @ joint, atol=1e-10)
    np.testing.assert_allclose(
        pool.covariance, maps @ covariance @ maps.transpose(0, 2, 1), atol=1e-10
    )
    own = joint[d:].reshape(n_arms, d)
    own[:, 0] -= given.shift
    np.testing.assert_allclose(pool.own, own, atol=1e-10)


def test_beliefs_alone_do_not_teach_how_far_arms_lie_apart() -> None:
    spread = Spread((1.3, 0.4), base=0.7, slope=0.2)
    given = ArmPriors(np.array([1.0, -1.0]), np.array([0.5, 0.5]))
    plain = alike(2, 2)
    designs = Designs(plain.arms, plain.groups, plain.n_groups, given)
    pool = solve_pool(Sites.empty(2, 2), designs, spread, base_mean=-2.0)
    refit = refit_spread(pool, designs, now=spread, prior=spread, strength=5.0)
    assert refit.base == pytest.approx(spread.base)


def test_newcomer_that_is_believed_in_is_chosen_more_often() -> None:
    bandit = learn_two()
    arms = [CLEAR, WARM, NEW]
    even = bandit.probabilities(contexts_of(CELL), arms=arms)[0]
    hoped = bandit.believing(HOPEFUL).probabilities(contexts_of(CELL), arms=arms)[0]
    feared = bandit.believing({(CELL, NEW): ArmPrior(-0.6)}).probabilities(
        contexts_of(CELL), arms=arms
    )[0]
    assert feared[2] + 0.1 < even[2] < hoped[2] - 0.1
    assert hoped.sum() == pytest.approx(1.0)


def test_expected_log_odds_move_by_the_shift() -> None:
    bandit = learn_two().with_arms([(CELL, NEW)])
    x = np.zeros((1, bandit.learner.designs.arms.shape[1]))
    x[0, 0] = 1.0
    at = [bandit.position[CELL, NEW]]
    mean, sd = bandit.learner.score(x, at)
    believed_mean, believed_sd = bandit.believing(HOPEFUL).learner.score(x, at)
    assert (believed_mean - mean)[0, 0] == pytest.approx(0.6)
    assert believed_sd[0, 0] < sd[0, 0]


def test_probabilities_with_beliefs_are_the_frequencies_of_drawing_scores() -> None:
    bandit = learn_two(120).believing(HOPEFUL)
    arms, n = [CLEAR, WARM, NEW], 100_000
    p = bandit.probabilities(contexts_of(CELL), arms=arms)[0]
    positions = [bandit.position[CELL, name] for name in arms]
    x = np.zeros((1, bandit.learner.designs.arms.shape[1]))
    x[0, 0] = 1.0
    learner, rng = bandit.learner, np.random.default_rng(4)
    mean, sd = learner.score(x, positions)
    best = (mean + learner.explore(positions) * sd * rng.normal(size=(n, 3))).argmax(axis=1)
    line = learner.memories.linear.pool
    line_sd = np.sqrt(line.covariance[positions, 0, 0])
    line_best = (line.mean[positions, 0] + line_sd * rng.normal(size=(n, 3))).argmax(axis=1)
    best = np.where(rng.random(n) < learner.p_linear, line_best, best)
    drawn = np.where(rng.random(n) < learner.settings.floor, rng.integers(3, size=n), best)
    assert stats.chisquare(np.bincount(drawn, minlength=3), p / p.sum() * n).pvalue > 0.001
    chosen = draw_arms(np.tile(p, (n, 1)), u=rng.random(n))
    assert stats.chisquare(np.bincount(chosen, minlength=3), p / p.sum() * n).pvalue > 0.001


def test_data_overrule_a_wrong_belief() -> None:
    rng = np.random.default_rng(5)
    names = [CLEAR, NEW] * 3_000
    rates = np.where(np.array(names) == NEW, 0.06, 0.12)
    trials = make_trials(names, (rng.random(6_000) < rates).tolist(), cell=CELL)
    wrong = {(CELL, NEW): ArmPrior(1.0, 0.5)}
    p = (
        ContextualBandit.start()
        .believing(wrong)
        .update(trials)
        .probabilities(contexts_of(CELL), arms=[CLEAR, NEW])[0]
    )
    assert p[0] > 0.95


def test_belief_may_come_before_or_after_the_data() -> None:
    """Data are kept apart: only where the likelihood was linearised differs a little."""
    rng = np.random.default_rng(6)
    names = [CLEAR, WARM, NEW] * 100
    trials = make_trials(names, (rng.random(300) < 0.1).tolist(), cell=CELL)
    arms = [CLEAR, WARM, NEW]
    before = ContextualBandit.start().believing(HOPEFUL).update(trials)
    after = ContextualBandit.start().update(trials).believing(HOPEFUL)
    one, other = (each.probabilities(contexts_of(CELL), arms=arms) for each in (before, after))
    np.testing.assert_allclose(one, other, atol=0.03)


def test_belief_taken_back_leaves_no_trace() -> None:
    bandit = learn_two().with_arms([(CELL, NEW)])
    assert bandit.believing(HOPEFUL).believing({}).to_json() == bandit.to_json()


def test_beliefs_are_part_of_the_state_and_states_without_any_have_the_old_text() -> None:
    bandit = learn_two()
    assert "priors" not in json.loads(bandit.to_json())
    believing = bandit.believing(HOPEFUL)
    text = believing.to_json()
    read = read_bandit(text)
    assert isinstance(read, ContextualBandit)
    assert read.priors == HOPEFUL
    assert read.to_json() == text
    rng = np.random.default_rng(8)
    more = make_trials([NEW] * 50, (rng.random(50) < 0.2).tolist(), cell=CELL)
    assert read.update(more).to_json() == believing.update(more).to_json()


def test_state_with_a_belief_about_no_variant_is_refused() -> None:
    state = json.loads(learn_two().believing(HOPEFUL).to_json())
    state["priors"][0]["arm"] = 9
    with pytest.raises(BadInputError, match="a belief about variant 9 of 3"):
        read_bandit(json.dumps(state))
    state["priors"][0] |= {"arm": 0, "left": 0.0}
    with pytest.raises(BadInputError, match="leaves unknown"):
        read_bandit(json.dumps(state))


def test_newcomer_is_as_new_whatever_is_believed_of_it() -> None:
    bandit = learn_two(2_000).with_arms([(CELL, NEW)])
    arms = [bandit.position[CELL, name] for name in (CLEAR, WARM, NEW)]
    plain = bandit.learner.explore(arms)
    believed = bandit.believing(HOPEFUL).learner.explore(arms)
    assert believed[2] == pytest.approx(plain[2], abs=0.02)


@pytest.mark.parametrize(
    ("shift", "left", "complaint"),
    [
        (2.5, 1.0, "shift of a belief"),
        (float("nan"), 1.0, "shift of a belief"),
        (0.0, 0.05, "leaves unknown"),
        (0.0, 1.5, "leaves unknown"),
    ],
)
def test_beliefs_beyond_measure_are_refused(shift: float, left: float, complaint: str) -> None:
    with pytest.raises(BadInputError, match=complaint):
        ArmPrior(shift, left)


def test_collect_priors_keeps_the_order_of_the_arms() -> None:
    collected = collect_priors(["a", "b"], {"b": ArmPrior(0.3, 0.7)})
    assert collected is not None
    assert collected.shift.tolist() == [0.0, 0.3]
    assert collected.left.tolist() == [1.0, 0.7]
    assert collect_priors(["a"], {}) is None


def test_learner_takes_beliefs_through_its_designs() -> None:
    plain = alike(2, 1)
    designs = Designs(
        plain.arms,
        plain.groups,
        plain.n_groups,
        ArmPriors(np.array([0.5, -0.5]), np.array([1.0, 1.0])),
    )
    learner = ArmLearner.start(designs)
    p = learner.probabilities(np.ones((1, 1)))[0]
    assert p[0] > 0.7
    rows = Rows.sort(
        np.ones((2, 1)), np.array([1, 1]), np.array([1.0, 0.0]), np.array([60.0, 40.0])
    )
    assert learner.learn(rows).probabilities(np.ones((1, 1)))[0, 1] > 0.9
