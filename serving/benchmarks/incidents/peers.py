"""Other ways to see a burst, each a score for every complaint of a stream: the higher the stranger.

All get the same complaints (of distinct customers), the same week's rhythm and the same trailing
level, so that what differs is the rule.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import log
from typing import Final

import numpy as np
from scipy.special import gammainc
from scipy.stats import nbinom

from serving.autopilot.detection.settings import DetectionSettings
from serving.autopilot.detection.statistic import score_stream
from serving.autopilot.detection.week import Floats, WeekShape

_WINDOW_HOURS: Final = 40 / 60
_SCAN_HOURS: Final = tuple(minutes / 60 for minutes in (5, 10, 20, 40, 80, 160))
_CUSUM_RATIO: Final = 6.0
_MOST: Final = 300.0  # -log10 of a p-value that underflows


@dataclass(frozen=True)
class StreamPast:
    """The complaints of one stream that a peer scores.

    Attributes:
        at_hours: Local hours, in order, (n,).
        mean_hours: On the clock of the week, (n,).
        levels: What is usual in an hour of that clock, as was known then, (n,).
        phi: Dispersion of the chain.
        shape: Rhythm of the week.
    """

    at_hours: Floats
    mean_hours: Floats
    levels: Floats
    phi: float
    shape: WeekShape


def make_past(
    at_hours: Floats, *, shape: WeekShape, prior: float, phi: float, settings: DetectionSettings
) -> StreamPast:
    """A stream's complaints with the level of 28 days until the day before, shrunk as ours is."""
    mean = shape.mean_hours_of(at_hours)
    window, pull = 24 * settings.trailing_days, 24 * settings.shrink_days
    until = np.searchsorted(at_hours, at_hours - 24)
    since = np.searchsorted(at_hours, at_hours - 24 - window)
    exposure = np.clip(at_hours - 24, 0, window)
    levels = (prior * pull + until - since) / (pull + exposure)
    return StreamPast(at_hours, mean, levels, phi, shape)


def _count(past: StreamPast, hours: float, *, ago: float = 0.0) -> Floats:
    """Complaints in the window that ended so many hours ago, (n,)."""
    until = np.searchsorted(past.at_hours, past.at_hours - ago, side="right")
    since = np.searchsorted(past.at_hours, past.at_hours - ago - hours)
    return (until - since).astype(float)


def _fixed_count(past: StreamPast) -> Floats:
    return _count(past, _WINDOW_HOURS)


def _against_days(past: StreamPast, days: range) -> Floats:
    """Standard deviations above the same minutes of other days; no less than Poisson's."""
    before = np.stack([_count(past, _WINDOW_HOURS, ago=24.0 * day) for day in days])
    mean = before.mean(axis=0)
    spread = np.sqrt(np.maximum(before.var(axis=0, ddof=1), np.maximum(mean, 1 / len(days))))
    return np.asarray((_count(past, _WINDOW_HOURS) - mean) / spread)


def _same_hour(past: StreamPast) -> Floats:
    return _against_days(past, range(1, 29))


def _ears_c2(past: StreamPast) -> Floats:
    """Hutwagner et al. 2003: seven days with a gap of two before now."""
    return _against_days(past, range(3, 10))


def _cusum(past: StreamPast) -> Floats:
    """Lucas 1985: Poisson, against six times the usual rate."""
    steps = np.diff(past.mean_hours, prepend=past.mean_hours[:1])
    falls = ((_CUSUM_RATIO - 1) * past.levels * steps).tolist()
    rise, score, scores = log(_CUSUM_RATIO), 0.0, []
    for fall in falls:
        score = max(0.0, score - fall) + rise
        scores.append(score)
    return np.array(scores)


def _usual(past: StreamPast, hours: float) -> Floats:
    """Complaints to be expected in the window that ends now, (n,)."""
    since = past.shape.mean_hours_of(past.at_hours - hours)
    return np.asarray(past.levels * np.maximum(past.mean_hours - since, 1e-6))


def _poisson_scan(past: StreamPast) -> Floats:
    return _scan(past, lambda count, usual: np.asarray(gammainc(count, usual)))


def _nb_scan(past: StreamPast) -> Floats:
    r = 1 / max(past.phi, 1e-6)
    return _scan(past, lambda count, usual: np.asarray(nbinom.sf(count - 1, r, r / (r + usual))))


def _scan(past: StreamPast, chance: Callable[[Floats, Floats], Floats]) -> Floats:
    """The least p-value over windows of 5 to 160 minutes, as -log10."""
    least = np.ones(len(past.at_hours))
    for hours in _SCAN_HOURS:
        p = chance(_count(past, hours), _usual(past, hours))
        least = np.minimum(least, p)
    return np.asarray(np.minimum(-np.log10(np.maximum(least, 1e-300)), _MOST))


def _glr(past: StreamPast) -> Floats:
    settings = DetectionSettings()
    return score_stream(
        past.at_hours,
        past.mean_hours,
        level=0.0,
        levels=past.levels,
        phi=0.0,
        least=settings.least_customers,
        shortest_hours=settings.shortest_minutes / 60,
        longest_hours=settings.longest_minutes / 60,
    )


PEERS: Final[Mapping[str, Callable[[StreamPast], Floats]]] = {
    "fixed count": _fixed_count,
    "z same hour": _same_hour,
    "EARS C2": _ears_c2,
    "CUSUM": _cusum,
    "Poisson scan": _poisson_scan,
    "NB scan": _nb_scan,
    "GLR": _glr,
}
