"""What is remembered of one stream: a day of complaints, a level, and the burst going on.

The order of arrival does not matter as long as nothing comes later than `late_hours`: a late
message is put where it belongs, and the customer's messages are counted anew from there.
"""

from bisect import insort
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from math import exp, log
from typing import Final

from serving.autopilot.detection.bursts import EndReason
from serving.autopilot.detection.settings import DetectionSettings
from serving.autopilot.detection.statistic import score_count
from serving.autopilot.detection.week import HOUR_US

KEPT_US: Final = 24 * HOUR_US
_DAY_HOURS: Final = 24.0
_MOST_COMPANY: Final = 2


@dataclass(order=True)
class Entry:
    """A message of a known customer.

    Attributes:
        at_us: When it was written.
        message_id: Its identity.
        customer_id: Who wrote it.
        mean_hours: When, on the clock of the week.
        counts: Whether it is the first of this customer in a while.
        in_burst: Whether it was part of a burst, so that it says nothing about what is usual.
    """

    at_us: int
    message_id: str
    customer_id: str = field(compare=False)
    mean_hours: float = field(compare=False)
    counts: bool = field(compare=False, default=True)
    in_burst: bool = field(compare=False, default=False)


@dataclass(frozen=True)
class Window:
    """Complaints from one to another.

    Attributes:
        score: How strongly they speak for more than what is usual.
        n_usual: How many were to be expected.
        entries: The complaints that count.
    """

    score: float
    n_usual: float
    entries: tuple[Entry, ...]


@dataclass
class OpenBurst:
    """A burst that goes on.

    Attributes:
        burst_id: Its identity.
        began_us: When it was detected.
        rate: Complaints in an hour of the clock while it lasted, as of its detection.
        customers: Who has complained.
        last_us: The last complaint.
        last_mean_hours: The same on the clock of the week.
        silence: Log odds that it is over, as of that complaint.
    """

    burst_id: str
    began_us: int
    rate: float
    customers: set[str]
    last_us: int
    last_mean_hours: float
    silence: float = 0.0


