"""What the hour does to a message is found where chance drew it; elsewhere it is not."""

import numpy as np
import pytest

from features.vocabulary import Channel
from training.measures import Floats
from training.registry.servable import CHANNELS, N_WEEK_HOURS
from training.send_time.response import BELIEF, learn_response
from training.send_time.sent import SentMessages, no_messages

SLOPE = 0.4
N_CUSTOMERS, N_MESSAGES = 1_500, 60_000


def draw_openness(rng: np.random.Generator) -> Floats:
    """Eager customers have peaked weeks, the others even ones: presence goes with eagerness."""
    peak = rng.integers(0, 24, N_CUSTOMERS)
    hour = np.arange(N_WEEK_HOURS) % 24
    apart = np.abs(hour - peak[:, None])
    height = np.where(np.arange(N_CUSTOMERS) % 2 == 0, 8.0, 0.5)[:, None]
    week = 1.0 + height * (np.minimum(apart, 24 - apart) < 3)
    shares: Floats = week / week.mean(axis=1, keepdims=True)
    return shares


def draw_sent(
    rng: np.random.Generator, openness: Floats, *, by_chance: bool, slope: float = SLOPE
) -> SentMessages:
    """Where somebody chose, eager customers got a message in their best hour, others any time."""
    row = rng.integers(0, N_CUSTOMERS, N_MESSAGES)
    week_hour = rng.integers(0, N_WEEK_HOURS, N_MESSAGES)
    is_eager = row % 2 == 0
    if not by_chance:
        week_hour = np.where(is_eager, openness[row].argmax(axis=1), week_hour)
    eagerness = np.where(is_eager, 0.14, 0.06)
    presence = openness[row, week_hour]
    read = rng.random(N_MESSAGES) < eagerness * np.maximum(1 + slope * (presence - 1), 0.1)
    return SentMessages(
        row=row,
        week_hour=week_hour,
        channel=rng.integers(0, len(CHANNELS), N_MESSAGES),
        trigger=rng.integers(0, 3, N_MESSAGES),
        by_chance=np.full(N_MESSAGES, by_chance),
        read_after_hours=np.where(read, rng.exponential(6.0, N_MESSAGES), np.nan),
    )


def test_slope_is_found_where_chance_drew_the_hours_and_missed_by_the_raw_comparison() -> None:
    rng = np.random.default_rng(1)
    openness = draw_openness(rng)
    sent = draw_sent(rng, openness, by_chance=True)
    learned = learn_response(sent, openness=openness, around=openness)
    assert learned.is_causal
    for response in learned.responses.values():
        assert response.slope == pytest.approx(SLOPE, abs=0.12)
    assert abs(learned.pooled.value - SLOPE) < 3 * learned.pooled.error
    # Chosen hours went to eager readers: as seen, the hour seems to do far more than it does.
    chosen = draw_sent(rng, openness, by_chance=False)
    presence = openness[chosen.row, chosen.week_hour]
    naive = np.polyfit(presence - presence.mean(), chosen.is_read / chosen.is_read.mean(), 1)[0]
    assert naive > 1.3 * SLOPE / (1 + SLOPE * (presence.mean() - 1))


def test_hours_that_somebody_chose_leave_the_belief_as_it_was() -> None:
    rng = np.random.default_rng(2)
    openness = draw_openness(rng)
    sent = draw_sent(rng, openness, by_chance=False)
    learned = learn_response(sent, openness=openness, around=openness)
    assert not learned.is_causal
    assert learned.chosen.n == N_MESSAGES
    assert {response.slope for response in learned.responses.values()} == {BELIEF}


def test_hour_that_does_nothing_is_found_to_do_nothing() -> None:
    rng = np.random.default_rng(3)
    openness = draw_openness(rng)
    sent = draw_sent(rng, openness, by_chance=True, slope=0.0)
    learned = learn_response(sent, openness=openness, around=openness)
    assert learned.pooled.value == pytest.approx(0.0, abs=3 * learned.pooled.error)
    assert max(response.slope for response in learned.responses.values()) < 0.1


def test_log_without_messages_leaves_the_belief() -> None:
    openness = np.ones((2, N_WEEK_HOURS))
    learned = learn_response(no_messages(), openness=openness, around=openness)
    assert not learned.is_causal
    assert learned.pooled.value == BELIEF
    assert learned.responses[Channel.SMS].slope == BELIEF
    assert learned.responses[Channel.SMS].attention == 0.0


@pytest.mark.parametrize("attention", [0.0, 0.7])
def test_attention_is_found_from_when_messages_are_read(attention: float) -> None:
    rng = np.random.default_rng(4)
    openness = draw_openness(rng)
    n = 8_000
    row, week_hour = rng.integers(0, N_CUSTOMERS, n), rng.integers(0, N_WEEK_HOURS, n)
    lags = np.arange(N_WEEK_HOURS)
    later = (week_hour[:, None] + lags) % N_WEEK_HOURS
    weight = np.exp(-lags / 10.0) * (
        1 - attention + attention * np.take_along_axis(openness[row], later, axis=1)
    )
    until = np.cumsum(weight, axis=1)
    lag = (rng.random((n, 1)) * until[:, -1:] > until).sum(axis=1)
    sent = SentMessages(
        row=row,
        week_hour=week_hour,
        channel=np.zeros(n, dtype=np.int64),
        trigger=np.zeros(n, dtype=np.int64),
        by_chance=np.ones(n, dtype=bool),
        read_after_hours=lag + 0.5,
    )
    learned = learn_response(sent, openness=openness, around=openness)
    assert learned.responses[Channel.EMAIL].attention == pytest.approx(attention, abs=0.15)
