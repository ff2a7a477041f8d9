"""Promises about false alarms, kept on streams that no threshold has seen."""

import numpy as np
import pytest

from features.errors import BadInputError
from serving.autopilot.detection.baseline import (
    Baseline,
    Complaint,
    Stream,
    assume_baseline,
    fit_baseline,
)
from serving.autopilot.detection.bursts import Burst
from serving.autopilot.detection.calibration import Calibration, TailCurve, calibrate
from serving.autopilot.detection.preview import count_interval
from serving.autopilot.detection.settings import DetectionSettings
from serving.autopilot.detection.setup import History, Readiness, prepare_detection
from serving.autopilot.detection.week import HOUR_US, WEEK_HOURS
from serving.benchmarks.incidents.bench import find_bursts, make_detector
from serving.benchmarks.incidents.chains import (
    MONDAY_US,
    REFERENCE,
    ZONE,
    Chain,
    ChainPlan,
    Law,
    make_chain,
)

N_WEEKS = 30


@pytest.fixture(scope="module")
def chain_of_weeks() -> Chain:
    plan = ChainPlan(0.5, Law.GAMMA, n_weeks=8 + N_WEEKS)
    return make_chain(plan, rng=np.random.default_rng(21))


def test_held_out_false_alarms_are_within_twice_the_promise(chain_of_weeks: Chain) -> None:
    rng = np.random.default_rng(1)
    detector = make_detector(chain_of_weeks, settings=DetectionSettings(), rng=rng)
    per_week = len(find_bursts(detector, chain_of_weeks)) / N_WEEKS
    assert 0.5 <= per_week / detector.calibration.promised <= 2.0


def test_reference_incident_is_seen_within_fifteen_minutes() -> None:
    plan = ChainPlan(0.5, Law.GAMMA, n_weeks=12, n_incidents=80, incident=REFERENCE)
    chain = make_chain(plan, rng=np.random.default_rng(22))
    detector = make_detector(chain, settings=DetectionSettings(), rng=np.random.default_rng(1))
    seen: dict[Stream, list[Burst]] = {}
    for burst in find_bursts(detector, chain):
        seen.setdefault(burst.stream, []).append(burst)
    delays = []
    for one in chain.injected:
        first_us = MONDAY_US + one.at_hours[0] * HOUR_US
        last_us = MONDAY_US + one.at_hours[-1] * HOUR_US
        during = [
            burst.detected_at_us - first_us
            for burst in seen.get(chain.streams[one.stream], [])
            if first_us - 1 <= burst.detected_at_us <= last_us + 1
        ]
        delays.append(min(during, default=np.inf) / 60e6)
    assert np.median(delays) <= 15.0
    assert np.isfinite(delays).mean() >= 0.95


def test_thresholds_rise_with_level_and_with_a_smaller_budget() -> None:
    streams = [Stream(f"b{n}", "t") for n in range(80)]
    baseline = assume_baseline(streams, zone="Asia/Almaty", per_day=1.5)
    loose, tight = (
        calibrate(
            baseline,
            settings=DetectionSettings(false_alarms_per_week=budget),
            rng=np.random.default_rng(4),
        )
        for budget in (4.0, 0.5)
    )
    for per_day in (0.6, 1.0, 2.0):
        assert tight.threshold_of(per_day) > loose.threshold_of(per_day)
    assert loose.threshold_of(2.0) > loose.threshold_of(0.6)
    assert loose.promised == pytest.approx(4.0)
    assert loose.promised_low <= 4.0 <= loose.promised_high


def test_calibration_says_how_often_chance_brings_a_score(calibration: Calibration) -> None:
    at_threshold = calibration.threshold_of(0.6)
    assert calibration.chain_per_week(at_threshold, per_day=0.6) == pytest.approx(1.0, rel=0.2)
    rarer = calibration.chain_per_week(at_threshold + 6, per_day=0.6)
    assert rarer < 0.2