@dataclass
class WatchedStream:
    """The state of one stream.

    Attributes:
        prior: Level of streams of its topic, complaints in an hour of the clock.
        n: Complaints of the past, fading.
        exposure: Hours of the clock that they came in, fading.
        clock: Until when both are counted; None before the first message.
        entries: Messages of the last day, in order.
        burst: That goes on; None while all is usual.
        ended_us: Nothing until then belongs to a new burst.
    """

    prior: float
    n: float = 0.0
    exposure: float = 0.0
    clock: float | None = None
    entries: list[Entry] = field(default_factory=list)
    burst: OpenBurst | None = None
    ended_us: int = -1

    def level(self, settings: DetectionSettings) -> float:
        """Complaints in an hour of the clock: its own past, shrunk to its topic's level."""
        pull = 24 * settings.shrink_days
        return (self.prior * pull + self.n) / (pull + self.exposure)

    def insert(self, entry: Entry, *, settings: DetectionSettings) -> bool:
        """Put a message where it belongs; whether it counts."""
        insort(self.entries, entry)
        self._recount(entry, apart_us=round(settings.repeat_hours * HOUR_US))
        return entry.counts

    def forget(self, now_us: int, mean_hours: float, *, settings: DetectionSettings) -> None:
        """Move what is older than a day into the level."""
        gone = 0
        while gone < len(self.entries) and self.entries[gone].at_us < now_us - KEPT_US:
            entry = self.entries[gone]
            self._fade_to(entry.mean_hours, settings)
            self.n += entry.counts and not entry.in_burst
            gone += 1
        if gone:
            del self.entries[:gone]
        # The last day is not yet in the level, so that its complaints do not excuse themselves.
        self._fade_to(mean_hours - 24.0, settings)

    def find_window(
        self, changed: Entry, *, settings: DetectionSettings, phi: float
    ) -> Window | None:
        """The strongest window that the message lies in; None where none is worth judging."""
        counted = [e for e in self.entries if e.counts and e.at_us > self.ended_us]
        if len(counted) < settings.least_customers:
            return None
        least = settings.least_customers + self._count_insistent(settings)
        level = self.level(settings)
        longest_us = round(settings.longest_minutes * 60_000_000)
        shortest = settings.shortest_minutes / 60
        best: tuple[float, float, int, int] | None = None
        at = changed.at_us
        for end in range(len(counted) - 1, -1, -1):
            last = counted[end]
            if last.at_us < at:
                break
            for start in range(end, -1, -1):
                first = counted[start]
                if first.at_us < last.at_us - longest_us:
                    break
                n = end - start + 1
                if first.at_us > at or n < least:
                    continue
                usual = level * max(last.mean_hours - first.mean_hours, shortest)
                score = score_count(n, usual=usual, phi=phi)
                if best is None or score > best[0]:
                    best = (score, usual, start, end)
        if best is None:
            return None
        score, usual, start, end = best
        return Window(score, usual, tuple(counted[start : end + 1]))

    def open(
        self, window: Window, burst_id: str, now_us: int, *, settings: DetectionSettings
    ) -> None:
        """A burst goes on from here."""
        first, last = window.entries[0], window.entries[-1]
        span = max(last.mean_hours - first.mean_hours, settings.shortest_minutes / 60)
        for entry in window.entries:
            entry.in_burst = True
        self.burst = OpenBurst(
            burst_id=burst_id,
            began_us=now_us,
            rate=len(window.entries) / span,
            customers={entry.customer_id for entry in window.entries},
            last_us=last.at_us,
            last_mean_hours=last.mean_hours,
        )

    def grow(self, entry: Entry, *, settings: DetectionSettings) -> bool:
        """One more message while a burst goes on; whether it is a new customer's."""
        burst = self.burst
        if burst is None:
            return False
        entry.in_burst = True
        is_new = entry.customer_id not in burst.customers
        burst.customers.add(entry.customer_id)
        if entry.at_us > burst.last_us:
            going_on, usual = self._rates(burst, settings)
            silence = self._silence(burst, entry.mean_hours, settings)
            burst.silence = max(0.0, silence - log(going_on / usual))
            burst.last_us, burst.last_mean_hours = entry.at_us, entry.mean_hours
        return is_new

    def find_end(
        self, now_us: int, mean_hours: float, *, settings: DetectionSettings
    ) -> EndReason | None:
        """Why the burst is over by now; None where it goes on, or where there is none.

        The odds of what is usual against a rate that would still be going on, a CUSUM downwards:
        silence at night, when nobody is there, proves little.
        """
        burst = self.burst
        if burst is None:
            return None
        if self._silence(burst, mean_hours, settings) >= log(settings.end_odds):
            return EndReason.SILENCE
        stale = now_us - burst.began_us >= settings.stale_hours * HOUR_US
        return EndReason.STALE if stale else None

    def close(self) -> None:
        """The burst is over; what belonged to it starts no other."""
        if self.burst is not None:
            self.ended_us = self.burst.last_us
            self.burst = None

    def take_over(self, other: "WatchedStream", *, mean_hours: Callable[[int], float]) -> None:
        """Go on with the last day and the burst of another state of this stream.

        Args:
            other: Of the same stream, under another rhythm of the week.
            mean_hours: The clock of this one's.
        """
        self.entries = [replace(e, mean_hours=mean_hours(e.at_us)) for e in other.entries]
        self.burst, self.ended_us = other.burst, other.ended_us
        if self.burst is not None:
            self.burst.last_mean_hours = mean_hours(self.burst.last_us)
        is_behind = self.clock is None or (
            other.clock is not None and other.clock - self.clock > _DAY_HOURS
        )
        if is_behind:
            self.n, self.exposure, self.clock = other.n, other.exposure, other.clock

    def _count_insistent(self, settings: DetectionSettings) -> int:
        """Customers who write again and again, each of whom must be matched by one more.

        Messages in quick succession are one, cut up. However many insist, two more are enough: a
        crowd of angry people is a crowd.
        """
        since_us = self.entries[-1].at_us - round(settings.longest_minutes * 60_000_000)
        apart_us = round(settings.shortest_minutes * 60_000_000)
        times: dict[str, int] = {}
        last: dict[str, int] = {}
        for entry in self.entries:
            who, at = entry.customer_id, entry.at_us
            if at >= since_us and at - last.get(who, at - apart_us) >= apart_us:
                times[who], last[who] = times.get(who, 0) + 1, at
        return min(_MOST_COMPANY, sum(n >= settings.insistent_messages for n in times.values()))

    def _rates(self, burst: OpenBurst, settings: DetectionSettings) -> tuple[float, float]:
        usual = self.level(settings)
        going_on = max(settings.going_on_share * burst.rate, settings.going_on_per_hour)
        return max(going_on, 2.0 * usual), usual

    def _silence(self, burst: OpenBurst, mean_hours: float, settings: DetectionSettings) -> float:
        going_on, usual = self._rates(burst, settings)
        return burst.silence + (going_on - usual) * max(0.0, mean_hours - burst.last_mean_hours)

    def _recount(self, changed: Entry, *, apart_us: int) -> None:
        """Count a customer's messages anew, from a changed one on."""
        last_us: int | None = None
        for entry in self.entries:
            if entry.customer_id != changed.customer_id:
                continue
            if entry.at_us >= changed.at_us:
                entry.counts = last_us is None or entry.at_us - last_us >= apart_us
            if entry.counts:
                last_us = entry.at_us

    def _fade_to(self, mean_hours: float, settings: DetectionSettings) -> None:
        """Let the past fade until a moment of the clock."""
        if self.clock is None:
            self.clock = mean_hours
        passed = mean_hours - self.clock
        if passed <= 0:
            return
        scale = 24 * settings.trailing_days
        left = exp(-passed / scale)
        self.n *= left
        self.exposure = self.exposure * left + scale * (1 - left)
        self.clock = mean_hours
