"""What the local hour of sending adds on each channel: a smooth circle of 24 log-odds.

Neighbouring hours differ little: a circular random walk of first order (Rue & Held 2005, ch. 3),
whose step is the one with the highest evidence (Laplace). It stands beside the trees, so that a
week of slots costs a look-up and not 168 rows in trees.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.special import expit

from training.measures import Bools, Floats, Integers
from training.registry.servable import CHANNELS
from training.registry.servable.pooled import N_HOURS

_STEPS: Final = (0.02, 0.05, 0.1, 0.2, 0.4)
_LEVEL_SD: Final = 0.3
_N_STEPS: Final = 20


@dataclass(frozen=True)
class HourlyMessages:
    """Messages with what is known of them but for the hour.

    Attributes:
        z: Log-odds of the outcome, (n,).
        labels: Whether it came, (n,).
        channel: Position of the channel, (n,).
        hour: Local hour of sending, (n,).
    """

    z: Floats
    labels: Bools
    channel: Integers
    hour: Integers


def fit_hours(messages: HourlyMessages) -> Floats:
    """Log-odds that each hour adds, (channels, 24 + 1); see `PooledRates`."""
    hours = np.zeros((len(CHANNELS), N_HOURS + 1))
    rows_of = [np.flatnonzero(messages.channel == at) for at in range(len(CHANNELS))]
    walks = {step: _make_precision(step) for step in _STEPS}
    evidence = dict.fromkeys(_STEPS, 0.0)
    found: dict[float, Floats] = {}
    for step, precision in walks.items():
        table = np.zeros((len(CHANNELS), N_HOURS))
        for at, rows in enumerate(rows_of):
            if len(rows):
                table[at], gained = _fit_circle(messages, rows, precision=precision)
                evidence[step] += gained
        found[step] = table
    best = found[max(evidence, key=lambda step: evidence[step])]
    for at, rows in enumerate(rows_of):
        if len(rows):
            hours[at, :-1] = best[at] - best[at][messages.hour[rows]].mean()
    return hours


def _make_precision(step: float) -> Floats:
    """Precision of a circle whose neighbours differ by about `step`."""
    circle = 2.0 * np.eye(N_HOURS)
    circle -= np.roll(np.eye(N_HOURS), 1, axis=1) + np.roll(np.eye(N_HOURS), -1, axis=1)
    precision: Floats = circle / step**2 + np.eye(N_HOURS) / _LEVEL_SD**2 / N_HOURS
    return precision


def _fit_circle(
    messages: HourlyMessages, rows: Integers, *, precision: Floats
) -> tuple[Floats, float]:
    """Most probable circle of one channel, and the log evidence of its precision."""
    z, labels, hour = messages.z[rows], messages.labels[rows], messages.hour[rows]
    circle = np.zeros(N_HOURS)
    curvature = precision
    for _ in range(_N_STEPS):
        p = expit(z + circle[hour])
        gradient = np.bincount(hour, labels - p, minlength=N_HOURS) - precision @ circle
        curvature = precision + np.diag(np.bincount(hour, p * (1.0 - p), minlength=N_HOURS))
        step = np.linalg.solve(curvature, gradient)
        circle = circle + np.clip(step, -1.0, 1.0)
        if np.abs(step).max() < 1e-6:
            break
    total = z + circle[hour]
    likelihood = float(total[labels].sum() - np.logaddexp(0.0, total).sum())
    fit = likelihood - 0.5 * float(circle @ precision @ circle)
    spread = np.linalg.slogdet(precision)[1] - np.linalg.slogdet(curvature)[1]
    return circle, fit + 0.5 * float(spread)
