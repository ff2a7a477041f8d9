"""Detection measured: how soon, how surely, and how often for nothing.

Thresholds of others are found on one chain; ours come from the product's own calibration on eight
weeks of the chain that is watched. Everything is judged on chains that no threshold has seen.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from scipy.stats import binomtest, bootstrap

from serving.autopilot.detection.baseline import Baseline, fit_baseline
from serving.autopilot.detection.bursts import Burst
from serving.autopilot.detection.calibration import count_peaks
from serving.autopilot.detection.detector import BurstDetector
from serving.autopilot.detection.preview import count_interval, replay
from serving.autopilot.detection.settings import DetectionSettings
from serving.autopilot.detection.setup import History, prepare_detection
from serving.autopilot.detection.week import HOUR_US, WEEK_HOURS, Floats
from serving.benchmarks.incidents.chains import (
    FAKE,
    MONDAY_US,
    REFERENCE,
    SLOW,
    SMALL,
    ZONE,
    Chain,
    ChainPlan,
    IncidentKind,
    Injected,
    Law,
    make_chain,
)
from serving.benchmarks.incidents.peers import PEERS, StreamPast, make_past
from training.benchmarks.rows import BenchRow

OURS: Final = "ours"
_LEARNED_WEEKS: Final = 8
_LEARNED_US: Final = _LEARNED_WEEKS * WEEK_HOURS * HOUR_US
_MARGIN_HOURS: Final = 1.0  # an alarm so long after the last complaint still is about them


@dataclass(frozen=True)
class IncidentsPlan:
    """What is measured.

    Attributes:
        seed: Of the chains.
        per_day: Levels of streams, complaints a day.
        laws: By which rates are unsteady.
        n_weeks: Weeks of each chain after those that are learned from.
        n_incidents: Injected of each kind.
        budget: False alarms a week of the chain.
    """

    seed: int = 0
    per_day: tuple[float, ...] = (0.5, 3.0)
    laws: tuple[Law, ...] = tuple(Law)
    n_weeks: int = 100
    n_incidents: int = 240
    budget: float = 1.0


@dataclass(frozen=True)
class Found:
    """What a method made of the incidents of one kind.

    Attributes:
        minutes: From the first complaint to the alarm, of those it found.
        n_seen: Complaints seen by then, likewise.
        n_incidents: Of all.
    """

    minutes: Floats
    n_seen: Floats
    n_incidents: int


@dataclass(frozen=True)
class _Watched:
    """A chain with what was learned of its first weeks."""

    chain: Chain
    baseline: Baseline


def bench_incidents(
    plan: IncidentsPlan, *, tell: Callable[[str], None] = lambda _: None
) -> list[BenchRow]:
    """Rows by level, law and method; `tell` hears what is being measured."""
    rows: list[BenchRow] = []
    for per_day in plan.per_day:
        for law in plan.laws:
            tell(f"{per_day:g} complaints a day and stream, {law.value}")
            rows += _bench_level(per_day, law, plan)
    return rows


def _bench_level(per_day: float, law: Law, plan: IncidentsPlan) -> list[BenchRow]:
    rng = np.random.default_rng([plan.seed, round(100 * per_day), list(Law).index(law)])
    settings = DetectionSettings(false_alarms_per_week=plan.budget)
    base = ChainPlan(per_day, law, n_weeks=plan.n_weeks + _LEARNED_WEEKS)
    case = f"{per_day:g} a day, {law.value}"
    quiet = _watch(make_chain(base, rng=rng), rng=rng)
    detector = make_detector(quiet.chain, settings=settings, rng=rng)
    rows = _false_alarms(case, detector, quiet, plan)
    thresholds = _fit_peers(_watch(make_chain(base, rng=rng), rng=rng), settings, plan)
    rows += _peers_false_alarms(case, quiet, thresholds, settings, plan)
    kinds = (REFERENCE, SLOW, SMALL, FAKE) if law is Law.GAMMA else (REFERENCE, FAKE)
    for kind in kinds:
        with_incidents = replace(base, n_incidents=plan.n_incidents, incident=kind)
        chain = _watch(make_chain(with_incidents, rng=rng), rng=rng)
        rows += _finds(f"{case}: {kind.name}", kind, chain, thresholds, settings, rng)
    return rows


def make_detector(
    chain: Chain, *, settings: DetectionSettings, rng: np.random.Generator
) -> BurstDetector:
    """The detector as it ships, made ready on the first weeks of a chain."""
    until_us = MONDAY_US + _LEARNED_US
    history = History(
        seen=[one for one in chain.sightings() if one.at_us < until_us],
        streams=chain.streams,
        since_us=MONDAY_US,
        until_us=until_us,
        zone=ZONE,
    )
    return prepare_detection(history, settings=settings, rng=rng).detector


def _watch(chain: Chain, *, rng: np.random.Generator) -> _Watched:
    until = float(_LEARNED_WEEKS * WEEK_HOURS)
    distinct = chain.distinct(apart_hours=DetectionSettings().repeat_hours)
    baseline = fit_baseline(
        distinct.complaints(until_hours=until),
        streams=chain.streams,
        since_us=MONDAY_US,
        until_us=MONDAY_US + _LEARNED_US,
        zone=ZONE,
        rng=rng,
    )
    return _Watched(chain, baseline)


def find_bursts(detector: BurstDetector, chain: Chain) -> list[Burst]:
    """What the detector says of a chain after the weeks that it learned from."""
    start = MONDAY_US + _LEARNED_US
    seen = [one for one in chain.sightings() if one.at_us >= start]
    return [
        news
        for _, reaction, _ in replay(detector, seen, alarms_from_us=start)
        for news in reaction.news
        if isinstance(news, Burst)
    ]


def _false_alarms(
    case: str, detector: BurstDetector, watched: _Watched, plan: IncidentsPlan
) -> list[BenchRow]:
    n_messages = int((watched.chain.at_hours >= _LEARNED_WEEKS * WEEK_HOURS).sum())
    began = time.perf_counter()
    n = len(find_bursts(detector, watched.chain))
    micros = 1e6 * (time.perf_counter() - began) / n_messages
    promised = detector.calibration
    return [
        _rate_row(case, OURS, n, plan),
        BenchRow(
            case,
            f"{OURS}/promised_per_week",
            promised.promised,
            promised.promised_low,
            promised.promised_high,
            None,
            None,
            "alarms/week",
            plan.n_weeks,
        ),
        BenchRow(
            case,
            f"{OURS}/us_per_message",
            micros,
            None,
            None,
            None,
            None,
            "us",
            n_messages,
        ),
    ]


def _rate_row(case: str, method: str, n_alarms: int, plan: IncidentsPlan) -> BenchRow:
    low, high = count_interval(n_alarms)
    return BenchRow(
        case,
        f"{method}/false_alarms_per_week",
        n_alarms / plan.n_weeks,
        low / plan.n_weeks,
        high / plan.n_weeks,
        plan.budget,
        "promised",
        "alarms/week",
        plan.n_weeks,
    )


def _fit_peers(
    watched: _Watched, settings: DetectionSettings, plan: IncidentsPlan
) -> Mapping[str, float]:
    """For each the least threshold that keeps the budget on this chain."""
    allowed = int(plan.budget * plan.n_weeks)
    thresholds = {}
    for name, peaks in _peer_peaks(watched, settings).items():
        rising = np.unique(peaks)
        within = [score for score in rising if int((peaks >= score).sum()) <= allowed]
        thresholds[name] = float(within[0]) if within else float("inf")
    return thresholds


def _peers_false_alarms(
    case: str,
    watched: _Watched,
    thresholds: Mapping[str, float],
    settings: DetectionSettings,
    plan: IncidentsPlan,
) -> list[BenchRow]:
    peaks = _peer_peaks(watched, settings)
    return [
        _rate_row(case, name, int((peaks[name] >= threshold).sum()), plan)
        for name, threshold in thresholds.items()
    ]


def _peer_peaks(watched: _Watched, settings: DetectionSettings) -> Mapping[str, Floats]:
    """The scores of all alarms that each might have raised, by method."""
    found: dict[str, list[Floats]] = {name: [] for name in PEERS}
    for past in _pasts(watched, settings).values():
        later = past.at_hours >= _LEARNED_WEEKS * WEEK_HOURS
        for name, score in PEERS.items():
            found[name].append(count_peaks(past.at_hours[later], score(past)[later]))
    return {name: np.concatenate(peaks) for name, peaks in found.items()}


def _pasts(watched: _Watched, settings: DetectionSettings) -> Mapping[int, StreamPast]:
    distinct = watched.chain.distinct(apart_hours=settings.repeat_hours)
    baseline = watched.baseline
    return {
        row: make_past(
            distinct.at_hours[distinct.stream == row],
            shape=baseline.shape,
            prior=baseline.level_of(stream.topic),
            phi=baseline.dispersion.phi,
            settings=settings,
        )
        for row, stream in enumerate(watched.chain.streams)
    }


def _finds(
    case: str,
    kind: IncidentKind,
    watched: _Watched,
    thresholds: Mapping[str, float],
    settings: DetectionSettings,
    rng: np.random.Generator,
) -> list[BenchRow]:
    detector = make_detector(watched.chain, settings=settings, rng=rng)
    chain = watched.chain
    row_of = {stream: row for row, stream in enumerate(chain.streams)}
    alarms: dict[int, list[float]] = {}
    for burst in find_bursts(detector, chain):
        at = (burst.detected_at_us - MONDAY_US) / HOUR_US
        alarms.setdefault(row_of[burst.stream], []).append(at)
    found = {OURS: _match(chain.injected, alarms)}
    pasts = _pasts(watched, settings)
    for name, threshold in thresholds.items():
        alarms = {
            row: past.at_hours[PEERS[name](past) >= threshold].tolist()
            for row, past in pasts.items()
        }
        found[name] = _match(chain.injected, alarms)
    if kind is FAKE:
        return [_share_row(case, name, one) for name, one in found.items()]
    return [row for name, one in found.items() for row in _rows_of(case, name, one)]


def _match(injected: Iterable[Injected], alarms: Mapping[int, Sequence[float]]) -> Found:
    """The first alarm of each incident's stream while it lasts."""
    minutes, seen, n = [], [], 0
    slack = 1e-6
    for one in injected:
        n += 1
        first, last = one.at_hours[0], one.at_hours[-1]
        within = [
            at for at in alarms.get(one.stream, ()) if first - slack <= at <= last + _MARGIN_HOURS
        ]
        if within:
            minutes.append(60 * (min(within) - first))
            seen.append(float(np.sum(np.array(one.at_hours) <= min(within) + slack)))
    return Found(np.array(minutes), np.array(seen), n)


def _rows_of(case: str, name: str, found: Found) -> list[BenchRow]:
    low, high = _interval_of_median(found.minutes)
    delay = float(np.median(found.minutes)) if len(found.minutes) else float("nan")
    seen = float(np.median(found.n_seen)) if len(found.n_seen) else float("nan")
    n = found.n_incidents
    return [
        _share_row(case, name, found),
        BenchRow(case, f"{name}/median_delay", delay, low, high, None, None, "min", n),
        BenchRow(case, f"{name}/complaints_seen", seen, None, None, None, None, "complaints", n),
    ]


def _share_row(case: str, name: str, found: Found) -> BenchRow:
    n, n_found = found.n_incidents, len(found.minutes)
    held = binomtest(n_found, n).proportion_ci(0.95, method="wilson")
    share, low, high = n_found / n, float(held.low), float(held.high)
    return BenchRow(case, f"{name}/found_share", share, low, high, None, None, "1", n)


def _interval_of_median(minutes: Floats) -> tuple[float | None, float | None]:
    if len(minutes) < 10:
        return None, None
    found = bootstrap(
        (minutes,), np.median, n_resamples=500, method="percentile", rng=np.random.default_rng(0)
    ).confidence_interval
    return float(found.low), float(found.high)
