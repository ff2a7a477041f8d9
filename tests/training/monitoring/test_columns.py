from datetime import UTC, datetime, timedelta

import numpy as np

from training.monitoring.columns import ColumnProfile, find_edges
from training.monitoring.drift import find_drifts
from training.monitoring.periods import N_REFERENCE_BLOCKS, stretch
from training.monitoring.status import Finding, Status

N_EACH = 1_000


def make_blocks() -> np.ndarray:
    return np.repeat(np.arange(N_REFERENCE_BLOCKS), N_EACH)


def draw_noisy(rng: np.random.Generator, n_blocks: int) -> np.ndarray:
    """Values whose level wanders from block to block, as a busy or a quiet fortnight does."""
    level = rng.normal(0.0, 0.08, size=n_blocks)
    return np.exp(rng.normal(np.repeat(level, N_EACH), 0.7))


def judge(profile: ColumnProfile, values: np.ndarray, *, stretched: float = 1.0) -> Finding:
    (finding,) = find_drifts((profile,), values[:, None], stretched=stretched)
    return finding


def test_drift_of_ordinary_noise_is_not_found_and_that_of_a_scaled_feature_is() -> None:
    usual, scaled = [], []
    for seed in range(20):
        values = draw_noisy(np.random.default_rng(seed), N_REFERENCE_BLOCKS + 1)
        now, before = values[:N_EACH], values[N_EACH:]
        profile = ColumnProfile.of("visits", before, blocks=make_blocks())
        usual.append(judge(profile, now).status)
        scaled.append(judge(profile, now * 2.0))

    assert Status.ALARM not in usual
    assert usual.count(Status.WATCH) <= 1
    assert {finding.status for finding in scaled} == {Status.ALARM}
    assert all("visits" in finding.words for finding in scaled)


def test_drift_of_what_moves_steadily_is_expected_to_go_on() -> None:
    rng = np.random.default_rng(1)
    blocks = make_blocks()
    age = rng.normal(100.0, 10.0, len(blocks)) - 1.0 * blocks  # of accounts: block 0 is the last
    profile = ColumnProfile.of("tenure_days", age, blocks=blocks)
    in_four_weeks = rng.normal(102.0, 10.0, N_EACH)
    stretched = 1.5**2  # four weeks further than the last block

    assert judge(profile, in_four_weeks).value > 0.25  # the usual reading would alarm
    assert judge(profile, in_four_weeks, stretched=stretched).status is Status.OK
    assert judge(profile, in_four_weeks + 10.0, stretched=stretched).status is Status.ALARM


def test_drift_of_few_values_is_left_to_chance() -> None:
    rng = np.random.default_rng(2)
    profile = ColumnProfile.of("x", rng.normal(size=8 * N_EACH), blocks=make_blocks())
    alarms = [judge(profile, rng.normal(size=110)).status is Status.ALARM for _ in range(200)]

    assert not any(alarms)
    assert profile.distance(rng.normal(size=110)) > profile.distance(rng.normal(size=10_000))


def test_values_below_a_common_lowest_value_are_seen() -> None:
    zeros = np.zeros(8 * N_EACH)
    profile = ColumnProfile.of("refunds", zeros, blocks=make_blocks())

    assert judge(profile, np.zeros(500)).value < 0.01
    assert judge(profile, np.full(500, -1.0)).status is Status.ALARM
    assert judge(profile, np.full(500, 1.0)).status is Status.ALARM


def test_values_that_many_share_may_be_seen_some_seconds_later() -> None:
    """Promises are for whole quarters of a day: as of another second all of them moved a little."""
    rng = np.random.default_rng(5)
    quarters = rng.integers(1, 24, size=8 * N_EACH) / 4
    profile = ColumnProfile.of("days_to_promise", quarters, blocks=make_blocks())
    later = rng.integers(1, 24, size=N_EACH) / 4

    for seconds in (-13, 4):
        found = judge(profile, later + seconds / 86_400)
        assert (found.status, found.value < 0.05) == (Status.OK, True)
    assert judge(profile, later + 1.0).status is not Status.OK


def test_edges_of_nothing_are_none_and_a_column_without_values_has_no_median() -> None:
    assert len(find_edges(np.empty(0))) == 0
    nothing = ColumnProfile.of("x", np.full(8 * N_EACH, np.nan), blocks=make_blocks())

    assert (nothing.median, nothing.null_share, nothing.n_rows) == (None, 1.0, 0)
    assert find_drifts((nothing,), np.ones((500, 1)), stretched=1.0) == []


def test_profile_of_a_column_comes_back_from_json() -> None:
    values = np.random.default_rng(3).normal(size=8 * N_EACH)
    profile = ColumnProfile.of("x", values, blocks=make_blocks())

    assert ColumnProfile.model_validate_json(profile.model_dump_json()) == profile


def test_stretch_grows_with_the_square_of_the_time_since() -> None:
    made = datetime(2026, 6, 1, tzinfo=UTC)
    assert stretch(made, now=made - timedelta(days=1)) == 1.0
    assert stretch(made, now=made + timedelta(days=112)) == 9.0
