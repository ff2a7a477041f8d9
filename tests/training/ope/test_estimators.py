from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.errors import BadInputError
from training.benchmarks.ope.bench import STRENGTHS, bench_ope
from training.benchmarks.ope.open_bandit import (
    Campaign,
    read_banner_log,
    thompson_slate,
    weigh_banners,
)
from training.ope.estimators import Estimator, estimate_parts, shrink
from training.ope.intervals import Range, clopper_pearson_interval
from training.ope.overlap import measure_overlap
from training.ope.weighted import Expected, WeightedLog, at_positions, weigh

# obp 0.5.7 with the settings of the published figures, on these very files.
OPEN_BANDIT = {
    Campaign.ALL: {
        Estimator.IPS: 0.00455288,
        Estimator.SNIPS: 0.00477583,
        Estimator.CLIPPED: 0.00359304,
        Estimator.SUB_GAUSSIAN: 0.00437289,
        Estimator.DM: 0.00354504,
        Estimator.DR: 0.00472833,
        Estimator.SNDR: 0.00478628,
        Estimator.SWITCH_DR: 0.00325217,
        Estimator.DROS: 0.00366672,
    },
    Campaign.MEN: {
        Estimator.IPS: 0.00453356,
        Estimator.SNIPS: 0.00460423,
        Estimator.SUB_GAUSSIAN: 0.00448747,
        Estimator.DM: 0.00415043,
        Estimator.DR: 0.00456874,
        Estimator.SNDR: 0.00457526,
        Estimator.SWITCH_DR: 0.00482778,
        Estimator.DROS: 0.00442690,
    },
    Campaign.WOMEN: {
        Estimator.IPS: 0.00681347,
        Estimator.SNIPS: 0.00681097,
        Estimator.CLIPPED: 0.00681095,
        Estimator.SUB_GAUSSIAN: 0.00667417,
        Estimator.DM: 0.00455473,
        Estimator.DR: 0.00686307,
        Estimator.SNDR: 0.00686222,
        Estimator.SWITCH_DR: 0.00651975,
        Estimator.DROS: 0.00513049,
    },
}
EFFECTIVE = {Campaign.ALL: 1639.5, Campaign.MEN: 2467.4, Campaign.WOMEN: 1954.3}


@pytest.mark.parametrize("campaign", list(Campaign))
def test_open_bandit_figures_are_reproduced(shared_data: Path, campaign: Campaign) -> None:
    folder = shared_data / "open_bandit_small"
    log = read_banner_log(folder, policy="random", campaign=campaign)
    weighted = weigh_banners(log, thompson_slate(folder, campaign=campaign))
    found = {
        by: estimate_parts(weighted, by=by, strength=STRENGTHS.get(by)).value() for by in Estimator
    }
    for by, published in OPEN_BANDIT[campaign].items():
        assert found[by] == pytest.approx(published, abs=6e-9), by
    assert measure_overlap(weighted).n_effective == pytest.approx(EFFECTIVE[campaign], abs=0.05)
    if campaign is Campaign.ALL:
        truth = read_banner_log(folder, policy="bts", campaign=campaign).clicks.mean()
        assert abs(found[Estimator.IPS] - truth) / truth == pytest.approx(0.0840, abs=5e-5)
        assert found[Estimator.DR] == pytest.approx(0.004727, abs=2e-6)
        held = clopper_pearson_interval(weighted, rewards=Range(0.0, 1.0))
        assert (held.low, held.high) == pytest.approx((0.000687, 0.015074), abs=2e-6)


def test_bench_says_that_public_data_are_missing(tmp_path: Path) -> None:
    told: list[str] = []
    rows = bench_ope(tmp_path, n_runs=1, seed=0, tell=told.append)
    assert "holds no Open Bandit data" in told[0]
    cases = {row.case for row in rows}
    assert {"static logs", "adaptive logs"} < cases
    assert sum(case.startswith("slates, ") for case in cases) == 3


def make_log(n: int = 400, *, seed: int = 0, n_actions: int = 3) -> WeightedLog:
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.ones(n_actions), n)
    target = rng.dirichlet(np.ones(n_actions), n)
    actions = (p.cumsum(axis=1) < rng.random((n, 1))).sum(axis=1)
    return weigh(
        actions,
        rng.normal(size=n),
        p_logged=p,
        p_target=target,
        expected=rng.normal(size=(n, n_actions)),
        squares=np.ones((n, n_actions)),
    )


