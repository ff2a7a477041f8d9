"""Watching all streams of a chain: messages go in, news about bursts comes out."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from math import log
from typing import Final

from pydantic import BaseModel, ConfigDict, ValidationError

from features.errors import BadInputError
from serving.autopilot.detection.baseline import Baseline, Stream
from serving.autopilot.detection.bursts import (
    Burst,
    BurstEnded,
    BurstGrew,
    BurstNews,
    EndReason,
    Taken,
)
from serving.autopilot.detection.calibration import Calibration
from serving.autopilot.detection.settings import DetectionSettings
from serving.autopilot.detection.watched import Entry, OpenBurst, WatchedStream, Window
from serving.autopilot.detection.week import HOUR_US
from serving.faults import describe_validation

STATE_VERSION: Final = 1
_CLOCKS_DIFFER_US: Final = HOUR_US // 12


@dataclass(frozen=True)
class Sighting:
    """A complaint as the detector takes it.

    Attributes:
        message_id: Its identity.
        at_us: When it was written.
        stream: Where and about what.
        customer_id: Of a customer who is known; None for everybody else.
    """

    message_id: str
    at_us: int
    stream: Stream
    customer_id: str | None


@dataclass(frozen=True)
class Reaction:
    """What a message led to."""

    taken: Taken
    news: tuple[BurstNews, ...] = ()


class _Kept(BaseModel):
    """The state of a detector at rest."""

    model_config = ConfigDict(extra="forbid")

    version: int
    streams: dict[str, WatchedStream]


class BurstDetector:
    """Watches every stream of a chain; not safe for threads."""

    def __init__(
        self, baseline: Baseline, *, calibration: Calibration, settings: DetectionSettings
    ) -> None:
        """A detector that has seen nothing yet."""
        self._baseline = baseline
        self._calibration = calibration
        self._settings = settings
        self._shape = baseline.shape
        self._streams: dict[Stream, WatchedStream] = {
            stream: WatchedStream(prior=baseline.level_of(stream.topic))
            for stream in baseline.streams
        }
        self._branches = {stream.branch for stream in baseline.streams}
        self._thresholds: dict[int, float] = {}

    @property
    def calibration(self) -> Calibration:
        """What it promises."""
        return self._calibration

    def take(self, seen: Sighting, *, now_us: int, may_alarm: bool = True) -> Reaction:
        """Take in one complaint.

        Args:
            seen: The complaint.
            now_us: When it arrived.
            may_alarm: False while history is read, for levels alone.
        """
        stream = self._streams.get(seen.stream)
        if stream is None:
            return Reaction(Taken.NOT_WATCHED)
        if seen.customer_id is None:
            return Reaction(Taken.UNKNOWN_SENDER)
        if now_us - seen.at_us > self._settings.late_hours * HOUR_US:
            return Reaction(Taken.TOO_LATE)
        if seen.at_us - now_us > _CLOCKS_DIFFER_US:
            return Reaction(Taken.AHEAD)
        if any(entry.message_id == seen.message_id for entry in stream.entries):
            return Reaction(Taken.SEEN_BEFORE)
        ended = self._end(stream, now_us)
        stream.forget(now_us, self._shape.mean_hours(now_us), settings=self._settings)
        entry = Entry(
            seen.at_us, seen.message_id, seen.customer_id, self._shape.mean_hours(seen.at_us)
        )
        counts = stream.insert(entry, settings=self._settings)
        if stream.burst is not None:
            return Reaction(_taken(counts), (*ended, *self._grow(stream, entry)))
        if not may_alarm or not counts:
            return Reaction(_taken(counts), ended)
        began = self._look(seen.stream, stream, entry, now_us)
        return Reaction(Taken.COUNTED, ended if began is None else (*ended, began))

    def watch(self, branch: str) -> bool:
        """Watch every topic of one more branch; whether it is new. All share the budget anew."""
        fresh = [
            Stream(branch, topic)
            for topic in self._baseline.topic_per_day
            if Stream(branch, topic) not in self._streams
        ]
        for stream in fresh:
            self._streams[stream] = WatchedStream(prior=self._baseline.level_of(stream.topic))
        if fresh:
            self._calibration = self._calibration.share_among(len(self._streams))
            self._thresholds.clear()
            self._branches.add(branch)
        return bool(fresh)

    def tick(self, now_us: int) -> tuple[BurstEnded, ...]:
        """Bursts that are over by now; to be called every few minutes."""
        return tuple(
            news
            for stream in self._streams.values()
            if stream.burst is not None
            for news in self._end(stream, now_us)
        )

    def end(self, stream: Stream, *, now_us: int) -> BurstEnded | None:
        """End what goes on in a stream, whatever it looks like; what comes may begin another."""
        watched = self._streams.get(stream)
        if watched is None or watched.burst is None:
            return None
        return _close(watched, watched.burst, now_us=now_us, reason=EndReason.CLOSED)

    def level_per_day(self, stream: Stream, *, now_us: int) -> float:
        """What is usual in a stream, complaints a day."""
        watched = self._streams[stream]
        watched.forget(now_us, self._shape.mean_hours(now_us), settings=self._settings)
        return 24 * watched.level(self._settings)

    def dump(self, only: Collection[Stream] | None = None) -> bytes:
        """The state, to be kept: some hundred bytes a stream and complaint of the last day.

        Args:
            only: Of these streams; None: of all.
        """
        kept = _Kept(
            version=STATE_VERSION,
            streams={
                f"{s.branch}\t{s.topic}": watched
                for s, watched in self._streams.items()
                if only is None or s in only
            },
        )
        return kept.model_dump_json().encode()

    def restore(self, state: bytes) -> None:
        """Go on where the kept state left off.

        Streams that the state does not know stay as they are; those that are watched no more are
        dropped.

        Raises:
            BadInputError: The state is not one of this version.
        """
        for stream, watched in _read_state(state).items():
            if stream in self._streams:
                self._streams[stream] = watched

    def carry_over(self, state: bytes) -> None:
        """Go on with what another detector was watching, under what is usual for this one.

        Bursts that go on and the messages of the last day are taken over. Levels are this one's,
        unless the other has seen more than a day since.

        Raises:
            BadInputError: The state is not one of this version.
        """
        for stream, watched in _read_state(state).items():
            if (own := self._streams.get(stream)) is not None:
                own.take_over(watched, mean_hours=self._shape.mean_hours)

    def open_bursts(self) -> Mapping[Stream, str]:
        """Bursts that go on, by stream."""
        return {s: w.burst.burst_id for s, w in self._streams.items() if w.burst is not None}

    def find_burst(self, stream: Stream) -> str | None:
        """The burst that goes on in a stream, or None."""
        watched = self._streams.get(stream)
        return None if watched is None or watched.burst is None else watched.burst.burst_id

    @property
    def n_branches(self) -> int:
        """Branches of which something is watched."""
        return len(self._branches)

    def watches(self, branch: str) -> bool:
        """Whether anything of a branch is watched."""
        return branch in self._branches

    def _look(self, name: Stream, stream: WatchedStream, entry: Entry, now_us: int) -> Burst | None:
        per_day = 24 * stream.level(self._settings)
        phi = self._baseline.dispersion.phi if per_day >= self._settings.busy_per_day else 0.0
        window = stream.find_window(entry, settings=self._settings, phi=phi)
        if window is None or not 0 < window.score >= self._threshold(per_day):
            return None
        burst = self._describe(name, window, per_day=per_day, now_us=now_us)
        stream.open(window, burst.burst_id, now_us, settings=self._settings)
        return burst

    def _describe(self, name: Stream, window: Window, *, per_day: float, now_us: int) -> Burst:
        first_us = window.entries[0].at_us
        return Burst(
            burst_id=f"{name.branch}/{name.topic}/{first_us}",
            stream=name,
            first_at_us=first_us,
            detected_at_us=now_us,
            customer_ids=tuple(entry.customer_id for entry in window.entries),
            message_ids=tuple(entry.message_id for entry in window.entries),
            n_usual=window.n_usual,
            score=window.score,
            threshold=self._threshold(per_day),
            per_day=per_day,
            chance_per_week=self._calibration.chain_per_week(window.score, per_day=per_day),
            is_assumed=self._baseline.is_assumed,
        )

    def _grow(self, stream: WatchedStream, entry: Entry) -> tuple[BurstGrew, ...]:
        burst = stream.burst
        if burst is None or not stream.grow(entry, settings=self._settings):
            return ()
        grew = BurstGrew(
            burst_id=burst.burst_id,
            customer_id=entry.customer_id,
            message_id=entry.message_id,
            at_us=entry.at_us,
            n_customers=len(burst.customers),
        )
        return (grew,)

    def _end(self, stream: WatchedStream, now_us: int) -> tuple[BurstEnded, ...]:
        mean_hours = self._shape.mean_hours(now_us)
        reason = stream.find_end(now_us, mean_hours, settings=self._settings)
        burst = stream.burst
        if reason is None or burst is None:
            return ()
        return (_close(stream, burst, now_us=now_us, reason=reason),)

    def _threshold(self, per_day: float) -> float:
        """Of a level, to a fiftieth of it: levels move slowly, thresholds more so."""
        step = round(50 * log(per_day))
        if step not in self._thresholds:
            self._thresholds[step] = self._calibration.threshold_of(per_day)
        return self._thresholds[step]


def _close(
    stream: WatchedStream, burst: OpenBurst, *, now_us: int, reason: EndReason
) -> BurstEnded:
    stream.close()
    return BurstEnded(
        burst_id=burst.burst_id,
        ended_at_us=now_us,
        last_at_us=burst.last_us,
        n_customers=len(burst.customers),
        reason=reason,
    )


def _read_state(state: bytes) -> dict[Stream, WatchedStream]:
    try:
        kept = _Kept.model_validate_json(state)
    except ValidationError as error:
        raise BadInputError(f"state of a detector: {describe_validation(error)}") from error
    if kept.version != STATE_VERSION:
        raise BadInputError(
            f"state of a detector: version {kept.version}, expected {STATE_VERSION}"
        )
    return {Stream(*name.rsplit("\t", 1)): watched for name, watched in kept.streams.items()}


def _taken(counts: bool) -> Taken:
    return Taken.COUNTED if counts else Taken.REPEATED
