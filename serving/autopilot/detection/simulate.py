"""Ordinary weeks of a stream, made up from what is usual: for thresholds, never for decisions."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from serving.autopilot.detection.baseline import Dispersion
from serving.autopilot.detection.week import WEEK_HOURS, Floats, WeekShape

Factors = npt.NDArray[np.float32]

_LEAST_PHI = 1e-6


@dataclass(frozen=True)
class OrdinaryWeeks:
    """Complaints of made-up weeks, one stream after the other in one long time.

    Attributes:
        at_hours: When they came, in order, (n,); hour 0 is a Monday 00:00.
        mean_hours: The same on the clock of the week, (n,).
        n_weeks: So many weeks in all.
    """

    at_hours: Floats
    mean_hours: Floats
    n_weeks: int


def simulate_weeks(
    shape: WeekShape,
    *,
    level: float,
    known_hours: float,
    dispersion: Dispersion,
    n_weeks: int,
    rng: np.random.Generator,
) -> OrdinaryWeeks:
    """Weeks of a stream whose believed level is `level`.

    The true level differs from the believed one by what a level is uncertain that is known from
    `known_hours` hours; so a promise about false alarms covers that error too. Days and hours have
    gamma factors: counts of an hour are negative binomial.

    Args:
        shape: Rhythm of the week.
        level: Complaints in an hour of the mean rate, as believed.
        known_hours: Hours of the mean rate that the belief rests on.
        dispersion: Of days and hours.
        n_weeks: How many.
        rng: Of everything random.
    """
    weights = np.array(shape.weights).reshape(7, 24)
    known = 0.5 + level * known_hours
    truth = level * rng.gamma(known, 1 / known, n_weeks)
    days = _draw_factors(dispersion.day, (n_weeks, 7), rng)
    hours = _draw_factors(dispersion.hour, (n_weeks, 7, 24), rng)
    rates = hours * (truth[:, None, None] * weights * days[:, :, None]).astype(np.float32)
    counts = rng.poisson(rates).ravel()
    at = np.repeat(np.arange(n_weeks * WEEK_HOURS, dtype=float), counts)
    at = np.sort(at + rng.random(len(at)))
    return OrdinaryWeeks(at, shape.mean_hours_of(at), n_weeks)


def _draw_factors(phi: float, shape: tuple[int, ...], rng: np.random.Generator) -> Factors:
    """Gamma factors of mean one whose squared coefficient of variation is `phi`."""
    if phi < _LEAST_PHI:
        return np.ones(shape, np.float32)
    return rng.standard_gamma(1 / phi, shape, dtype=np.float32) * np.float32(phi)
