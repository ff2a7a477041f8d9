"""Thresholds that keep a budget of false alarms, found by simulating what is usual.

Streams differ in level, so a curve is made for each of a few levels: how many times a week an
ordinary stream reaches a score. A stream's threshold lies between those of the levels around it.
"""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import exp, log
from typing import Final

import numpy as np
from pydantic import BaseModel, ConfigDict

from serving.autopilot.detection.baseline import Baseline, Dispersion
from serving.autopilot.detection.settings import DetectionSettings
from serving.autopilot.detection.simulate import simulate_weeks
from serving.autopilot.detection.statistic import score_stream
from serving.autopilot.detection.week import Floats

LEVELS_PER_DAY: Final = (
    0.02,
    0.05,
    0.1,
    0.2,
    0.35,
    0.6,
    1.0,
    2.0,
    4.0,
    8.0,
    16.0,
    32.0,
    64.0,
    128.0,
)
"""Classes of streams, in complaints a day."""

QUIET_HOURS: Final = 4.0
"""Alarms of one stream that are less than this apart are one alarm."""

_SCORED: Final = 100  # alarms from which a budget is read, where the work allows it
_MOST_EVENTS: Final = 200_000
_LEAST_WEEKS: Final = 200
_PROMISE_SHARE: Final = 3  # a promise's ends are read from a third of the weeks
_LEAST_PEAKS: Final = 10
_UNSEEN: Final = 20.0  # a score that is taken to be a thousand times as rare as any at all


class TailCurve(BaseModel):
    """How often an ordinary stream reaches a score.

    Attributes:
        scores: Falling; the last one is 0, which every window reaches that is judged at all.
        per_week: How many times a week each is reached, rising.
        n_weeks: So many weeks were simulated.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    scores: tuple[float, ...]
    per_week: tuple[float, ...]
    n_weeks: int

    def score_at(self, per_week: float) -> float:
        """The score that is reached so many times a week; 0 where none is reached as often."""
        if per_week >= self.per_week[-1]:
            return 0.0
        return _interpolate(log(per_week), [log(rate) for rate in self.per_week], self.scores)

    def per_week_at(self, score: float) -> float:
        """How many times a week a score is reached; above the greatest one its line goes on."""
        rising = self.scores[::-1]
        rates = [log(rate) for rate in self.per_week[::-1]]
        return exp(_interpolate(max(score, 0.0), rising, rates))


class Calibration(BaseModel):
    """What a promise of false alarms takes.

    Attributes:
        per_stream_week: The share of the budget of one stream.
        n_streams: That share it.
        tightened: Factor below one by which history has made that share smaller.
        curves: By level, complaints a day.
        promised_low: False alarms a week of the chain if rates are as steady as they may be.
        promised_high: And if they are as unsteady.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    per_stream_week: float
    n_streams: int
    tightened: float = 1.0
    curves: Mapping[float, TailCurve]
    promised_low: float
    promised_high: float

    @property
    def promised(self) -> float:
        """False alarms a week of the whole chain."""
        return self.per_stream_week * self.n_streams

    def threshold_of(self, per_day: float) -> float:
        """The score that a stream of this level must reach."""
        levels = sorted(self.curves)
        share = self.per_stream_week * self.tightened
        scores = [self.curves[level].score_at(share) for level in levels]
        return _between(per_day, levels, scores)

    def chain_per_week(self, score: float, *, per_day: float) -> float:
        """How often chance brings a score like this, a week, somewhere in the chain.

        It is the budget times how much rarer than its threshold the score is in its own stream.
        """
        levels = sorted(self.curves)
        rates = [log(self.curves[level].per_week_at(score)) for level in levels]
        return exp(_between(per_day, levels, rates)) * self.n_streams / self.tightened

    def share_among(self, n_streams: int) -> "Calibration":
        """The same budget for more or fewer streams; the curves are those of levels, and stay."""
        return self.model_copy(
            update={"per_stream_week": self.promised / n_streams, "n_streams": n_streams}
        )

    def tighten(self, factor: float) -> "Calibration":
        """The same with higher thresholds: chance brings 1 / factor as many alarms as simulated."""
        return self.model_copy(update={"tightened": factor})


@dataclass(frozen=True)
class _Work:
    """One level to be simulated."""

    per_day: float
    phi: float
    n_weeks: int


def calibrate(
    baseline: Baseline,
    *,
    settings: DetectionSettings,
    rng: np.random.Generator,
    levels_per_day: Sequence[float] | None = None,
) -> Calibration:
    """The thresholds of a chain.

    Args:
        baseline: What is usual.
        settings: With the budget; every stream gets the same share of it.
        rng: Of the simulation.
        levels_per_day: Levels that its streams have; None takes those of its topics. Classes are
            made around them.
    """
    n_streams = len(baseline.streams)
    share = settings.false_alarms_per_week / n_streams
    found = levels_per_day or list(baseline.topic_per_day.values())
    works = [_plan(level, share, settings, baseline) for level in _classes_around(found)]
    curves = {
        work.per_day: _curve(work, baseline, baseline.dispersion, settings, rng) for work in works
    }
    spread = []
    for phi in (baseline.dispersion.low, baseline.dispersion.high):
        rates = _promise_under(phi, works, curves, share, baseline, settings, rng)
        of_each = [
            _between(level, sorted(rates), [rates[k] for k in sorted(rates)]) for level in found
        ]
        spread.append(float(np.mean(of_each)) * n_streams)
    return Calibration(
        per_stream_week=share,
        n_streams=n_streams,
        curves=curves,
        promised_low=min(*spread, share * n_streams),
        promised_high=max(*spread, share * n_streams),
    )


