"""A detector made ready for a chain, as a file: what is usual, thresholds, what was promised."""

import hashlib
import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Final, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from features.errors import ConfigurationError
from serving.autopilot.detection.baseline import Baseline, Stream, assume_baseline
from serving.autopilot.detection.calibration import Calibration, calibrate
from serving.autopilot.detection.detector import BurstDetector, Sighting
from serving.autopilot.detection.preview import Preview
from serving.autopilot.detection.settings import DetectionSettings
from serving.autopilot.detection.setup import History, prepare_detection
from serving.autopilot.inbound.taxonomy import Taxonomy
from serving.faults import describe_validation
from serving.policy.cases import to_us

_FORMAT: Final = 1
_ASSUMED_BRANCHES: Final = 10  # that the tails are simulated for; the budget is shared out later


class Shown(BaseModel):
    """How often the detector would have alarmed on the history.

    Attributes:
        n_alarms: Alarms, real incidents among them.
        n_weeks: Of history that alarms were allowed in.
        per_week: Alarms a week.
        low: Lower end of its exact 95 % interval.
        high: Upper end.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    n_alarms: int
    n_weeks: float
    per_week: float
    low: float
    high: float


class PreparedDetector(BaseModel):
    """A detector at rest.

    Attributes:
        format: Of the file.
        made_at: When it was made; null where what is usual is assumed.
        since: First moment of the history; null without one.
        until: First moment after it.
        n_messages: Of the history.
        taxonomy: By which its messages were read.
        settings: With the owner's budget.
        baseline: What is usual.
        calibration: Thresholds.
        shown: What it would have said of the history; null where that is too short to tell.
        state: Levels at the end of the history.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: int = _FORMAT
    made_at: datetime | None
    since: datetime | None = None
    until: datetime | None = None
    n_messages: int = Field(default=0, ge=0)
    taxonomy: Taxonomy
    settings: DetectionSettings
    baseline: Baseline
    calibration: Calibration
    shown: Shown | None = None
    state: str

    @model_validator(mode="after")
    def _is_of_this_format(self) -> Self:
        if self.format != _FORMAT:
            raise ValueError(f"format {self.format}: expected {_FORMAT}; prepare it anew")
        unknown = {stream.topic for stream in self.baseline.streams} - set(self.taxonomy.names)
        if unknown:
            raise ValueError(f"baseline.streams: topics {sorted(unknown)} are not in the taxonomy")
        return self

    @property
    def version(self) -> str:
        """Of what it says: the same wherever the file is."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:12]

    def make_detector(self) -> BurstDetector:
        """The detector, with the levels of the end of the history."""
        detector = BurstDetector(
            self.baseline, calibration=self.calibration, settings=self.settings
        )
        detector.restore(self.state.encode())
        return detector


def prepare_detector(
    seen: Sequence[Sighting],
    *,
    branches: Sequence[str],
    since: datetime,
    until: datetime,
    zone: str,
    taxonomy: Taxonomy,
    settings: DetectionSettings,
    made_at: datetime,
    n_messages: int,
    rng: np.random.Generator,
) -> PreparedDetector:
    """Learn the rhythm, calibrate, and replay on history.

    Args:
        seen: Complaints of the history, in any order.
        branches: What is watched.
        since: First moment of the history.
        until: First moment after it.
        zone: IANA name of the chain's zone.
        taxonomy: By which messages were read.
        settings: With the budget.
        made_at: Now.
        n_messages: That were read.
        rng: Of the simulation.
    """
    history = History(
        seen=seen,
        streams=_streams_of(branches, taxonomy),
        since_us=to_us(since),
        until_us=to_us(until),
        zone=zone,
    )
    ready = prepare_detection(history, settings=settings, rng=rng)
    return PreparedDetector(
        made_at=made_at,
        since=since,
        until=until,
        n_messages=n_messages,
        taxonomy=taxonomy,
        settings=settings,
        baseline=ready.baseline,
        calibration=ready.calibration,
        shown=None if ready.preview is None else _show(ready.preview),
        state=ready.detector.dump().decode(),
    )


def assume_detector(
    taxonomy: Taxonomy, *, zone: str, settings: DetectionSettings, seed: int = 0
) -> PreparedDetector:
    """For a chain that nothing is known of: opening hours, and few complaints.

    Tails are simulated for a chain of ten branches. It watches none yet: each is watched from its
    first message on (`BurstDetector.watch`), and the budget is shared by those there are.
    """
    nominal = [f"branch {number}" for number in range(_ASSUMED_BRANCHES)]
    baseline = assume_baseline(_streams_of(nominal, taxonomy), zone=zone)
    rng = np.random.default_rng(seed)
    calibration = calibrate(baseline, settings=settings, rng=rng)
    nothing = baseline.model_copy(update={"streams": ()})
    detector = BurstDetector(nothing, calibration=calibration, settings=settings)
    return PreparedDetector(
        made_at=None,
        taxonomy=taxonomy,
        settings=settings,
        baseline=nothing,
        calibration=calibration,
        state=detector.dump().decode(),
    )


def write_prepared(prepared: PreparedDetector, path: Path) -> None:
    """Write the file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.name}.unfinished")
    with unfinished.open("w", encoding="utf-8") as file:
        file.write(prepared.model_dump_json())
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)


def read_prepared(path: Path) -> PreparedDetector:
    """The detector in a file.

    Raises:
        ConfigurationError: It cannot be read, or is none of this format; every fault is named.
    """
    try:
        return PreparedDetector.model_validate_json(path.read_bytes())
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror}") from error
    except ValidationError as error:
        raise ConfigurationError(f"{path}: {describe_validation(error)}") from error


def _streams_of(branches: Sequence[str], taxonomy: Taxonomy) -> tuple[Stream, ...]:
    return tuple(Stream(branch, topic) for branch in branches for topic in taxonomy.names)


def _show(preview: Preview) -> Shown:
    return Shown(
        n_alarms=len(preview.bursts),
        n_weeks=preview.n_weeks,
        per_week=preview.per_week,
        low=preview.low,
        high=preview.high,
    )
