"""How often somebody may try to come in: the library `limits`, counting in the store.

The library brings counters in memory, which workers would not share, and in servers that the house
does not need. A counter in the store's own database is shared by every process and host on it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv6Address, IPv6Network, ip_address
from math import ceil
from typing import Final

from limits import RateLimitItem, RateLimitItemPerMinute
from limits.storage import Storage
from limits.strategies import FixedWindowRateLimiter

from serving.store.store import Store

Limit = tuple[RateLimitItem, *tuple[str, ...]]
"""A limit, and what it counts by."""

PER_PERSON: Final[RateLimitItem] = RateLimitItemPerMinute(5, 5, namespace="person")
"""Wrong passwords for one name from one address, in five minutes."""

PER_NAME: Final[RateLimitItem] = RateLimitItemPerMinute(50, 60, namespace="name")
"""For one name from anywhere, in an hour."""

PER_ADDRESS: Final[RateLimitItem] = RateLimitItemPerMinute(30, 5, namespace="address")
"""From one address, whoever it says that it is, in five minutes."""


@dataclass(frozen=True)
class Attempt:
    """Somebody who tries to come in.

    Attributes:
        name: Who they say that they are, folded.
        address: Of the machine that asks.
    """

    name: str
    address: str


class Attempts:
    """Counts attempts, and says who must wait."""

    def __init__(self, store: Store, *, clock: Callable[[], datetime]) -> None:
        """Count in that store, by that clock."""
        self._clock = clock
        self._limiter = FixedWindowRateLimiter(_StoreCounts(store, clock=clock))

    def count(self, attempt: Attempt) -> int | None:
        """Count an attempt before its password is looked at.

        Returns:
            None: go on; else the seconds that one has to wait.
        """
        limits = _list_limits(attempt)
        # Looked at before anything is written: whoever must wait costs no write.
        waits = self._list_waits(limits, self._limiter.test)
        return max(waits or self._list_waits(limits, self._limiter.hit), default=None)

    def forgive(self, attempt: Attempt) -> None:
        """The password was right: their own mistakes before it do not count any more."""
        self._limiter.clear(PER_PERSON, attempt.name, attempt.address)

    def _list_waits(self, limits: Sequence[Limit], has_room: Callable[..., bool]) -> list[int]:
        return [self._wait(item, *keys) for item, *keys in limits if not has_room(item, *keys)]

    def _wait(self, item: RateLimitItem, *keys: str) -> int:
        ends = self._limiter.get_window_stats(item, *keys).reset_time
        return max(1, ceil(ends - self._clock().timestamp()))


def name_address(host: str | None) -> str:
    """The machine by which attempts are counted; a network of IPv6, which is one household's.

    >>> name_address("10.0.0.7"), name_address("2001:db8:1:2:3:4:5:6"), name_address(None)
    ('10.0.0.7', '2001:db8:1:2::/64', 'unknown')
    """
    try:
        address = ip_address(host or "")
    except ValueError:
        return "unknown"
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(IPv6Network((address, 64), strict=False))
    return str(address)


def _list_limits(attempt: Attempt) -> list[Limit]:
    return [
        (PER_ADDRESS, attempt.address),
        (PER_NAME, attempt.name),
        (PER_PERSON, attempt.name, attempt.address),
    ]


class _StoreCounts(Storage):
    """The library's counters as rows of the store."""

    STORAGE_SCHEME = None

    def __init__(self, store: Store, *, clock: Callable[[], datetime]) -> None:
        super().__init__()
        self._store = store
        self._clock = clock

    @property
    def base_exceptions(self) -> type[Exception] | tuple[type[Exception], ...]:
        return ()

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        now = self._clock()
        until = now + timedelta(seconds=expiry)
        with self._store.transaction() as session:
            session.console.sweep_counts(now=now)
            return session.console.count(key, n=amount, until=until, now=now)

    def get(self, key: str) -> int:
        found = self._find(key)
        return 0 if found is None else found[0]

    def get_expiry(self, key: str) -> float:
        found = self._find(key)
        return (self._clock() if found is None else found[1]).timestamp()

    def check(self) -> bool:
        return True

    def reset(self) -> int | None:
        raise NotImplementedError  # nobody forgives everybody; the library allows for that

    def clear(self, key: str) -> None:
        with self._store.transaction() as session:
            session.console.clear_count(key)

    def _find(self, key: str) -> tuple[int, datetime] | None:
        with self._store.reading() as session:
            return session.console.find_count(key, now=self._clock())
