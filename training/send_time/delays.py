"""How late messages are read: a mixture of exponentials, pooled across channels.

All channels share the same few paces (minutes, hours, a day, days); each mixes them in its own way,
shrunk to the common mixture. Fitted by expectation-maximisation (Dempster, Laird & Rubin 1977) with
the reading that comes after the window, and was not seen, counted as missing.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from features.vocabulary import Channel
from training.measures import Floats
from training.registry.servable import CHANNELS
from training.send_time.sent import READ_DAYS, SentMessages

_FIRST_HOURS = (0.3, 3.0, 24.0, 120.0)
_POOLED_WEIGHT = 50.0
"""Reads that the common mixture counts for in a channel's own."""
_MIN_READS = 20
_N_STEPS = 150
_WINDOW_HOURS = READ_DAYS * 24.0
_LONGEST_HOURS = 8.0 * _WINDOW_HOURS  # a week cannot tell slower paces from one another


@dataclass(frozen=True)
class Delay:
    """A mixture of exponentials.

    Attributes:
        shares: Of each part; they sum to 1.
        hours: Mean of each part.
    """

    shares: tuple[float, ...]
    hours: tuple[float, ...]


def fit_delays(sent: SentMessages) -> Mapping[Channel, Delay]:
    """The delay of each channel; none at all where fewer than 20 messages were read."""
    waited = sent.read_after_hours
    read = ~np.isnan(waited)
    if read.sum() < _MIN_READS:
        return {}
    common = _fit(waited[read], start=Delay((0.25,) * 4, _FIRST_HOURS), moves=True)
    return {
        channel: _fit(waited[read & (sent.channel == position)], start=common, moves=False)
        for position, channel in enumerate(CHANNELS)
    }


def _fit(waited: Floats, *, start: Delay, moves: bool) -> Delay:
    """Expectation-maximisation from a start; where means stay, shares are pooled with it."""
    hours, first = np.array(start.hours), np.array(start.shares)
    shares, times = first, np.maximum(waited, 1e-3)[:, None]
    for _ in range(_N_STEPS):
        density = shares / hours * np.exp(-times / hours)
        part = density / density.sum(axis=1, keepdims=True)
        unseen = shares * np.exp(-_WINDOW_HOURS / hours)
        unseen *= len(waited) / max(1.0 - unseen.sum(), 1e-9)
        n = part.sum(axis=0) + unseen
        if moves:
            total = (part * times).sum(axis=0) + unseen * (_WINDOW_HOURS + hours)
            hours = np.minimum(total / np.maximum(n, 1e-9), _LONGEST_HOURS)
        else:
            n = n + _POOLED_WEIGHT * first
        shares = n / n.sum()
    return Delay(tuple(shares.tolist()), tuple(hours.tolist()))
