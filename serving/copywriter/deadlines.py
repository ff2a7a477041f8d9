"""How long to wait between attempts, and when to stop waiting."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import numpy as np

Clock = Callable[[], float]  # seconds that only grow, such as time.monotonic


@dataclass(frozen=True)
class Deadline:
    """A moment after which nobody waits any more.

    Attributes:
        at: On the clock, in seconds.
        clock: Which grows and is never set.
    """

    at: float
    clock: Clock

    @classmethod
    def after(cls, seconds: float, *, clock: Clock) -> "Deadline":
        """As many seconds from now; none at all are left of a number below zero."""
        return cls(clock() + max(0.0, seconds), clock)

    @property
    def remaining(self) -> float:
        """Seconds left, at least 0."""
        return max(0.0, self.at - self.clock())


@dataclass(frozen=True)
class Backoff:
    """Waits that double, up to a longest one.

    Attributes:
        first: Seconds before the second attempt.
        longest: Seconds that no wait exceeds, whatever the server asks for.
    """

    first: float
    longest: float

    def wait(self, n_failed: int, *, asked: float | None, rng: np.random.Generator) -> float:
        """Seconds until the next attempt.

        Args:
            n_failed: Attempts so far, at least 1.
            asked: What the server asked for (`retry-after`); null where it did not.
            rng: Spreads callers that failed together: between a half and the whole of the wait.
        """
        doubled = self.first * 2.0 ** min(n_failed - 1, 60)
        own = min(doubled, self.longest) * float(rng.uniform(0.5, 1.0))
        return own if asked is None else min(max(asked, own), self.longest)


def read_retry_after(text: str | None, *, sent: str | None = None) -> float | None:
    """Seconds that a `retry-after` header asks for; null where it can't be read.

    Args:
        text: The header: seconds, or a date of HTTP.
        sent: The `date` header of the same answer, from which a date counts: the server's clock,
            not ours. Without it a date says nothing.

    >>> read_retry_after("3600"), read_retry_after("soon"), read_retry_after("-5")
    (3600.0, None, 0.0)
    >>> read_retry_after("Sun, 22 Nov 2026 12:01:00 GMT", sent="Sun, 22 Nov 2026 12:00:00 GMT")
    60.0
    """
    if text is None:
        return None
    try:
        seconds = float(text)
    except ValueError:
        until, now = _read_date(text), _read_date(sent)
        if until is None or now is None:
            return None
        return max(0.0, (until - now).total_seconds())
    return max(0.0, seconds) if math.isfinite(seconds) else None


def _read_date(text: str | None) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text or "")
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