def count_peaks(at_hours: Floats, scores: Floats) -> Floats:
    """The best score of each group of complaints that are close to each other, falling, (m,)."""
    if not len(at_hours):
        return np.empty(0)
    starts = np.concatenate([[0], np.flatnonzero(np.diff(at_hours) >= QUIET_HOURS) + 1])
    peaks = np.maximum.reduceat(scores, starts)
    return np.sort(peaks[peaks > 0])[::-1]


def _classes_around(levels: Sequence[float]) -> tuple[float, ...]:
    """Classes from the one below a quarter of the least to the one above twice the greatest."""
    low, high = min(levels) / 4, max(levels) * 2
    below = [level for level in LEVELS_PER_DAY if level <= low][-1:]
    above = [level for level in LEVELS_PER_DAY if level >= high][:1]
    return (*below, *(level for level in LEVELS_PER_DAY if low < level < high), *above)


def _plan(per_day: float, share: float, settings: DetectionSettings, baseline: Baseline) -> _Work:
    wanted = _SCORED / share
    able = _MOST_EVENTS / (7 * per_day)
    phi = baseline.dispersion.phi if per_day >= settings.busy_per_day else 0.0
    return _Work(per_day, phi, int(max(_LEAST_WEEKS, min(wanted, able))))


def _curve(
    work: _Work,
    baseline: Baseline,
    dispersion: Dispersion,
    settings: DetectionSettings,
    rng: np.random.Generator,
) -> TailCurve:
    level = work.per_day / 24
    weeks = simulate_weeks(
        baseline.shape,
        level=level,
        known_hours=24 * (settings.trailing_days + settings.shrink_days),
        dispersion=dispersion,
        n_weeks=work.n_weeks,
        rng=rng,
    )
    scores = score_stream(
        weeks.at_hours,
        weeks.mean_hours,
        level=level,
        phi=work.phi,
        least=settings.least_customers,
        shortest_hours=settings.shortest_minutes / 60,
        longest_hours=settings.longest_minutes / 60,
    )
    return _summarise(count_peaks(weeks.at_hours, scores), n_weeks=work.n_weeks)


def _summarise(peaks: Floats, *, n_weeks: int) -> TailCurve:
    """A curve of at most thirty points through the peaks, with a tail that falls like theirs."""
    rate_of_all = max(len(peaks), 0.5) / n_weeks
    if len(peaks) < _LEAST_PEAKS:  # too quiet to burst by chance: its scores say little
        return TailCurve(
            scores=(_UNSEEN, 0.0), per_week=(rate_of_all / 1000, rate_of_all), n_weeks=n_weeks
        )
    ranks = np.unique(np.geomspace(_LEAST_PEAKS, len(peaks), 28).astype(np.int64))
    upper = peaks[:_SCORED]
    excess = float(np.mean(upper - upper[-1])) or 1.0
    beyond = float(peaks[ranks[0] - 1]) + excess * log(1000.0)
    scores = (beyond, *(float(peaks[rank - 1]) for rank in ranks[:-1]), 0.0)
    rates = (float(ranks[0]) / n_weeks / 1000, *(float(rank) / n_weeks for rank in ranks))
    return TailCurve(scores=tuple(_falling(scores)), per_week=rates, n_weeks=n_weeks)


def _falling(scores: Sequence[float]) -> list[float]:
    """Equal neighbours a hair apart, so that a curve can be read both ways."""
    found = [scores[0]]
    for score in scores[1:]:
        found.append(min(score, found[-1] - 1e-9))
    return found


def _promise_under(
    phi: float,
    works: Sequence[_Work],
    curves: Mapping[float, TailCurve],
    share: float,
    baseline: Baseline,
    settings: DetectionSettings,
    rng: np.random.Generator,
) -> Mapping[float, float]:
    """False alarms a week of a stream by class, were rates as unsteady as that."""
    dispersion = baseline.dispersion.at(phi)

    def shorter(work: _Work) -> _Work:
        return replace(work, n_weeks=max(_LEAST_WEEKS, work.n_weeks // _PROMISE_SHARE))

    return {
        work.per_day: _curve(shorter(work), baseline, dispersion, settings, rng).per_week_at(
            curves[work.per_day].score_at(share)
        )
        for work in works
    }


def _between(per_day: float, levels: Sequence[float], values: Sequence[float]) -> float:
    """Between the classes around a level; beyond them the outermost."""
    if per_day <= levels[0]:
        return values[0]
    if per_day >= levels[-1]:
        return values[-1]
    return _interpolate(log(per_day), [log(level) for level in levels], values)


def _interpolate(x: float, xs: Sequence[float], ys: Sequence[float]) -> float:
    """On the line through the points around `x`, rising; beyond them the last line goes on."""
    if len(xs) == 1:
        return ys[0]
    at = min(max(bisect_left(xs, x), 1), len(xs) - 1)
    (x0, y0), (x1, y1) = list(pairwise(zip(xs, ys, strict=True)))[at - 1]
    return y0 + (x - x0) * (y1 - y0) / (x1 - x0)
