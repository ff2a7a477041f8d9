"""Where the watcher of messages is, and what its detector remembers."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final

from sqlalchemy import Connection, Insert, bindparam, select

from features.errors import ConflictError
from serving.store.engine import insert_into
from serving.store.inbound_schema import watch_place, watch_streams

_NAME: Final = "inbound"
_PLACE = select(watch_place).where(watch_place.c.name == bindparam("name"))
_STREAMS = select(watch_streams).order_by(watch_streams.c.branch, watch_streams.c.topic)


@dataclass(frozen=True, slots=True)
class WatchPlace:
    """How far the watcher has read.

    Attributes:
        cursor: Place of the last message that it has looked at.
        version: Of the detector.
        deferred: Places of messages up to there that still wait for what they are about.
    """

    cursor: int = 0
    version: str = ""
    deferred: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class KeptStream:
    """What the detector remembers of one stream."""

    branch: str
    topic: str
    state: bytes


class WatchBook:
    """The part of a transaction that is about the watcher."""

    def __init__(self, connection: Connection) -> None:
        """Work on an open transaction; to write, on one that holds the write lock."""
        self._connection = connection

    def find_place(self) -> WatchPlace:
        """Where the watcher is; at the beginning where it never was."""
        row = self._connection.execute(_PLACE, {"name": _NAME}).mappings().first()
        if row is None:
            return WatchPlace()
        return WatchPlace(row["cursor"], row["version"], tuple(json.loads(row["deferred"])))

    def read_streams(self) -> list[KeptStream]:
        """What is remembered of every stream."""
        return [
            KeptStream(row.branch, row.topic, row.state)
            for row in self._connection.execute(_STREAMS)
        ]

    def move(self, before: WatchPlace, after: WatchPlace) -> None:
        """Go on from one place to another.

        Raises:
            ConflictError: Another watcher has gone on from there; the transaction must not be kept.
        """
        found = self.find_place()
        if found != before:
            raise ConflictError(
                f"messages are read by another watcher: it is at {found.cursor}, this one thought "
                f"{before.cursor}"
            )
        row = {
            "name": _NAME,
            "cursor": after.cursor,
            "version": after.version,
            "deferred": json.dumps(after.deferred),
        }
        self._connection.execute(_put_place(self._connection.dialect.name), row)

    def put_streams(self, states: Mapping[tuple[str, str], bytes]) -> None:
        """Remember streams, by branch and topic; those not named stay as they are."""
        rows = [
            {"branch": branch, "topic": topic, "state": state}
            for (branch, topic), state in states.items()
        ]
        if rows:
            self._connection.execute(_put_streams(self._connection.dialect.name), rows)


@cache
def _put_place(dialect: str) -> Insert:
    put = insert_into(dialect, watch_place)
    names = ("cursor", "version", "deferred")
    return put.on_conflict_do_update(
        index_elements=["name"], set_={name: put.excluded[name] for name in names}
    )


@cache
def _put_streams(dialect: str) -> Insert:
    put = insert_into(dialect, watch_streams)
    return put.on_conflict_do_update(
        index_elements=["branch", "topic"], set_={"state": put.excluded.state}
    )
