import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.declared.hours import PRESENCE
from features.vocabulary import Channel
from training.measures import Floats
from training.registry.servable import (
    CHANNELS,
    N_WEEK_HOURS,
    FeatureSignature,
    HourResponse,
    SendTimeModel,
    WeekPatterns,
    load_servable,
    save_servable,
    sign_presence,
)

EMAIL = CHANNELS.index(Channel.EMAIL)
SMS = CHANNELS.index(Channel.SMS)


def make_model(seed: int = 1, *, attention: float = 0.6) -> SendTimeModel:
    """A model with everything in it."""
    rng = np.random.default_rng(seed)
    weeks = rng.dirichlet(np.ones(N_WEEK_HOURS), size=3)
    directions = np.linalg.qr(rng.normal(size=(N_WEEK_HOURS, 4)))[0].T
    response = HourResponse(0.5, 1.2, attention, (0.3, 0.7), (0.5, 20.0))
    return SendTimeModel(
        version="1",
        population=tuple(weeks[0].tolist()),
        strength=40.0,
        segments={"student": tuple(weeks[1].tolist()), "retired": tuple(weeks[2].tolist())},
        patterns=WeekPatterns(
            tuple(tuple(d) for d in directions.tolist()), (0.5, 0.2, 0.1, 0.05), 2.0
        ),
        responses={Channel.EMAIL: response},
        reach_hours=1,
    )


def draw_counts(seed: int, n: int = 6) -> Floats:
    return np.random.default_rng(seed).poisson(0.3, size=(n, N_WEEK_HOURS)).astype(float)


@given(seed=st.integers(0, 500), scale=st.floats(0.0, 1_000.0))
def test_relative_openness_is_a_week_whatever_was_seen(seed: int, scale: float) -> None:
    model = make_model(seed % 7)
    openness = model.relative_openness(
        scale * draw_counts(seed), segments=("student", None, "retired", "new", None, "student")
    )
    np.testing.assert_allclose(openness.mean(axis=1), 1.0)
    assert (openness > 0).all()


def test_relative_openness_is_that_of_the_segment_before_anything_is_seen() -> None:
    model = make_model()
    nothing = np.zeros((3, N_WEEK_HOURS))
    openness = model.relative_openness(nothing, segments=("retired", None, "unheard of"))
    np.testing.assert_allclose(openness[0] / N_WEEK_HOURS, model.segments["retired"])
    np.testing.assert_allclose(openness[1] / N_WEEK_HOURS, model.population)
    np.testing.assert_allclose(openness[2] / N_WEEK_HOURS, model.population)


def test_own_hours_count_the_more_the_more_is_seen() -> None:
    model = make_model()
    own = np.zeros((1, N_WEEK_HOURS))
    own[0, 40] = 1.0
    found = [model.relative_openness(n * own)[0, 40] for n in (0.0, 1.0, 10.0, 1e6)]
    assert found == sorted(found)
    assert found[-1] == pytest.approx(N_WEEK_HOURS, rel=1e-3)


def test_timing_is_presence_and_freshness_where_no_response_was_learned() -> None:
    model = replace(make_model(), reach_hours=0)
    counts, hours = draw_counts(2), np.tile([5, 100], (6, 1))
    timing = model.timing(
        counts, week_hours=hours, waited_hours=np.tile([0.0, 12.0], (6, 1)), half_life_hours=12.0
    )
    openness = model.relative_openness(counts)
    assert timing.shape == (6, 5, 2)
    np.testing.assert_allclose(timing[:, SMS, 0], np.maximum(openness[:, 5], 0.1))
    np.testing.assert_allclose(timing[:, SMS, 1], np.maximum(openness[:, 100], 0.1) / 2)


def test_timing_follows_the_learned_slope_on_its_channel() -> None:
    model = make_model(attention=0.0)
    counts = draw_counts(3)
    timing = model.timing(
        counts, week_hours=np.full((6, 1), 50), waited_hours=np.zeros((6, 1)), half_life_hours=9.0
    )
    around = model.relative_openness(counts)[:, 49:52].mean(axis=1)
    np.testing.assert_allclose(timing[:, EMAIL, 0], 1.0 + 0.5 * (around - 1.2))


def test_freshness_when_read_is_what_a_simulation_finds() -> None:
    """A message sent before a dead night is read in the morning, and stale by then."""
    hour = np.arange(N_WEEK_HOURS) % 24
    openness = np.where((hour >= 8) & (hour < 20), 1.9, 0.1)[None]
    openness = openness / openness.mean()
    response = HourResponse(attention=0.9, delay_shares=(0.4, 0.6), delay_hours=(1.0, 30.0))
    left = response.freshness_when_read(openness, half_life_hours=6.0)[0]
    lags = np.arange(24 * 7 * 40)
    reading = sum(
        share * (np.exp(-lags / mean) - np.exp(-(lags + 1) / mean))
        for share, mean in ((0.4, 1.0), (0.6, 30.0))
    )
    fading = [1 / mean + np.log(2) / 6.0 for mean in (1.0, 30.0)]
    fresh = sum(
        share / mean / rate * (np.exp(-lags * rate) - np.exp(-(lags + 1) * rate))
        for share, mean, rate in ((0.4, 1.0, fading[0]), (0.6, 30.0, fading[1]))
    )
    for start in (9, 21, 100):
        attention = 0.1 + 0.9 * openness[0, (start + lags) % N_WEEK_HOURS]
        expected = (fresh * attention).sum() / (reading * attention).sum() / fresh.sum()
        assert left[start] == pytest.approx(expected, rel=1e-6)
    assert left[21] < left[9]


def test_freshness_when_read_is_even_where_reading_ignores_presence() -> None:
    openness = make_model().relative_openness(draw_counts(4))
    left = HourResponse(attention=0.0).freshness_when_read(openness, half_life_hours=6.0)
    assert (left == 1.0).all()


def test_p_read_within_goes_from_nothing_to_all() -> None:
    response = HourResponse(delay_shares=(0.5, 0.5), delay_hours=(1.0, 10.0))
    p = response.p_read_within(np.array([-1.0, 0.0, 1.0, 10.0, 1e4]))
    assert p[:2].tolist() == [0.0, 0.0]
    assert p[-1] == 1.0
    assert (np.diff(p) >= 0).all()


def test_model_is_read_back_the_same(tmp_path: Path) -> None:
    model = make_model()
    save_servable(model, tmp_path / "model.json")
    assert load_servable(tmp_path / "model.json") == model
    assert model.signature == sign_presence() == FeatureSignature(("presence",), PRESENCE.digest)


def test_model_of_another_histogram_has_another_signature(tmp_path: Path) -> None:
    other = replace(PRESENCE, half_life_days=28)
    assert other.digest != PRESENCE.digest
    assert replace(PRESENCE, description="in other words").digest == PRESENCE.digest
    unsigned = make_model().to_json()
    for name in ("features", "digest"):
        del unsigned[name]
    (tmp_path / "old.json").write_text(json.dumps(unsigned))
    old = load_servable(tmp_path / "old.json")
    assert isinstance(old, SendTimeModel)
    assert old.signature != sign_presence()
