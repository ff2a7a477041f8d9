"""The pool's algebra against plain regression on all coefficients at once."""

import numpy as np
import pytest

from features.errors import BadInputError
from training.bandit.arms import ArmLearner, BanditSettings, alike
from training.bandit.linear import LinearSettings, grow_trust, learn_linear, place_linear
from training.bandit.memories import BanditPrior, MemorySettings
from training.bandit.sites import Designs, Floats, Rows, Sites, Spread, refit_spread, solve_pool

SPREAD = Spread((1.3, 0.4), base=0.7, slope=0.2)


def _solve_jointly(sites: Sites, designs: Designs) -> tuple[Floats, Floats]:
    """Posterior of beta and every arm's own part as one normal system."""
    n_arms, d, s = designs.arms.shape
    size = s + n_arms * d
    prior = np.concatenate(
        [np.array(SPREAD.shared)[designs.groups], *([np.array([0.7] + [0.2] * (d - 1))] * n_arms)]
    )
    precision, shift = np.diag(1.0 / prior), np.zeros(size)
    shift[0] = -2.0 / prior[0]
    maps = []
    for arm in range(n_arms):
        to_arm = np.zeros((d, size))
        to_arm[:, :s] = designs.arms[arm]
        to_arm[:, s + arm * d : s + (arm + 1) * d] = np.eye(d)
        precision += to_arm.T @ sites.precision[arm] @ to_arm
        shift += to_arm.T @ sites.shift[arm]
        maps.append(to_arm)
    covariance = np.linalg.inv(precision)
    joint = covariance @ shift
    mean = np.stack([to_arm @ joint for to_arm in maps])
    return mean, np.stack([to_arm @ covariance @ to_arm.T for to_arm in maps])


def test_solve_pool_equals_one_joint_system() -> None:
    rng = np.random.default_rng(2)
    n_arms, d = 4, 3
    designs = Designs(
        np.concatenate([np.tile(np.eye(d), (n_arms, 1, 1)), rng.normal(size=(n_arms, d, 2))], 2),
        np.array([0, 1, 1, 1, 1]),
        2,
    )
    x = rng.normal(size=(n_arms, 9, d))
    x[2] = 0.0  # an arm without data
    sites = Sites(
        x.transpose(0, 2, 1) @ x, rng.normal(size=(n_arms, d)) * (np.arange(4) != 2)[:, None]
    )
    pool = solve_pool(sites, designs, SPREAD, base_mean=-2.0)
    mean, covariance = _solve_jointly(sites, designs)
    np.testing.assert_allclose(pool.mean, mean, atol=1e-10)
    np.testing.assert_allclose(pool.covariance, covariance, atol=1e-10)


def test_refit_spread_stays_where_it_starts_without_data() -> None:
    designs = alike(3, 4)
    pool = solve_pool(Sites.empty(3, 4), designs, SPREAD, base_mean=-2.0)
    refit = refit_spread(pool, designs, now=SPREAD, prior=SPREAD, strength=5.0)
    assert refit.base == pytest.approx(SPREAD.base)
    assert refit.slope == pytest.approx(SPREAD.slope)
    assert refit.shared == pytest.approx(SPREAD.shared)


def _rows(seed: int, n: int = 4_000) -> tuple[Floats, Floats, Floats]:
    rng = np.random.default_rng(seed)
    x = np.column_stack([np.ones(n), rng.normal(size=(n, 2))])
    arms = rng.integers(0, 3, n)
    truth = np.array([[-2.0, 0.8, 0.0], [-1.5, 0.8, 0.5], [-2.5, 0.8, -0.5]])
    y = rng.random(n) < 1.0 / (1.0 + np.exp(-(x * truth[arms]).sum(axis=1)))
    return x, arms.astype(np.float64), y.astype(np.float64)


def test_learning_ignores_the_order_within_a_batch() -> None:
    x, arms, y = _rows(3)
    order = np.random.default_rng(0).permutation(len(y))
    learned = []
    for at in (np.arange(len(y)), order):
        rows = Rows.sort(x[at], arms[at].astype(np.int64), y[at], np.ones(len(at)))
        learned.append(ArmLearner.start(alike(3, 3)).learn(rows))
    p, q = (learner.probabilities(x[:50]) for learner in learned)
    np.testing.assert_allclose(p, q, atol=1e-6)


def test_learned_coefficients_cover_the_truth() -> None:
    x, arms, y = _rows(4, n=20_000)
    rows = Rows.sort(x, arms.astype(np.int64), y, np.ones(len(y)))
    mean, sd = ArmLearner.start(alike(3, 3)).learn(rows).score(np.eye(3)[[1, 2]])
    expected = np.array([[0.8, 0.8, 0.8], [0.0, 0.5, -0.5]])
    assert (np.abs(mean - expected) < 4 * sd).all()
    assert sd.max() < 0.1


