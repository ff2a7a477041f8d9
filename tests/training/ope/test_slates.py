from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.errors import BadInputError
from training.benchmarks.ope.open_bandit import (
    Campaign,
    clicks_by_slate,
    place_banners,
    read_banner_log,
    thompson_slate,
)
from training.ope.estimators import Estimator, estimate_parts
from training.ope.intervals import normal_interval
from training.ope.slates import Looking, SlateLog, estimate_pseudo_inverse, weigh_slates

N = 40


def make_slates(*, seed: int, n_places: int = 3) -> SlateLog:
    """Rows in any order."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(N * n_places)
    ratios = rng.lognormal(size=N * n_places)
    slates = np.arange(N).repeat(n_places).astype(object)
    return SlateLog(
        slates=slates[order],
        customers=slates[order],
        places=np.tile(np.arange(n_places), N)[order],
        rewards=rng.normal(size=N * n_places)[order],
        alone=ratios[order],
        given_above=ratios[order],
        is_supported=np.ones(N * n_places, dtype=bool),
    )


def find_row(log: SlateLog, slate: int, place: int) -> int:
    assert log.places is not None
    return int(np.flatnonzero((log.slates == slate) & (log.places == place))[0])


@given(seed=st.integers(0, 1_000))
def test_weights_are_of_the_actions_that_a_place_depends_on(seed: int) -> None:
    log = make_slates(seed=seed)
    found = {looking: weigh_slates(log, looking=looking) for looking in Looking}
    own = [log.alone[find_row(log, 7, place)] for place in range(3)]
    for place in range(3):
        at = find_row(log, 7, place)
        assert found[Looking.EACH_PLACE].weights[at] == own[place]
        down = found[Looking.DOWN_THE_PLACES].weights[at]
        assert down == pytest.approx(np.prod(own[: place + 1]))
        assert found[Looking.WHOLE].weights[at] == pytest.approx(np.prod(own))


@given(seed=st.integers(0, 1_000), n_places=st.integers(1, 4))
def test_the_logging_policy_is_worth_what_slates_earned(seed: int, n_places: int) -> None:
    log = make_slates(seed=seed, n_places=n_places)
    ones = np.ones(log.n)
    own = SlateLog(log.slates, log.customers, log.places, log.rewards, ones, ones, log.is_supported)
    earned = log.rewards.sum() / N
    for looking in Looking:
        weighted = weigh_slates(own, looking=looking)
        assert estimate_parts(weighted, by=Estimator.IPS).value() == pytest.approx(earned)
    parts, customers = estimate_pseudo_inverse(own)
    assert parts.value() == pytest.approx(earned)
    assert len(customers) == N


def test_one_place_is_no_slate_at_all() -> None:
    log = make_slates(seed=3, n_places=1)
    values = [
        estimate_parts(weigh_slates(log, looking=looking), by=Estimator.IPS).value()
        for looking in Looking
    ]
    assert values == pytest.approx([values[0]] * 3)
    assert estimate_pseudo_inverse(log)[0].value() == pytest.approx(values[0])


def take(log: SlateLog, rows: np.ndarray[tuple[int], np.dtype[np.int64]]) -> SlateLog:
    assert log.places is not None
    assert log.given_above is not None
    return SlateLog(
        log.slates[rows],
        log.customers[rows],
        log.places[rows],
        log.rewards[rows],
        log.alone[rows],
        log.given_above[rows],
        log.is_supported[rows],
    )


def test_logs_without_places_are_refused() -> None:
    log = make_slates(seed=0)
    bare = SlateLog(log.slates, log.customers, None, log.rewards, log.alone, None, log.is_supported)
    for looking in Looking:
        with pytest.raises(BadInputError, match="does not say at which place anything stood"):
            weigh_slates(bare, looking=looking)
    with pytest.raises(BadInputError, match="does not say at which place"):
        estimate_pseudo_inverse(bare)


def test_slates_that_lack_a_place_can_be_read_place_by_place_only() -> None:
    log = make_slates(seed=0)
    sample = take(log, np.arange(1, log.n))
    assert weigh_slates(sample, looking=Looking.EACH_PLACE).n == log.n - 1
    for looking in (Looking.DOWN_THE_PLACES, Looking.WHOLE):
        with pytest.raises(BadInputError, match="1 of 40 lack places or have one twice"):
            weigh_slates(sample, looking=looking)
    twice = take(log, np.append(np.arange(log.n), 0))
    with pytest.raises(BadInputError, match="1 of 40 lack places or have one twice"):
        weigh_slates(twice, looking=Looking.WHOLE)
    assert log.places is not None
    gap = take(log, np.flatnonzero(log.places != 1))
    with pytest.raises(BadInputError, match=r"no row is of place \[1\]"):
        weigh_slates(gap, looking=Looking.EACH_PLACE)
    with pytest.raises(BadInputError, match="the log has no row"):
        weigh_slates(take(log, np.arange(0)), looking=Looking.EACH_PLACE)


def test_open_bandit_has_places_but_no_slates(shared_data: Path) -> None:
    folder = shared_data / "open_bandit_small"
    log = read_banner_log(folder, policy="random", campaign=Campaign.ALL)
    slates = place_banners(log, thompson_slate(folder, campaign=Campaign.ALL))
    weighted = weigh_slates(slates, looking=Looking.EACH_PLACE)
    found = normal_interval(
        estimate_parts(weighted, by=Estimator.IPS), customers=weighted.customers
    )
    own = clicks_by_slate(read_banner_log(folder, policy="bts", campaign=Campaign.ALL))
    assert found.low < own < found.high
    assert found.value == pytest.approx(3 * 0.004553, rel=0.05)  # places were logged about alike
    with pytest.raises(BadInputError, match="of 10,000 lack places"):
        weigh_slates(slates, looking=Looking.DOWN_THE_PLACES)