def test_baseline_and_calibration_can_be_kept(chain: Baseline, calibration: Calibration) -> None:
    assert Baseline.model_validate_json(chain.model_dump_json()) == chain
    kept = Calibration.model_validate_json(calibration.model_dump_json())
    assert kept == calibration
    assert kept.threshold_of(0.7) == calibration.threshold_of(0.7)


def test_tail_curve_reads_both_ways() -> None:
    curve = TailCurve(scores=(12.0, 6.0, 0.0), per_week=(0.001, 0.05, 0.4), n_weeks=1000)
    for rate in (0.0005, 0.001, 0.02, 0.3):
        assert curve.per_week_at(curve.score_at(rate)) == pytest.approx(rate)
    assert curve.score_at(0.5) == 0.0
    assert curve.per_week_at(0.0) == pytest.approx(0.4)


def test_baseline_finds_the_dispersion_that_made_it() -> None:
    busy = make_chain(ChainPlan(6.0, Law.GAMMA, n_weeks=8), rng=np.random.default_rng(5))
    distinct = busy.distinct(apart_hours=12.0)
    baseline = _fit(distinct, n_weeks=8)
    assert baseline.dispersion.phi == pytest.approx(1.1225 * 1.25 - 1, rel=0.35)
    assert baseline.dispersion.low < baseline.dispersion.phi < baseline.dispersion.high
    assert np.mean(list(baseline.topic_per_day.values())) == pytest.approx(6.0, rel=0.15)


def test_baseline_is_assumed_without_enough_history(chain_of_weeks: Chain) -> None:
    assert _fit(chain_of_weeks, n_weeks=1).is_assumed
    assert not _fit(chain_of_weeks, n_weeks=4).is_assumed


def test_baseline_refuses_complaints_from_elsewhere() -> None:
    streams = (Stream("b", "t"),)
    history = [Complaint(Stream("x", "t"), 5), Complaint(streams[0], 99)]
    with pytest.raises(BadInputError, match=r"complaint 0: x / t at 5; complaint 1: b / t at 99"):
        fit_baseline(
            history, streams=streams, since_us=0, until_us=50, zone="UTC",
            rng=np.random.default_rng(0),
        )  # fmt: skip


def test_history_of_clumps_makes_thresholds_higher() -> None:
    calm, clumped = (
        _prepare(make_chain(ChainPlan(3.0, law, n_weeks=6), rng=np.random.default_rng(31)))
        for law in Law
    )
    assert clumped.calibration.tightened < 1.0
    assert clumped.calibration.tightened <= calm.calibration.tightened
    preview = clumped.preview
    assert preview is not None
    assert preview.low <= preview.per_week <= preview.high
    assert preview.n_weeks == pytest.approx(4.0)


def test_preparation_without_history_assumes_and_says_so() -> None:
    history = History((), (Stream("b", "t"),), since_us=0, until_us=0, zone="UTC")
    ready = prepare_detection(history, settings=DetectionSettings(), rng=np.random.default_rng(0))
    assert ready.baseline.is_assumed
    assert ready.preview is None
    assert ready.calibration.tightened == 1.0


def test_interval_of_a_count_holds_what_made_it() -> None:
    rng = np.random.default_rng(8)
    inside = [
        low <= 5.0 <= high for low, high in (count_interval(int(n)) for n in rng.poisson(5, 500))
    ]
    assert np.mean(inside) >= 0.95


def _prepare(chain: Chain) -> Readiness:
    history = History(
        chain.sightings(),
        chain.streams,
        since_us=MONDAY_US,
        until_us=MONDAY_US + 6 * WEEK_HOURS * HOUR_US,
        zone=ZONE,
    )
    return prepare_detection(history, settings=DetectionSettings(), rng=np.random.default_rng(0))


def _fit(chain: Chain, *, n_weeks: int) -> Baseline:
    return fit_baseline(
        chain.complaints(until_hours=n_weeks * WEEK_HOURS),
        streams=chain.streams,
        since_us=MONDAY_US,
        until_us=MONDAY_US + n_weeks * WEEK_HOURS * HOUR_US,
        zone=ZONE,
        rng=np.random.default_rng(0),
    )
