"""A circuit breaker: an API that fails is left alone for a while, and not paid.

Source: M. Nygard, Release It!, 2nd ed. 2018, chapter 5 (closed, open, half open).
"""

import threading
from collections import deque
from dataclasses import dataclass, field
from enum import StrEnum

from serving.copywriter.deadlines import Clock


class Verdict(StrEnum):
    """What came of a request that was let through."""

    WORKED = "worked"
    FAILED = "failed"
    UNKNOWN = "unknown"  # given up before anything could be said


@dataclass
class Breaker:
    """Lets requests through until too many fail; then none, then one that tries.

    Safe to share between threads.

    Attributes:
        failures: Failures one after the other that open it.
        window: Or, of as many requests in the end,
        share: this share failed.
        rest_seconds: How long it stays open; afterwards a single request tries.
        clock: Seconds that only grow.
    """

    failures: int
    window: int
    share: float
    rest_seconds: float
    clock: Clock
    _recent: deque[bool] = field(init=False, repr=False)
    _in_a_row: int = field(default=0, init=False, repr=False)
    _open_until: float | None = field(default=None, init=False, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    def __post_init__(self) -> None:
        self._recent = deque(maxlen=self.window)

    def lets_through(self) -> bool:
        """Whether a request may be made; whoever gets a yes reports its verdict."""
        with self._lock:
            if self._open_until is None:
                return True
            if self.clock() < self._open_until:
                return False
            # This one tries. Should it never report, another may after as long a rest.
            self._open_until = self.clock() + self.rest_seconds
            return True

    def report(self, verdict: Verdict) -> None:
        """Say what came of a request."""
        if verdict is Verdict.UNKNOWN:
            return
        has_failed = verdict is Verdict.FAILED
        with self._lock:
            self._recent.append(has_failed)
            self._in_a_row = self._in_a_row + 1 if has_failed else 0
            if not has_failed:
                if self._open_until is not None:
                    self._recent.clear()  # it is well again: the bad times are over
                self._open_until = None
            elif self._open_until is not None or self._is_too_bad():
                self._open_until = self.clock() + self.rest_seconds

    def _is_too_bad(self) -> bool:
        is_full = len(self._recent) == self.window
        return self._in_a_row >= self.failures or (
            is_full and sum(self._recent) >= self.share * self.window
        )
