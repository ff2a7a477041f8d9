"""A small chain that is watched."""

from collections.abc import Callable
from datetime import UTC, datetime

import numpy as np
import pytest

from serving.autopilot.detection.baseline import Baseline, Stream, assume_baseline
from serving.autopilot.detection.calibration import Calibration, calibrate
from serving.autopilot.detection.detector import BurstDetector, Sighting
from serving.autopilot.detection.settings import DetectionSettings

NOON_US = int(datetime(2026, 3, 3, 7, 0, tzinfo=UTC).timestamp()) * 1_000_000  # 12:00 in Almaty
MINUTE_US = 60_000_000
HEAT = Stream("abay", "heat")

SightingMaker = Callable[..., Sighting]
DetectorMaker = Callable[..., BurstDetector]


@pytest.fixture(scope="session")
def chain() -> Baseline:
    """80 streams of one complaint in two days each."""
    branches = ("abay", *(f"branch-{number}" for number in range(9)))
    topics = ("heat", *(f"topic-{number}" for number in range(7)))
    streams = [Stream(branch, topic) for branch in branches for topic in topics]
    return assume_baseline(streams, zone="Asia/Almaty", per_day=0.5)


@pytest.fixture(scope="session")
def calibration(chain: Baseline) -> Calibration:
    return calibrate(chain, settings=DetectionSettings(), rng=np.random.default_rng(1))


@pytest.fixture
def new_detector(chain: Baseline, calibration: Calibration) -> DetectorMaker:
    def make(**changes: float) -> BurstDetector:
        settings = DetectionSettings.model_validate(changes)
        return BurstDetector(chain, calibration=calibration, settings=settings)

    return make


@pytest.fixture
def sighting() -> SightingMaker:
    """A complaint about heat so many minutes after noon."""

    def make(minutes: float, customer: str | None, *, message: str | None = None) -> Sighting:
        at_us = NOON_US + round(minutes * MINUTE_US)
        return Sighting(message or f"m-{customer}-{minutes}", at_us, HEAT, customer)

    return make
