"""Calibration by channel: how wide from messages that were not fitted to, how high from all.

Held-out messages tell whether log-odds lie too far apart, since those that were fitted to always
look as if they lay right. Of the level they tell little where an outcome is rare (a fifth of the
time holds some forty unsubscribes), and what they tell is in the rates that are served already,
which are those of all messages. Moving the level by them again would count them twice.

Slopes and levels have a common part and a deviation on each channel, all normal: a channel with
thousands of positives has its own, one with a handful the common one.
"""

from typing import Final

import numpy as np

from training.calibration import find_mode
from training.measures import Bools, Floats, Integers
from training.registry.servable import CHANNELS, Calibration

_SLOPE_SD: Final = (0.25, 0.05)
_LEVEL_SD: Final = (5.0, 0.2)
_N: Final = len(CHANNELS)


def fit_slopes(z: Floats, *, labels: Bools, channel: Integers) -> Floats:
    """How far log-odds z (n,) should lie apart by position of the channel, on held-out rows.

    Levels are fitted beside them and forgotten. Log-odds are taken around their mean: a slope of
    rare outcomes would move their level else, by several times what is believed of levels.
    """
    middle = float(z.mean())
    Z = np.column_stack([_spread(z - middle, channel), _spread(np.ones(len(z)), channel)])
    mean = np.zeros(Z.shape[1])
    mean[0], mean[1 + _N] = 1.0, middle
    sd = np.concatenate([_repeat(_SLOPE_SD), _repeat(_LEVEL_SD)])
    theta = find_mode(Z, labels=labels, mean=mean, sd=sd)
    slopes: Floats = theta[0] + theta[1 : 1 + _N]
    return slopes


def fit_levels(
    z: Floats, *, labels: Bools, channel: Integers, slopes: Floats
) -> tuple[Calibration, ...]:
    """Calibration with these slopes, at the level of all messages.

    Args:
        z: Log-odds of all known messages by what is served, (n,).
        labels: What happened, (n,).
        channel: Positions of the channels, (n,).
        slopes: By position of the channel, (channels,).
    """
    # The slope has a column of its own that is certain: what is left to find are the levels.
    Z = np.column_stack([slopes[channel] * z, _spread(np.ones(len(z)), channel)])
    mean = np.zeros(Z.shape[1])
    mean[0] = 1.0
    theta = find_mode(Z, labels=labels, mean=mean, sd=np.array([1e-6, *_repeat(_LEVEL_SD)]))
    levels = theta[1] + theta[2:]
    return tuple(
        Calibration(float(slope), float(level)) for slope, level in zip(slopes, levels, strict=True)
    )


def _spread(values: Floats, channel: Integers) -> Floats:
    """A common column, and one for each channel with its rows alone, (n, 1 + channels)."""
    columns = np.zeros((len(values), 1 + _N))
    columns[:, 0] = values
    columns[np.arange(len(values)), 1 + channel] = values
    return columns


def _repeat(sd: tuple[float, float]) -> Floats:
    """The spread of a common part and of each channel's, (1 + channels,)."""
    return np.array([sd[0], *[sd[1]] * _N])