def test_row_of_half_weight_counts_half() -> None:
    x, arms, y = _rows(5, n=500)
    twice = np.concatenate([np.arange(500), np.arange(500)])
    whole = Rows.sort(x, arms.astype(np.int64), y, np.ones(500))
    halves = Rows.sort(x[twice], arms[twice].astype(np.int64), y[twice], np.full(1_000, 0.5))
    start = ArmLearner.start(alike(3, 3))
    np.testing.assert_allclose(
        start.learn(whole).score(x[:5])[0], start.learn(halves).score(x[:5])[0], atol=1e-9
    )


def test_arm_that_appears_starts_from_what_the_others_share() -> None:
    x, arms, y = _rows(6, n=8_000)
    rows = Rows.sort(x, arms.astype(np.int64), y, np.ones(len(y)))
    learner = ArmLearner.start(alike(3, 3)).learn(rows).widen(alike(4, 3))
    mean, sd = learner.score(np.array([[0.0, 1.0, 0.0]]))
    assert mean[0, 3] == pytest.approx(0.8, abs=0.2)  # the slope that all others have
    assert sd[0, 3] > 2 * sd[0, :3].max()


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (lambda: BanditSettings(floor=1.0), "floor"),
        (lambda: BanditSettings(explore=0.0), "exploration"),
        (lambda: BanditPrior(rate=0.0), "rate in"),
        (lambda: BanditPrior(strength=0.0), "strength"),
        (lambda: MemorySettings(lengths=(10.0, 100.0)), "from long to short"),
        (lambda: MemorySettings(doubt=0.0), "doubt"),
        (lambda: LinearSettings(trust=1.0), "trust"),
        (lambda: LinearSettings(noise=0.0), "variances"),
    ],
)
def test_settings_that_make_no_sense_are_refused(make: object, complaint: str) -> None:
    assert callable(make)
    with pytest.raises(BadInputError, match=complaint):
        make()


def test_probabilities_refuse_verdicts_without_a_choice() -> None:
    learner = ArmLearner.start(alike(2, 1))
    with pytest.raises(BadInputError, match=r"nothing is allowed in rows \[1\]"):
        learner.probabilities(np.ones((2, 1)), allowed=np.array([[True, True], [False, False]]))
    with pytest.raises(BadInputError, match=r"expected \(2, 2\)"):
        learner.probabilities(np.ones((2, 1)), allowed=np.ones((1, 2), dtype=bool))


def test_linear_model_equals_ridge_regression() -> None:
    """With next to nothing shared and a known base, each arm is a ridge regression of its own."""
    x, arms, y = _rows(8, n=400)
    rows = Rows.sort(x, arms.astype(np.int64), y, np.ones(len(y)))
    settings = LinearSettings(shared=1e-12, own=0.04, noise=0.02)
    designs = alike(3, 3)
    start = place_linear(Sites.empty(3, 3), designs, rate=0.1, settings=settings)
    first = learn_linear(start, rows, designs, rate=0.1, keep=1.0, settings=settings)
    again = learn_linear(first, rows, designs, rate=0.1, keep=0.0, settings=settings)
    np.testing.assert_allclose(again.pool.mean, first.pool.mean)  # what was kept not at all is gone
    mine = x[arms == 1]
    own = np.full(3, 0.04)
    joint = np.zeros((9 + 3, 9 + 3))  # own parts of three arms, then what they share
    shift = np.zeros(12)
    prior = np.concatenate([1.0 / np.tile(own, 3), 1.0 / np.array([0.04, 1e-12, 1e-12])])
    shift[9] = 0.1 / 0.04
    for arm in range(3):
        rows_of = x[arms == arm]
        wide = np.zeros((len(rows_of), 12))
        wide[:, 3 * arm : 3 * arm + 3] = rows_of
        wide[:, 9:] = rows_of
        joint += wide.T @ wide / 0.02
        shift += wide.T @ y[arms == arm] / 0.02
    solved = np.linalg.solve(joint + np.diag(prior), shift)
    np.testing.assert_allclose(
        mine @ first.pool.mean[1], mine @ (solved[3:6] + solved[9:]), atol=1e-7
    )


def test_trust_in_the_linear_model_follows_its_lead() -> None:
    even = grow_trust(0.2, lead=0.0, n_trials=100.0, first=0.2, share=0.001)
    assert even == pytest.approx(0.2)
    ahead = grow_trust(0.2, lead=4.0, n_trials=100.0, first=0.2, share=0.0)
    assert ahead == pytest.approx(1.0 / (1.0 + 4.0 * np.exp(-4.0)))
    large = grow_trust(0.2, lead=40.0, n_trials=1_000.0, first=0.2, share=0.0)
    assert large == pytest.approx(ahead)  # a batch speaks for 100 trials at most
    assert grow_trust(0.2, lead=-1e6, n_trials=100.0, first=0.2, share=0.001) > 1e-4
