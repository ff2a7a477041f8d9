"""Reads messages as they arrive, and lets incidents begin, grow and end.

What it makes of messages is kept in one transaction with everything that follows from them: how far
it has read, what the detector remembers, incidents, the log, and what workflows are told. Killed at
any line it goes on from the last such transaction. Messages count at the moment at which they
arrived, not at that of the look: whoever comes late sees the same.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from serving.autopilot.detection.baseline import Stream
from serving.autopilot.detection.bursts import Burst, BurstGrew, EndReason
from serving.autopilot.detection.detector import BurstDetector
from serving.autopilot.inbound.desk import KnownCustomers, sight
from serving.autopilot.inbound.message import Triaged, TriagedBy
from serving.autopilot.inbound.mood import Severity
from serving.autopilot.inbound.taxonomy import OTHER, Taxonomy
from serving.autopilot.inbound.triage import OfflineTriage
from serving.autopilot.watch.books import Scribe, make_complaint
from serving.autopilot.watch.known import Directory
from serving.autopilot.watch.prepared import PreparedDetector
from serving.autopilot.watch.sorting import Sorter
from serving.policy.cases import to_us
from serving.store.inbound import ArrivedMessage, Reading
from serving.store.store import Store, StoreSession
from serving.store.watch import WatchPlace

MOST_BRANCHES: Final = 1_000
"""Branches that are watched without having been prepared: names in messages are anybody's."""

_AT_ONCE: Final = 200
_TICK_EVERY: Final = timedelta(seconds=30)
_FORGOTTEN: Final = Triaged(OTHER, False, Severity.LOW, None, TriagedBy.NOTHING, 0.0)


@dataclass
class _Memory:
    """What is in memory and must be as the store has it.

    Attributes:
        place: How far messages were read.
        detector: As of that place.
        stale: Streams whose state in the store is of another detector.
        ticked_at: When bursts were last looked at for their ends; None: not yet.
        labels: Version of the labels that triage has learned from.
    """

    place: WatchPlace
    detector: BurstDetector
    stale: set[Stream] = field(default_factory=set)
    ticked_at: datetime | None = None
    labels: str = ""


@dataclass(frozen=True)
class _Batch:
    """What one look is about: messages in the order of arrival, each with what it is."""

    new: Sequence[ArrivedMessage]
    read: Sequence[tuple[ArrivedMessage, Triaged]]
    deferred: tuple[int, ...]
    customers: KnownCustomers


class Watcher:
    """Watches a chain live; one of them at a time, in one thread."""

    def __init__(
        self,
        store: Store,
        *,
        prepared: PreparedDetector,
        triage: OfflineTriage,
        sorter: Sorter,
        directory: Directory,
    ) -> None:
        """Go on from where the store says; nothing is read yet.

        Args:
            store: Where messages are.
            prepared: The detector.
            triage: That learns from labels; `sorter` goes by it.
            sorter: Of messages.
            directory: Of customers.
        """
        self._store = store
        self._prepared = prepared
        self._version = prepared.version  # a hash of all of it: not for every look
        self._triage = triage
        self._sorter = sorter
        self._directory = directory
        self._memory: _Memory | None = None

    @property
    def taxonomy(self) -> Taxonomy:
        """The topics that are in force."""
        return self._prepared.taxonomy

    @property
    def n_waiting(self) -> int:
        """Messages that were looked at and wait for what they are about: look again in a moment."""
        return 0 if self._memory is None else len(self._memory.place.deferred)

    def look(self, now: datetime) -> int:
        """Read what has arrived; how many messages were read. Quick when there is nothing.

        Raises:
            ConflictError: Another watcher reads the same messages.
        """
        memory, self._memory = self._memory, None  # what fails half-way is read anew
        if memory is None:
            memory = self._load()
        n_read = self._read_on(memory, now)
        self._memory = memory
        return n_read

    def close(self) -> None:
        """Stop asking."""
        self._sorter.close()

    def _load(self) -> _Memory:
        """The detector as the store remembers it."""
        detector = self._prepared.make_detector()
        with self._store.reading() as session:
            place, kept = session.watch.find_place(), session.watch.read_streams()
        is_same = place.version == self._version
        for one in kept:
            detector.watch(one.branch)
            (detector.restore if is_same else detector.carry_over)(one.state)
        stale = set() if is_same else {Stream(one.branch, one.topic) for one in kept}
        return _Memory(place, detector, stale)

    def _read_on(self, memory: _Memory, now: datetime) -> int:
        batch = self._read(memory, now)
        is_tick = memory.ticked_at is None or now - memory.ticked_at >= _TICK_EVERY
        # What was not read yet may be a complaint: until then nobody knows that it is silent.
        is_tick &= len(batch.new) < _room(memory.place)
        if not batch.new and not batch.read and not is_tick:
            return 0
        after = replace(
            memory.place,
            cursor=batch.new[-1].seq if batch.new else memory.place.cursor,
            version=self._version,
            deferred=batch.deferred,
        )
        is_moved = after != memory.place
        if is_moved or batch.read or memory.detector.open_bursts() or memory.ticked_at is None:
            with self._store.transaction() as session:
                self._write(session, memory, batch, after=after, now=now, is_tick=is_tick)
        memory.place = after
        memory.stale.clear()
        if is_tick:
            memory.ticked_at = now
        self._sorter.forget([one.seq for one, _ in batch.read])
        return len(batch.read)

    def _read(self, memory: _Memory, now: datetime) -> _Batch:
        """Messages that are new or were put off, as far as it is known what they are."""
        place = memory.place
        with self._store.reading() as session:
            new = session.inbound.read(after_seq=place.cursor, limit=_room(place))
            waiting = session.inbound.find_at(place.deferred)
            messages = [*waiting, *new]
            if not messages:
                return _Batch((), (), place.deferred, KnownCustomers({}, {}))
            who = {m.message.customer_id for m in messages if m.message.customer_id is not None}
            customers = self._directory.look_up(session, who).customers
            self._learn(session, memory)
        sorted_: list[tuple[ArrivedMessage, Triaged]] = []
        deferred: list[int] = []
        for one in messages:
            triaged = self._sort(one, customers, now=now)
            if triaged is None:
                deferred.append(one.seq)
            else:
                sorted_.append((one, triaged))
        return _Batch(new, sorted_, tuple(deferred), customers)

    def _learn(self, session: StoreSession, memory: _Memory) -> None:
        """Go by what people have said of messages since."""
        version = session.inbound.labels_version()
        if version != memory.labels:
            self._triage.learn(label.example for label in session.inbound.find_labels())
            memory.labels = version

    def _sort(
        self, arrived: ArrivedMessage, customers: KnownCustomers, *, now: datetime
    ) -> Triaged | None:
        if arrived.is_forgotten:
            return _FORGOTTEN
        stored = customers.languages.get(arrived.message.customer_id or "")
        return self._sorter.sort(arrived, language=stored, now=now)

    def _write(
        self,
        session: StoreSession,
        memory: _Memory,
        batch: _Batch,
        *,
        after: WatchPlace,
        now: datetime,
        is_tick: bool,
    ) -> None:
        """Everything that follows from a batch, in the transaction of the session."""
        session.watch.move(memory.place, after)
        zone = self._prepared.baseline.zone
        scribe = Scribe(session, self.taxonomy, self._directory, zone, now)
        detector = memory.detector
        touched = set(memory.stale) | _end_closed(scribe, detector)
        for arrived, triaged in batch.read:
            touched |= _take(scribe, detector, arrived, triaged, customers=batch.customers)
        if is_tick:
            touched |= _tick(scribe, detector)
            if memory.ticked_at is None:
                _end_orphans(scribe, detector)
        session.watch.put_streams(_dump(detector, touched))


