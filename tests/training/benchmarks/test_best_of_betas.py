import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, special, stats

from features.errors import BadInputError
from training.benchmarks.bandit.best_of_betas import compute_best_probabilities

Posterior = tuple[float, float]


def _p_second_beats_first(first: Posterior, second: Posterior) -> float:
    """Closed form for a whole alpha of the second (Cook 2005), by an independent route."""
    (a, b), (c, d) = first, second
    terms = (
        special.betaln(a + i, b + d)
        - np.log(d + i)
        - special.betaln(1 + i, d)
        - special.betaln(a, b)
        for i in range(int(c))
    )
    return float(sum(np.exp(term) for term in terms))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ((1.0, 1.0), (1.0, 1.0)),
        ((1.0, 19.0), (8.0, 80.0)),
        ((501.0, 9501.0), (1.0, 19.0)),
        ((3.5, 40.5), (60.0, 900.0)),
    ],
)
def test_best_probabilities_equal_the_closed_form_of_two_arms(
    first: Posterior, second: Posterior
) -> None:
    p = compute_best_probabilities((first, second))
    assert p[1] == pytest.approx(_p_second_beats_first(first, second), abs=1e-9)


def test_best_probabilities_equal_adaptive_quadrature_with_scales_far_apart() -> None:
    posteriors = ((50_001.0, 950_001.0), (1.0, 19.0), (40.0, 700.0))
    arms = [stats.beta(a, b) for a, b in posteriors]

    def integrand(x: float, arm: int) -> float:
        others = [arms[j].cdf(x) for j in range(3) if j != arm]
        return float(arms[arm].pdf(x) * np.prod(others))

    for arm in range(3):
        cuts = sorted(float(q) for a in arms for q in a.ppf([1e-9, 0.01, 0.5, 0.99, 1 - 1e-9]))
        pieces = zip([0.0, *cuts], [*cuts, 1.0], strict=True)
        expected = sum(integrate.quad(integrand, *piece, args=(arm,))[0] for piece in pieces)
        assert compute_best_probabilities(posteriors)[arm] == pytest.approx(expected, abs=1e-6)


def test_best_probabilities_equal_frequencies_of_drawing() -> None:
    posteriors = ((3.0, 60.0), (6.0, 90.0), (0.5, 9.5), (1.0, 19.0))
    alpha, beta = np.array(posteriors).T
    draws = np.random.default_rng(3).beta(alpha, beta, size=(200_000, 4))
    observed = np.bincount(draws.argmax(axis=1), minlength=4)
    expected = compute_best_probabilities(posteriors) * observed.sum()
    assert stats.chisquare(observed, expected).pvalue > 0.001


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(0.5, 1e6), st.floats(0.5, 1e6)),
        min_size=1,
        max_size=8,
    )
)
def test_best_probabilities_sum_to_one_and_follow_their_arms(posteriors: list[Posterior]) -> None:
    p = compute_best_probabilities(tuple(posteriors))
    assert p.sum() == pytest.approx(1.0)
    assert (p >= 0).all()
    reversed_p = compute_best_probabilities(tuple(reversed(posteriors)))
    np.testing.assert_allclose(reversed_p[::-1], p, atol=1e-9)


def test_best_probabilities_refuse_a_posterior_without_mass() -> None:
    with pytest.raises(BadInputError, match=r"0\.5 or more"):
        compute_best_probabilities(((0.0, 1.0), (1.0, 1.0)))


def test_best_probabilities_kept_in_memory_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="read-only"):
        compute_best_probabilities(((1.0, 1.0), (2.0, 2.0)))[0] = 1.0
