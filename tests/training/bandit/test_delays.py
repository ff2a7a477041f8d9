import numpy as np
import pytest

from training.bandit.delays import N_STEPS, DelayTally


def test_undecided_weight_is_the_share_that_would_have_succeeded_by_now() -> None:
    rng = np.random.default_rng(1)
    delays = np.minimum(rng.exponential(0.2, 5_000), 0.999)
    waited = np.full(20_000, 1.0)
    watched = np.concatenate([delays, waited])
    success = np.arange(25_000) < 5_000
    tally = DelayTally.empty().add(watched, success=success, failure=~success)
    at = np.array([0.0, 0.1, 0.3, 0.9])
    nothing = np.zeros(4, dtype=bool)
    weights = tally.undecided_weights(at, ages=at, success=nothing, failure=nothing)
    np.testing.assert_allclose(weights, 1.0 - np.exp(-at / 0.2), atol=0.02)


def test_undecided_row_tells_nothing_where_failures_come_as_fast_as_successes() -> None:
    rng = np.random.default_rng(2)
    delays = np.minimum(rng.exponential(0.2, 50_000), 0.999)
    success = rng.random(50_000) < 0.3
    tally = DelayTally.empty().add(delays, success=success, failure=~success)
    at, nothing = np.array([0.1, 0.3]), np.zeros(2, dtype=bool)
    weights = tally.undecided_weights(at, ages=at, success=nothing, failure=nothing)
    assert weights.max() < 0.03


def test_curve_from_young_messages_is_right_where_their_raw_share_is_too_quick() -> None:
    """Young messages show their quick successes only: the product-limit method corrects for it."""
    rng = np.random.default_rng(3)
    n = 60_000
    ages = rng.uniform(0.0, 1.0, n)
    delays = rng.uniform(0.0, 1.0, n)  # as long as the window
    seen = delays < ages
    watched = np.where(seen, delays, ages)
    weights = DelayTally.empty().undecided_weights(
        np.append(watched, 0.5),
        ages=np.append(ages, 0.5),
        success=np.append(seen, False),
        failure=np.zeros(n + 1, dtype=bool),
    )
    naive = (delays[seen] < 0.5).mean()
    assert naive > 0.7
    assert weights[-1] == pytest.approx(0.5, abs=0.06)


def test_delays_start_from_a_guess_that_grows_with_age() -> None:
    at = np.linspace(0.0, 1.0, N_STEPS)
    nothing = np.zeros(N_STEPS, dtype=bool)
    weights = DelayTally.empty().undecided_weights(at, ages=at, success=nothing, failure=nothing)
    assert (np.diff(weights) >= 0.0).all()
    assert weights[0] == 0.0
    assert weights[-2] > 0.9
