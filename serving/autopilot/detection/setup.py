"""Detection made ready for a chain: what is usual, thresholds, and a word of history on both."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from serving.autopilot.detection.baseline import (
    Baseline,
    Complaint,
    Stream,
    assume_baseline,
    fit_baseline,
)
from serving.autopilot.detection.calibration import Calibration, calibrate
from serving.autopilot.detection.detector import BurstDetector, Sighting
from serving.autopilot.detection.preview import Preview, preview
from serving.autopilot.detection.settings import DetectionSettings
from serving.autopilot.detection.week import HOUR_US, WEEK_HOURS

_WEEK_US: Final = WEEK_HOURS * HOUR_US
_WARM_WEEKS: Final = 2  # of history, in which levels are learned and nothing is said
_PULL: Final = 8.0  # alarms that the simulation counts for beside those of history


@dataclass(frozen=True)
class History:
    """Complaints of a chain before detection is switched on.

    Attributes:
        seen: In any order.
        streams: What is watched.
        since_us: First moment of the history.
        until_us: First moment after it.
        zone: IANA name of the chain's zone.
    """

    seen: Sequence[Sighting]
    streams: tuple[Stream, ...]
    since_us: int
    until_us: int
    zone: str

    @property
    def n_weeks(self) -> float:
        """How long it is."""
        return (self.until_us - self.since_us) / _WEEK_US


@dataclass(frozen=True)
class Readiness:
    """A detector that has read the history, and what it would have said of it.

    Attributes:
        detector: Its levels are those of the end of the history.
        baseline: What is usual.
        calibration: With thresholds that history has had its word on.
        preview: Of the settled thresholds on the history; None where it is too short to be one.
    """

    detector: BurstDetector
    baseline: Baseline
    calibration: Calibration
    preview: Preview | None


def prepare_detection(
    history: History, *, settings: DetectionSettings, rng: np.random.Generator
) -> Readiness:
    """Fit, calibrate, replay on history, correct, and warm up.

    Simulation knows two laws of unsteadiness; complaints may follow another. Where history brings
    more alarms than were promised, the budget is shared out as if it were smaller, by the ratio of
    both with eight alarms of the simulation's weight beside them. Real incidents in the history
    count too: after many of them thresholds are too high rather than too low. Fewer alarms than
    promised change nothing.

    Args:
        history: What is known of the chain; may be empty.
        settings: With the budget.
        rng: Of the simulation.
    """
    counted = _keep_distinct(history, settings)
    if history.n_weeks > _WARM_WEEKS:
        baseline = fit_baseline(
            counted,
            streams=history.streams,
            since_us=history.since_us,
            until_us=history.until_us,
            zone=history.zone,
            rng=rng,
        )
    else:
        baseline = assume_baseline(history.streams, zone=history.zone)
    calibration = calibrate(baseline, settings=settings, rng=rng)
    shown = None
    if not baseline.is_assumed:
        first = _preview(history, baseline, calibration, settings)
        promised = calibration.promised * first.n_weeks
        factor = min(1.0, (promised + _PULL) / (len(first.bursts) + _PULL))
        calibration = calibration.tighten(factor)
        shown = first if factor == 1.0 else _preview(history, baseline, calibration, settings)
    return Readiness(
        detector=_warm(history.seen, baseline, calibration, settings),
        baseline=baseline,
        calibration=calibration,
        preview=shown,
    )


def _keep_distinct(history: History, settings: DetectionSettings) -> list[Complaint]:
    """Complaints of known customers, each once in a while, of streams that are watched."""
    apart_us = round(settings.repeat_hours * HOUR_US)
    watched = set(history.streams)
    last: dict[tuple[Stream, str], int] = {}
    kept = []
    for one in _in_order(history.seen):
        if one.customer_id is None or one.stream not in watched:
            continue
        before = last.get((one.stream, one.customer_id))
        if before is None or one.at_us - before >= apart_us:
            last[one.stream, one.customer_id] = one.at_us
            kept.append(Complaint(one.stream, one.at_us))
    return kept


def _preview(
    history: History, baseline: Baseline, calibration: Calibration, settings: DetectionSettings
) -> Preview:
    """What it would have said, each message judged by levels as they were known then."""
    start = history.since_us + _WARM_WEEKS * _WEEK_US
    detector = BurstDetector(baseline, calibration=calibration, settings=settings)
    return preview(detector, history.seen, alarms_from_us=start, until_us=history.until_us)


def _warm(
    seen: Iterable[Sighting],
    baseline: Baseline,
    calibration: Calibration,
    settings: DetectionSettings,
) -> BurstDetector:
    detector = BurstDetector(baseline, calibration=calibration, settings=settings)
    for one in _in_order(seen):
        detector.take(one, now_us=one.at_us, may_alarm=False)
    return detector


def _in_order(seen: Iterable[Sighting]) -> list[Sighting]:
    return sorted(seen, key=lambda one: (one.at_us, one.message_id))
