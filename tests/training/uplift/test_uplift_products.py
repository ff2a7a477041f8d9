from dataclasses import replace

import numpy as np
import pytest

from training.measures import Floats
from training.uplift.products import find_room, fit_products, pool_shares
from training.uplift.spread import measure_spread
from training.uplift.trial import NONE, Trial

BASE = 0.2
SHARE = 0.6


def make_displaced(n: int, *, seed: int) -> Trial:
    """Of those who are left without a message four in ten get another one later.

    Three of ten notice a message, and six of ten who do and would not order anyway order then.
    """
    rng = np.random.default_rng(seed)
    treated = rng.random(n) < 0.5
    comes_anyway = rng.random(n) < BASE
    noticed, later = rng.random(n) < 0.3, (rng.random(n) < 0.4 * 0.3) & ~treated
    brought = rng.random((2, n)) < SHARE
    by_first = treated & noticed & brought[0]
    by_later = later & brought[1] & ~comes_anyway
    outcome = (comes_anyway | by_first | by_later).astype(np.float64)
    # A later message is credited with the orders it brought and those that came anyway.
    is_booked = later & (by_later | comes_anyway)
    return Trial(
        X=np.zeros((n, 1)),
        group=np.zeros(n, dtype=np.int64),
        treatment=np.where(treated, 0, NONE),
        p_each=np.full((n, 1), 0.5),
        eligible=np.ones((n, 1), dtype=bool),
        outcome=outcome,
        reach=np.full((n, 1), 0.3 * (BASE + SHARE * (1.0 - BASE))),  # P(booked)
        customers=np.array([f"c{row}" for row in range(n)], dtype=object),
        bounded=(frozenset({0}),),
        other=np.where(is_booked, 0, NONE),
    )


def slope(trial: Trial) -> float:
    found = fit_products(trial, np.full(len(trial.outcome), trial.outcome.mean()))
    return found.by_group[0] * found.by_treatment[0]


def test_products_take_out_what_later_messages_brought_where_the_naive_share_is_too_small() -> None:
    """The truth: of what is booked, 0.2 come anyway and 0.6 x (1 - 0.2) are brought about."""
    trial = make_displaced(60_000, seed=1)
    truth = SHARE * (1.0 - BASE) / (BASE + SHARE * (1.0 - BASE))
    naive = slope(replace(trial, other=None))
    assert naive < 0.75 * truth
    assert abs(slope(trial) - truth) < 0.3 * abs(naive - truth)


def test_shares_of_a_family_are_drawn_to_each_other_as_far_as_they_are_unsure() -> None:
    own = np.array([0.30, 0.34, 0.95, 0.32])
    precision = np.array([1e4, 1e4, 4.0, 1e4])
    ((middle, sd),) = pool_shares([(own * precision, precision)])
    np.testing.assert_allclose(middle[[0, 1, 3]], own[[0, 1, 3]], atol=0.01)
    assert middle[2] < 0.5
    assert sd[2] > 5 * sd[0]
    ((clear, _),) = pool_shares([(own * 1e4, np.full(4, 1e4))])
    assert clear[2] == pytest.approx(0.95, abs=0.01)


def test_a_group_that_was_never_seen_has_the_share_of_its_family_and_is_unsure() -> None:
    ((middle, sd),) = pool_shares([(np.array([3e3, 0.0]), np.array([1e4, 0.0]))])
    assert 0.28 < middle[1] < 0.42  # between its family's and what is believed
    assert sd[1] > 0.1 > sd[0]


def test_families_tell_of_each_other_whether_messages_do_anything() -> None:
    """The same weak evidence, beside a family that surely does something, or surely nothing."""
    weak = (np.array([1.5, 1.5]), np.full(2, 6.0))
    nothing = (np.zeros(3), np.full(3, 1e4))
    something = (np.full(3, 4e3), np.full(3, 1e4))
    (alone, _), *_ = pool_shares([weak])
    (beside_nothing, _), (none, _) = pool_shares([weak, nothing])
    (beside_something, _), (some, _) = pool_shares([weak, something])
    assert beside_nothing[0] < 0.6 * alone[0]
    assert beside_something[0] > 1.2 * alone[0]
    assert none.max() < 0.001
    np.testing.assert_allclose(some, 0.4, atol=0.01)


def test_pool_shares_has_nothing_to_say_of_no_family() -> None:
    assert pool_shares([]) == []


def draw_counts(own_sd: float, *, seed: int) -> tuple[Floats, Floats, Floats]:
    """Ten rows each of 4,000 customers whose rates differ by this much."""
    rng = np.random.default_rng(seed)
    factor = rng.gamma(own_sd**-2, own_sd**2, 4_000) if own_sd else np.ones(4_000)
    unit = np.repeat(np.arange(4_000), 10)
    expected = rng.uniform(0.05, 0.25, len(unit))
    happened = rng.random(len(unit)) < np.minimum(expected * factor[unit], 1.0)
    return happened.astype(np.float64), expected, unit


@pytest.mark.parametrize("own_sd", [0.3, 0.6])
def test_spread_among_customers_is_told_from_chance(own_sd: float) -> None:
    happened, expected, unit = draw_counts(own_sd, seed=1)
    found = measure_spread(happened, expected=expected, units=unit.astype(np.int64))
    assert found == pytest.approx(own_sd, abs=0.06)


def test_without_spread_there_is_little_more_than_chance() -> None:
    happened, expected, unit = draw_counts(0.0, seed=2)
    assert measure_spread(happened, expected=expected, units=unit.astype(np.int64)) < 0.15


def test_an_order_that_is_brought_is_seen_only_where_none_would_come() -> None:
    """Half order anyway: whether there was an order shows half of what was brought about."""
    rng = np.random.default_rng(5)
    n = 60_000
    treated, anyway = rng.random(n) < 0.5, rng.random(n) < 0.5
    brought = treated & (rng.random(n) < 0.3 * 0.6)
    trial = replace(
        make_displaced(n, seed=5),
        treatment=np.where(treated, 0, NONE),
        outcome=(anyway | brought).astype(np.float64),
        reach=np.full((n, 1), 0.3),
        other=None,
        crowded=frozenset({0}),
    )
    expected = np.full(n, trial.outcome.mean())
    naive = fit_products(trial, expected)
    found = fit_products(trial, expected, room=find_room(trial, np.full(n, 0.5)))
    assert naive.by_group[0] * naive.by_treatment[0] < 0.45
    assert found.by_group[0] * found.by_treatment[0] == pytest.approx(0.6, abs=0.07)
