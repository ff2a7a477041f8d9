"""Limits of rates that hold for all processes that share a store.

The generic cell rate algorithm: a bucket keeps one moment, the one at which it would be empty
again. Source: ITU-T I.371, annex A; as a limiter of requests, Brandur Leach, Rate Limiting, Cells,
and GCRA (2015).
"""

from dataclasses import dataclass
from functools import cache

from sqlalchemy import Connection, bindparam, select
from sqlalchemy.dialects import postgresql, sqlite

from serving.store.engine import insert_into
from serving.store.outbox_schema import delivery_rates

_SECOND_US = 1_000_000
_READ = select(delivery_rates.c.empty_at_us).where(delivery_rates.c.bucket == bindparam("bucket"))


@dataclass(frozen=True, slots=True)
class Rate:
    """How often something may be done: n times at once, and n times in every period.

    Attributes:
        n: How often.
        per_seconds: In which period.
    """

    n: int
    per_seconds: float

    @property
    def period_us(self) -> int:
        """The period."""
        return round(self.per_seconds * _SECOND_US)

    @property
    def interval_us(self) -> int:
        """From one to the next, once the bucket is full."""
        return max(1, self.period_us // self.n)


class RateBook:
    """The part of a transaction that keeps rates."""

    def __init__(self, connection: Connection) -> None:
        """Work on an open transaction that writes."""
        self._connection = connection

    def take(self, bucket: str, rate: Rate, *, at_us: int) -> int | None:
        """Take one of a bucket at that moment: None, or from when on there is one to take.

        A clock that went back finds a bucket that is at most full.
        """
        kept = self._connection.execute(_READ, {"bucket": bucket}).scalar()
        most_us = at_us + rate.period_us
        empty_at_us = at_us if kept is None else min(max(int(kept), at_us), most_us)
        free_at_us = empty_at_us - (rate.period_us - rate.interval_us)
        if free_at_us > at_us:
            if empty_at_us != kept:
                self._write(bucket, empty_at_us)
            return free_at_us
        self._write(bucket, empty_at_us + rate.interval_us)
        return None

    def _write(self, bucket: str, empty_at_us: int) -> None:
        row = {"bucket": bucket, "empty_at_us": empty_at_us}
        self._connection.execute(_put(self._connection.dialect.name), row)


@cache
def _put(dialect: str) -> "sqlite.Insert | postgresql.Insert":
    put = insert_into(dialect, delivery_rates)
    return put.on_conflict_do_update(
        index_elements=["bucket"], set_={"empty_at_us": put.excluded.empty_at_us}
    )
