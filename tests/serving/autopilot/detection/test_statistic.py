"""Scores of windows, and clocks of weeks."""

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import nbinom, poisson

from serving.autopilot.detection.statistic import score_count, score_counts, score_stream
from serving.autopilot.detection.week import (
    HOUR_US,
    WeekShape,
    fit_shape,
    opening_shape,
)


@given(count=st.integers(1, 60), usual=st.floats(0.01, 50), phi=st.floats(0.01, 3))
def test_score_is_the_log_likelihood_ratio(count: int, usual: float, phi: float) -> None:
    r = 1 / phi
    best = max(float(count), usual)
    ratio = nbinom.logpmf(count, r, r / (r + best)) - nbinom.logpmf(count, r, r / (r + usual))
    assert score_count(count, usual=usual, phi=phi) == pytest.approx(ratio, abs=1e-6)
    ratio = poisson.logpmf(count, best) - poisson.logpmf(count, usual)
    assert score_count(count, usual=usual, phi=0.0) == pytest.approx(ratio, abs=1e-6)


@given(count=st.integers(1, 60), usual=st.floats(0.01, 50), phi=st.sampled_from([0.0, 0.3, 2.0]))
def test_scores_agree_one_by_one_and_at_once(count: int, usual: float, phi: float) -> None:
    at_once = score_counts(count, usual=np.array([usual]), phi=phi)[0]
    assert at_once == pytest.approx(score_count(count, usual=usual, phi=phi), abs=1e-9)


def test_scores_of_a_stream_are_the_best_over_windows() -> None:
    rng = np.random.default_rng(5)
    at = np.sort(rng.uniform(0, 40, 60))
    found = score_stream(at, at, level=1.5, phi=0.0, least=3, shortest_hours=0.1, longest_hours=3.0)
    for end in range(len(at)):
        windows = [
            score_count(end - start + 1, usual=1.5 * max(at[end] - at[start], 0.1), phi=0.0)
            for start in range(end - 1)
            if at[start] >= at[end] - 3.0
        ]
        assert found[end] == pytest.approx(max(windows, default=0.0))


def test_week_clock_runs_a_week_in_a_week() -> None:
    shape = opening_shape(zone="Asia/Almaty")
    start = int(datetime(2026, 5, 6, 3, 17, tzinfo=UTC).timestamp()) * 1_000_000
    for days in (7, 14):
        passed = shape.mean_hours(start + days * 24 * HOUR_US) - shape.mean_hours(start)
        assert passed == pytest.approx(24 * days)


def test_week_clock_runs_by_local_hours() -> None:
    weights = np.ones(168)
    weights[34] = 11.0  # Tuesday, 10:00
    shape = WeekShape(tuple((weights / weights.mean()).tolist()), "Asia/Almaty")
    tuesday = int(datetime(2026, 5, 5, 5, 30, tzinfo=UTC).timestamp()) * 1_000_000
    minute = HOUR_US // 60
    for at_us, weight in ((tuesday, 11.0), (tuesday + HOUR_US, 1.0)):
        passed = shape.mean_hours(at_us + minute) - shape.mean_hours(at_us)
        assert 60 * passed == pytest.approx(weight / weights.mean())


@given(st.lists(st.integers(0, 400 * HOUR_US), min_size=1, max_size=20))
def test_week_clock_is_the_same_one_by_one_and_at_once(moments: list[int]) -> None:
    start = int(datetime(2026, 1, 5, tzinfo=UTC).timestamp()) * 1_000_000
    shape = opening_shape(zone="Asia/Almaty")
    at_us = np.array(sorted(moments), np.int64) + start
    at_once = shape.mean_hours_of(shape.local_hours(at_us))
    one_by_one = np.array([shape.mean_hours(int(at)) for at in at_us])
    np.testing.assert_allclose(np.diff(at_once), np.diff(one_by_one), atol=1e-6)


def test_shape_is_found_again() -> None:
    rng = np.random.default_rng(2)
    truth = np.array(opening_shape(zone="UTC", opens=8, closes=20).weights)
    counts = rng.poisson(truth * 20)
    hours = np.repeat(np.arange(168.0), counts) + rng.random(counts.sum())
    found = np.array(fit_shape(hours, zone="UTC").weights)
    assert found.mean() == pytest.approx(1.0)
    assert (found > 0).all()
    assert np.abs(found - truth).mean() < 0.15