def _room(place: WatchPlace) -> int:
    """How many more messages may be looked at beside those that were put off."""
    return max(0, _AT_ONCE - len(place.deferred))


def _take(
    scribe: Scribe,
    detector: BurstDetector,
    arrived: ArrivedMessage,
    triaged: Triaged,
    *,
    customers: KnownCustomers,
) -> set[Stream]:
    """Let the detector take one message, and write what follows; the streams it changed."""
    message, is_known = arrived.message, arrived.message.customer_id in customers
    known = message.customer_id if is_known else None
    sighting = sight(message, triaged, customer_id=known)
    reading = Reading(arrived.seq, triaged, None, is_known, scribe.now)
    if sighting is None:
        scribe.session.inbound.add_readings([reading])
        return set()
    stream = sighting.stream
    if is_known and not detector.watches(stream.branch) and detector.n_branches < MOST_BRANCHES:
        detector.watch(stream.branch)
    reaction = detector.take(sighting, now_us=to_us(arrived.arrived_at))
    reading = replace(reading, taken=reaction.taken.value)
    scribe.session.inbound.add_readings([reading])
    burst_id = detector.find_burst(stream)
    if burst_id is not None and reaction.taken.joins_burst:
        scribe.add(burst_id, make_complaint(arrived, reading), topic=stream.topic)
    for news in reaction.news:
        if isinstance(news, Burst):
            scribe.begin(news)
        elif isinstance(news, BurstGrew):
            scribe.grow(news, topic=stream.topic)
        else:
            scribe.end(news, topic=stream.topic)
    return {stream} if detector.watches(stream.branch) else set()


def _tick(scribe: Scribe, detector: BurstDetector) -> set[Stream]:
    """End the bursts that are over; their streams."""
    stream_of = {burst_id: stream for stream, burst_id in detector.open_bursts().items()}
    ended = detector.tick(to_us(scribe.now))
    for one in ended:
        scribe.end(one, topic=stream_of[one.burst_id].topic)
    return {stream_of[one.burst_id] for one in ended}


def _end_closed(scribe: Scribe, detector: BurstDetector) -> set[Stream]:
    """End the bursts whose incident somebody closed; their streams."""
    closed = [
        stream
        for stream, burst_id in detector.open_bursts().items()
        if scribe.is_closed(burst_id, topic=stream.topic)
    ]
    for stream in closed:
        if (ended := detector.end(stream, now_us=to_us(scribe.now))) is not None:
            scribe.end(ended, topic=stream.topic)
    return set(closed)


def _end_orphans(scribe: Scribe, detector: BurstDetector) -> None:
    """End incidents that no detector watches any more, as when their topic is gone."""
    going_on = set(detector.open_bursts().values())
    for row in scribe.session.bursts.list(only_open=True, limit=None):
        if row.ended_at is None and row.seen.burst_id not in going_on:
            scribe.close(row.incident_id, at=scribe.now, reason=EndReason.UNWATCHED)


def _dump(detector: BurstDetector, streams: set[Stream]) -> Mapping[tuple[str, str], bytes]:
    return {(one.branch, one.topic): detector.dump([one]) for one in streams}
