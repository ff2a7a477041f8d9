"""Calibration by channel, pooled towards the one that all channels share.

Platt's calibration with a common slope and intercept and a deviation of both on each channel, all
normal: a channel with thousands of positives has its own, one with a handful the common one.
"""

from typing import Final

import numpy as np

from training.calibration import find_mode
from training.measures import Bools, Floats, Integers
from training.registry.servable import CHANNELS, Calibration

_COMMON_SD: Final = (0.5, 5.0)
_CHANNEL_SD: Final = (0.15, 0.2)


def fit_by_channel(z: Floats, *, labels: Bools, channel: Integers) -> tuple[Calibration, ...]:
    """Calibration of log-odds z (n,) by position of the channel, on rows not fitted to."""
    n_channels = len(CHANNELS)
    Z = np.zeros((len(z), 2 + 2 * n_channels))
    Z[:, 0], Z[:, 1] = z, 1.0
    rows = np.arange(len(z))
    Z[rows, 2 + channel] = z
    Z[rows, 2 + n_channels + channel] = 1.0
    mean = np.zeros(Z.shape[1])
    mean[0] = 1.0
    sd = np.repeat([*_COMMON_SD, *_CHANNEL_SD], [1, 1, n_channels, n_channels])
    theta = find_mode(Z, labels=labels, mean=mean, sd=sd)
    slopes = theta[0] + theta[2 : 2 + n_channels]
    intercepts = theta[1] + theta[2 + n_channels :]
    return tuple(
        Calibration(float(slope), float(intercept))
        for slope, intercept in zip(slopes, intercepts, strict=True)
    )
