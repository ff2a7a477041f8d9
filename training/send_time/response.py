"""What presence does to a message: from messages whose hour chance drew, where there are any.

Where chance drew the hour, presence at it differs between messages of one customer for no other
reason: how much likelier a message is read when more of the customer's week lies there is an
effect. Where somebody chose the hour, or where nothing was sent, it stays a belief: half of
"who is there reads", give or take half.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from features.vocabulary import Channel
from training.measures import Bools, Floats, Integers
from training.registry.servable import CHANNELS, N_WEEK_HOURS, TRIGGERS, HourResponse
from training.send_time.delays import Delay, fit_delays
from training.send_time.sent import SentMessages

REACH_HOURS = 1
BELIEF = 0.5
_BELIEF_SD = 0.5
_SLOPES = np.linspace(-0.5, 2.0, 251)
_LEAST = 0.1
_ATTENTIONS = np.linspace(0.0, 1.0, 21)
_SURELY = 1.92
"""Half the 95 % point of chi square with one degree: what attention must gain, in nats."""


@dataclass(frozen=True)
class Slope:
    """How much an hour with one mean hour's presence more adds to the chance to be read.

    Attributes:
        value: Over the mean message's chance.
        error: Standard error.
        n: Messages behind it.
    """

    value: float
    error: float
    n: int


@dataclass(frozen=True)
class LearnedResponse:
    """What the hour of sending does, and where that is known from.

    Attributes:
        responses: By channel; what is served.
        pooled: The slope of all channels together, with the belief in it.
        chosen: The slope among messages whose hour somebody chose, as seen: no effect.
        is_causal: Chance drew hours, so that slopes are effects.
    """

    responses: Mapping[Channel, HourResponse]
    pooled: Slope
    chosen: Slope
    is_causal: bool


def learn_response(sent: SentMessages, *, openness: Floats, around: Floats) -> LearnedResponse:
    """Slopes by channel, shrunk to their mean, and delays.

    Args:
        sent: Messages; `row` points into the rows of `openness`.
        openness: Presence of each customer by hour, 1 in a mean hour, as known before any of
            these messages, (n, 168).
        around: The same averaged over the hours around each, (n, 168).
    """
    drawn, others = sent.take(sent.by_chance), sent.take(~sent.by_chance)
    slopes = [
        _measure_slope(drawn, around, rows=drawn.channel == position)
        for position in range(len(CHANNELS))
    ]
    pooled, own = _pool(slopes)
    presence = around[drawn.row, drawn.week_hour].mean() if len(drawn.row) else 1.0
    delays = fit_delays(sent)
    attention = _find_attention(sent, openness=openness, delays=delays)
    plain = HourResponse()
    responses = {}
    for channel, slope in zip(CHANNELS, own, strict=True):
        delay = delays.get(channel, Delay(plain.delay_shares, plain.delay_hours))
        responses[channel] = HourResponse(
            slope=slope,
            presence=float(presence),
            attention=attention,
            delay_shares=delay.shares,
            delay_hours=delay.hours,
        )
    return LearnedResponse(
        responses=responses,
        pooled=pooled,
        chosen=_measure_slope(others, around, rows=np.ones(len(others.row), dtype=bool)),
        is_causal=bool(drawn.is_read.any()),
    )


def _measure_slope(sent: SentMessages, around: Floats, *, rows: Bools) -> Slope:
    """The likeliest slope, from the hours of the messages that were read alone.

    With x the presence around the hour less the customer's own mean over the hours of the log, an
    hour is found among those read 1 + slope x times as often as among those sent. How eager a
    customer is falls out. (Within a channel and trigger x is centred by all messages sent, for
    the log's hours are those of everybody.)
    """
    sent = sent.take(rows)
    is_read = sent.is_read
    if not is_read.any():
        return Slope(0.0, float("inf"), len(sent.row))
    hours = np.bincount(sent.week_hour, minlength=N_WEEK_HOURS) / len(sent.row)
    x = around[sent.row, sent.week_hour] - (around @ hours)[sent.row]
    x = (x - _mean_by(sent.channel * len(TRIGGERS) + sent.trigger, x))[is_read]
    likelihood = [np.log(np.maximum(1.0 + slope * x, _LEAST)).sum() for slope in _SLOPES]
    value = float(_SLOPES[int(np.argmax(likelihood))])
    information = float(((x / np.maximum(1.0 + value * x, _LEAST)) ** 2).sum())
    error = information**-0.5 if information > 0.0 else float("inf")
    return Slope(value, error, len(sent.row))


def _mean_by(cell: Integers, values: Floats) -> Floats:
    """The mean of each row's cell, (n,)."""
    _, position = np.unique(cell, return_inverse=True)
    means: Floats = (np.bincount(position, values) / np.bincount(position))[position]
    return means


def _pool(slopes: list[Slope]) -> tuple[Slope, list[float]]:
    """The mean slope of all channels with the belief, and each channel's own, shrunk to it.

    Random effects (DerSimonian & Laird 1986) with a normal belief about the mean.
    """
    told = [slope for slope in slopes if np.isfinite(slope.error)]
    value, variance = (
        np.array([getattr(slope, name) for slope in told]) for name in ("value", "error")
    )
    variance = variance**2
    spread = _find_spread(value, variance)
    weight = np.append(1.0 / (variance + spread), _BELIEF_SD**-2)
    mean = float((weight * np.append(value, BELIEF)).sum() / weight.sum())
    pooled = Slope(mean, float(weight.sum() ** -0.5), sum(slope.n for slope in slopes))
    own = []
    for slope in slopes:
        trust = spread / (spread + slope.error**2) if np.isfinite(slope.error) else 0.0
        own.append(max(0.0, mean + trust * (slope.value - mean)))
    return pooled, own


def _find_spread(value: Floats, variance: Floats) -> float:
    """Variance of the true slopes between channels, by moments."""
    if len(value) < 2:
        return 0.0
    weight = 1.0 / variance
    mean = (weight * value).sum() / weight.sum()
    excess = (weight * (value - mean) ** 2).sum() - (len(value) - 1)
    return float(max(0.0, excess / (weight.sum() - (weight**2).sum() / weight.sum())))


def _find_attention(
    sent: SentMessages, *, openness: Floats, delays: Mapping[Channel, Delay]
) -> float:
    """How far the moment of reading follows presence: the likeliest, 0 where that is not sure."""
    read = sent.take(sent.is_read)
    if not delays:
        return 0.0
    seen = np.empty(len(read.row))
    usual = np.empty(len(read.row))
    at = (read.week_hour + np.floor(read.read_after_hours).astype(np.int64)) % N_WEEK_HOURS
    for position, channel in enumerate(CHANNELS):
        rows = read.channel == position
        weeks = openness[read.row[rows]]
        seen[rows] = weeks[np.arange(len(weeks)), at[rows]]
        later = (read.week_hour[rows, None] + np.arange(N_WEEK_HOURS)) % N_WEEK_HOURS
        usual[rows] = np.take_along_axis(weeks, later, axis=1) @ _by_hour(delays[channel])
    gains = [float(np.log((1.0 - a + a * seen) / (1.0 - a + a * usual)).sum()) for a in _ATTENTIONS]
    best = int(np.argmax(gains))
    return float(_ATTENTIONS[best]) if gains[best] > _SURELY else 0.0


def _by_hour(delay: Delay) -> Floats:
    """P(read in each hour of the week after sending | read in that week), (168,)."""
    edges = np.exp(-np.arange(N_WEEK_HOURS + 1)[:, None] / np.array(delay.hours))
    in_hour = -np.diff(edges @ np.array(delay.shares))
    shares: Floats = in_hour / in_hour.sum()
    return shares
