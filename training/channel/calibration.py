"""Calibration by channel, pooled towards the one that all channels share.

Platt's calibration with a common slope and intercept and a deviation of both on each channel, all
normal: a channel with thousands of positives has its own, one with a handful the common one.
"""

from typing import Final

import numpy as np

from training.measures import Bools, Floats, Integers
from training.registry.servable import CHANNELS, Calibration

_COMMON_SD: Final = (0.5, 5.0)
_CHANNEL_SD: Final = (0.15, 0.2)
_N_STEPS: Final = 50


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
    theta = mean.copy()
    for _ in range(_N_STEPS):
        p = 1.0 / (1.0 + np.exp(-np.clip(Z @ theta, -500.0, 500.0)))
        gradient = Z.T @ (labels - p) - (theta - mean) / sd**2
        curvature = (Z * (p * (1.0 - p))[:, None]).T @ Z + np.diag(sd**-2.0)
        step = np.linalg.solve(curvature, gradient)
        # Far from the optimum a full Newton step may overshoot; a logit moves by 2 at most.
        theta = theta + step * min(1.0, 2.0 / max(float(np.abs(Z @ step).max(initial=0)), 1e-12))
        if np.abs(step).max() < 1e-9:
            break
    slopes = theta[0] + theta[2 : 2 + n_channels]
    intercepts = theta[1] + theta[2 + n_channels :]
    return tuple(
        Calibration(float(slope), float(intercept))
        for slope, intercept in zip(slopes, intercepts, strict=True)
    )
