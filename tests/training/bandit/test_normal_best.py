import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from training.bandit.normal_best import (
    MAX_ERROR,
    Floats,
    compute_best_of_normals,
    draw_arms,
    lift_to_floor,
)


def _integrate_finely(mean: Floats, sd: Floats) -> Floats:
    """The integral over 100,000 nodes, by SciPy's own functions."""
    t = np.linspace((mean - 8 * sd).min(), (mean + 8 * sd).max(), 100_001)
    cdf = stats.norm.cdf(t, mean[:, None], sd[:, None])
    p = np.empty(len(mean))
    for arm in range(len(mean)):
        others = np.delete(cdf, arm, axis=0).prod(axis=0)
        p[arm] = np.trapezoid(stats.norm.pdf(t, mean[arm], sd[arm]) * others, t)
    return p


@pytest.mark.parametrize("scale", [0.1, 0.5, 2.0])
def test_best_of_normals_equals_a_fine_integral(scale: float) -> None:
    rng = np.random.default_rng(1)
    for n_arms in (2, 3, 7, 12):
        mean = scale * rng.normal(size=n_arms)
        sd = np.exp(rng.uniform(-3.0, 0.0, n_arms))
        p = compute_best_of_normals(mean[None], sd[None])[0]
        np.testing.assert_allclose(p, _integrate_finely(mean, sd), atol=MAX_ERROR)


def test_best_of_normals_equals_the_closed_form_of_two_arms() -> None:
    gap, first, second = np.linspace(-3, 3, 31), 0.7, 0.2
    mean = np.column_stack([np.zeros(31), gap])
    p = compute_best_of_normals(mean, np.tile([first, second], (31, 1)))
    expected = stats.norm.cdf(gap / np.hypot(first, second))
    np.testing.assert_allclose(p[:, 1], expected, atol=MAX_ERROR)


@given(seed=st.integers(0, 10_000), n_arms=st.integers(1, 50), widest=st.floats(0.0, 8.0))
def test_best_of_normals_is_a_distribution_over_what_is_allowed(
    seed: int, n_arms: int, widest: float
) -> None:
    rng = np.random.default_rng(seed)
    mean = rng.normal(size=(6, n_arms)) * 3.0
    sd = np.exp(rng.uniform(-widest, 0.0, (6, n_arms)))
    allowed = rng.random((6, n_arms)) < 0.5
    allowed[:, 0] = True
    p = compute_best_of_normals(mean, sd, allowed=allowed)
    np.testing.assert_allclose(p.sum(axis=1), 1.0, atol=1e-6)
    assert (p >= 0.0).all()
    assert (p[~allowed] == 0.0).all()


def test_lift_to_floor_leaves_forbidden_arms_at_nothing() -> None:
    allowed = np.array([[True, True, False]])
    lifted = lift_to_floor(np.array([[1.0, 0.0, 0.0]]), floor=0.1, allowed=allowed)
    np.testing.assert_allclose(lifted, [[0.95, 0.05, 0.0]])


def test_draw_arms_follows_the_probabilities_and_never_takes_an_impossible_arm() -> None:
    p = np.array([0.0, 0.2, 0.5, 0.3, 0.0])
    u = (np.arange(10_000) + 0.5) / 10_000
    drawn = draw_arms(np.tile(p, (10_000, 1)), u=u)
    np.testing.assert_array_equal(np.bincount(drawn, minlength=5), 10_000 * p)
    ends = draw_arms(np.tile(p, (2, 1)), u=np.array([0.0, np.nextafter(1.0, 0.0)]))
    assert ends.tolist() == [1, 3]
