"""What a run may spend: held before a question is put, settled by what it cost."""

import threading
from dataclasses import dataclass, field


@dataclass
class Spending:
    """A purse with a limit that is never exceeded. Safe to share between threads.

    The most that a question can cost is held before it is put. What an answer cost replaces the
    hold. Where nobody knows what was paid, since the answer never came, the hold stays: the
    API may have been paid for it.

    Attributes:
        max_usd: The limit.
    """

    max_usd: float
    _spent: float = field(default=0.0, init=False)
    _held: float = field(default=0.0, init=False)
    _lost: float = field(default=0.0, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    def hold(self, usd: float) -> bool:
        """Set the most aside that something can cost; False where the limit does not bear it."""
        with self._lock:
            if self._spent + self._lost + self._held + usd > self.max_usd:
                return False
            self._held += usd
            return True

    def settle(self, held: float, *, spent: float) -> None:
        """Replace a hold by what was paid."""
        with self._lock:
            self._held -= held
            self._spent += spent

    def lose(self, held: float) -> None:
        """Keep a hold for good: nobody knows what was paid."""
        with self._lock:
            self._held -= held
            self._lost += held

    @property
    def spent_usd(self) -> float:
        """What answers are known to have cost."""
        with self._lock:
            return self._spent

    @property
    def unaccounted_usd(self) -> float:
        """The most that questions without an answer can have cost."""
        with self._lock:
            return self._lost

    @property
    def left_usd(self) -> float:
        """What may still be held."""
        with self._lock:
            return max(0.0, self.max_usd - self._spent - self._lost - self._held)
