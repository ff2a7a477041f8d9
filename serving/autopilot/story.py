"""A file of messages replayed: what would have been seen when, by whom, and how surely."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from features.point_in_time.spine import to_micros
from serving.autopilot.detection.baseline import LEAST_WEEKS, Baseline, Stream
from serving.autopilot.detection.bursts import Burst, BurstEnded, BurstGrew, Taken
from serving.autopilot.detection.calibration import Calibration
from serving.autopilot.detection.detector import BurstDetector
from serving.autopilot.detection.links import (
    Complaining,
    Explanation,
    KnownDelay,
    KnownDisruption,
    explain,
)
from serving.autopilot.detection.preview import Preview
from serving.autopilot.detection.settings import DetectionSettings
from serving.autopilot.detection.setup import History, prepare_detection
from serving.autopilot.detection.week import HOUR_US, WEEK_HOURS
from serving.autopilot.inbound.desk import InboundDesk, KnownCustomers, Read
from serving.autopilot.inbound.message import InboundMessage
from serving.autopilot.inbound.mood import Severity, sum_up
from serving.autopilot.inbound.taxonomy import Taxonomy
from serving.autopilot.inbound.triage import Triage

_LAST_LOOK_US: Final = 24 * HOUR_US
_STEP_US: Final = HOUR_US // 12


@dataclass(frozen=True)
class KnownFacts:
    """What the tables say of customers and of what is wrong already.

    Attributes:
        customers: Whose complaints count.
        disruptions: All of them; what was not known yet at a moment explains nothing then.
        delays: Likewise.
    """

    customers: KnownCustomers
    disruptions: tuple[KnownDisruption, ...] = ()
    delays: tuple[KnownDelay, ...] = ()


@dataclass
class Incident:
    """A burst with what came after.

    Attributes:
        burst: As it was detected.
        reads: Messages of the window that gave it away.
        grew: Who joined.
        ended: Its end; None while it goes on at the end of the file.
        explanations: What may be behind it, as far as was known then.
        n_strangers: Complaints about the same by people nobody knows, which did not count.
    """

    burst: Burst
    reads: tuple[Read, ...]
    explanations: tuple[Explanation, ...]
    grew: list[BurstGrew] = field(default_factory=list)
    ended: BurstEnded | None = None
    n_strangers: int = 0

    @property
    def severity(self) -> Severity:
        """The worst of two or more messages, else the most usual one."""
        return sum_up(read.triaged.severity for read in self.reads)

    @property
    def languages(self) -> Mapping[str, int]:
        """Messages of the window by language; `unknown` where nothing was sure."""
        return Counter(read.triaged.language or "unknown" for read in self.reads)


@dataclass(frozen=True)
class Story:
    """What a replay found.

    Attributes:
        n_messages: Messages of the file, those of the history among them.
        taken: What became of complaints after the history.
        n_complaints: Complaints after the history.
        n_unplaced: Of them, those that name no branch: nothing watches them.
        topics: Complaints by topic, the whole file.
        incidents: In order of detection.
        baseline: What was usual.
        calibration: What was promised.
        preview: How often history would have alarmed; None without one.
    """

    n_messages: int
    taken: Mapping[Taken, int]
    n_complaints: int
    n_unplaced: int
    topics: Mapping[str, int]
    incidents: tuple[Incident, ...]
    baseline: Baseline
    calibration: Calibration
    preview: Preview | None


def tell_story(
    messages: Sequence[InboundMessage],
    *,
    taxonomy: Taxonomy,
    triage: Triage,
    known: KnownFacts,
    zone: str,
    settings: DetectionSettings,
    rng: np.random.Generator,
) -> Story:
    """Replay messages in order of time.

    The first weeks, where there are enough, teach what is usual: all but the last one, if the file
    is longer than three. Nothing of the time replayed is known before its moment.

    Args:
        messages: Of one chain, in order of time; at least one.
        taxonomy: Of the business.
        triage: By which they are read.
        known: From the tables.
        zone: Of the chain.
        settings: With the budget.
        rng: Of the calibration.
    """
    desk = InboundDesk(triage, customers=known.customers)
    reads = [desk.read(message) for message in messages]
    history = _take_history(reads, taxonomy, zone=zone)
    ready = prepare_detection(history, settings=settings, rng=rng)
    later = [read for read in reads if to_micros(read.message.at) >= history.until_us]
    told = _Replay(ready.detector, taxonomy, known, {r.message.inbound_id: r for r in reads})
    for read in later:
        told.take(read)
    told.wait(to_micros(messages[-1].at))
    return Story(
        n_messages=len(messages),
        taken=told.taken,
        n_complaints=sum(read.triaged.is_complaint for read in later),
        n_unplaced=sum(read.triaged.is_complaint and read.sighting is None for read in later),
        topics=Counter(read.triaged.topic for read in reads if read.triaged.is_complaint),
        incidents=tuple(told.incidents.values()),
        baseline=ready.baseline,
        calibration=ready.calibration,
        preview=ready.preview,
    )


class _Replay:
    """Messages one after the other, and the incidents they make."""

    def __init__(
        self,
        detector: BurstDetector,
        taxonomy: Taxonomy,
        known: KnownFacts,
        reads: Mapping[str, Read],
    ) -> None:
        self._detector = detector
        self._taxonomy = taxonomy
        self._known = known
        self._reads = reads
        self._now_us = 0
        self.taken: Counter[Taken] = Counter()
        self.incidents: dict[str, Incident] = {}

    def take(self, read: Read) -> None:
        """One message, after the bursts that ended before it."""
        if read.sighting is None:
            return
        at_us = read.sighting.at_us
        self._wait_until(at_us)
        reaction = self._detector.take(read.sighting, now_us=at_us)
        self.taken[reaction.taken] += 1
        if reaction.taken is Taken.UNKNOWN_SENDER:
            open_id = self._detector.open_bursts().get(read.sighting.stream)
            if open_id is not None:
                self.incidents[open_id].n_strangers += 1
        for news in reaction.news:
            if isinstance(news, Burst):
                self._begin(news)
            elif isinstance(news, BurstGrew):
                self.incidents[news.burst_id].grew.append(news)
            else:
                self._end((news,))

    def wait(self, from_us: int) -> None:
        """Let time go on for a day after the last message."""
        self._wait_until(from_us + _LAST_LOOK_US)

    def _wait_until(self, at_us: int) -> None:
        """Look every five minutes whether a burst is over, as a service would, and at the end."""
        while self._detector.open_bursts() and self._now_us + _STEP_US < at_us:
            self._now_us += _STEP_US
            self._end(self._detector.tick(self._now_us))
        self._now_us = at_us
        self._end(self._detector.tick(at_us))

    def _begin(self, burst: Burst) -> None:
        self.incidents[burst.burst_id] = Incident(
            burst,
            reads=tuple(self._reads[message_id] for message_id in burst.message_ids),
            explanations=explain(
                Complaining(burst.customer_ids, burst.first_at_us, burst.detected_at_us),
                explained_by=self._taxonomy.explained_by(burst.stream.topic),
                regions=self._known.customers.regions,
                disruptions=self._known.disruptions,
                delays=self._known.delays,
            ),
        )

    def _end(self, ended: Iterable[BurstEnded]) -> None:
        for one in ended:
            self.incidents[one.burst_id].ended = one


def _take_history(reads: Sequence[Read], taxonomy: Taxonomy, *, zone: str) -> History:
    """All but the last week where that leaves enough, else nothing; streams of the whole file."""
    first, last = to_micros(reads[0].message.at), to_micros(reads[-1].message.at)
    week_us = WEEK_HOURS * HOUR_US
    until = last - week_us if last - first > (LEAST_WEEKS + 1) * week_us else first
    branches = sorted({r.message.branch for r in reads if r.message.branch is not None})
    return History(
        seen=[r.sighting for r in reads if r.sighting is not None and r.sighting.at_us < until],
        streams=tuple(Stream(branch, topic) for branch in branches for topic in taxonomy.names),
        since_us=first,
        until_us=until,
        zone=zone,
    )