@given(seed=st.integers(0, 10_000), level=st.floats(-5, 5))
def test_adding_to_every_reward_adds_to_self_normalised_values(seed: int, level: float) -> None:
    log = make_log(seed=seed)
    assert log.expected is not None
    moved = WeightedLog(
        log.rewards + level,
        log.weights,
        Expected(log.expected.logged + level, log.expected.target + level),
        log.customers,
        log.is_supported,
    )
    for by in (Estimator.SNIPS, Estimator.SNDR, Estimator.DR, Estimator.DM):
        apart = estimate_parts(moved, by=by).value() - estimate_parts(log, by=by).value()
        assert apart == pytest.approx(level, abs=1e-8)


@given(seed=st.integers(0, 10_000))
def test_judging_the_logging_policy_gives_the_mean_reward(seed: int) -> None:
    log = make_log(seed=seed)
    own = WeightedLog(log.rewards, np.ones(log.n), log.expected, log.customers, log.is_supported)
    for by in (Estimator.IPS, Estimator.SNIPS):
        assert estimate_parts(own, by=by).value() == pytest.approx(log.rewards.mean())


@given(seed=st.integers(0, 1_000))
def test_shrinking_by_nothing_is_no_shrinking(seed: int) -> None:
    log = make_log(seed=seed)
    whole = estimate_parts(log, by=Estimator.DR).value()
    for by in (Estimator.SWITCH_DR, Estimator.DROS):
        assert estimate_parts(log, by=by, strength=np.inf).value() == pytest.approx(whole)
    for by in (Estimator.CLIPPED, Estimator.SWITCH_DR, Estimator.DROS):
        assert (shrink(log.weights, by=by, strength=2.0) <= log.weights + 1e-12).all()


def test_influence_is_what_leaving_a_row_out_changes() -> None:
    log = make_log(300)
    for by in (Estimator.IPS, Estimator.SNIPS, Estimator.DR, Estimator.SNDR):
        parts = estimate_parts(log, by=by)
        without = np.ones(log.n)
        without[7] = 0.0
        change = parts.value() - parts.value(without)
        assert parts.influenced().influence[7] == pytest.approx(change, rel=0.1, abs=2e-4)
        assert parts.rows().mean() == pytest.approx(parts.value())


def test_positions_choose_their_own_distribution() -> None:
    slate = np.array([[0.5, 0.2], [0.3, 0.3], [0.2, 0.5]])
    positions = np.array([0, 1, 1])
    expected = np.array([[0.5, 0.3, 0.2], [0.2, 0.3, 0.5], [0.2, 0.3, 0.5]])
    assert np.array_equal(at_positions(slate, positions), expected)
    assert np.array_equal(at_positions(np.stack([slate] * 3), positions), expected)


def test_what_cannot_be_is_refused_with_all_its_faults() -> None:
    one, half = np.array([0]), np.array([[0.5, 0.5]])
    with pytest.raises(BadInputError, match=r"p_logged: .*; p_target: rows must sum to 1"):
        weigh(one, np.ones(1), p_logged=np.zeros(1), p_target=half * 3)
    with pytest.raises(BadInputError, match="all actions"):
        weigh(one, np.ones(1), p_logged=np.ones(1), p_target=half, expected=half, squares=half)
    bare = weigh(one, np.ones(1), p_logged=np.ones(1), p_target=half)
    with pytest.raises(BadInputError, match="without a reward model"):
        estimate_parts(bare, by=Estimator.DR)
    with pytest.raises(BadInputError, match="strength is None"):
        estimate_parts(bare, by=Estimator.CLIPPED)
    with pytest.raises(BadInputError, match=r"weights: -1\.0 is below 0"):
        WeightedLog(np.ones(1), -np.ones(1), None, np.array(["a"], object), np.ones(1, bool))


def test_weights_of_zero_stay_zero_however_much_is_shrunk() -> None:
    weights = np.array([0.0, 0.5, 4.0])
    for strength in (0.0, 0.5, 1.0):
        shrunk = shrink(weights, by=Estimator.SUB_GAUSSIAN, strength=strength)
        assert np.isfinite(shrunk).all()
        assert shrunk[0] == 0.0
    np.testing.assert_array_equal(shrunk, [0.0, 1.0, 1.0])
