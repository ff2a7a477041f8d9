"""Where customers can be reached: read when a message is handed over, and kept nowhere.

Addresses are no table of the store, and stand in no record, file of the dry run, or log.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

import duckdb

from features.errors import ConfigurationError
from features.vocabulary import Channel
from serving.delivery.live.secrets import Secrets
from serving.delivery.live.settings import AddressSettings
from serving.delivery.live.webhook import SignedPost, Unanswered

_COLUMNS = ("customer_id", "channel", "address", "valid_from")
_MOST_CHARACTERS = 320
_LAST = """
    SELECT address FROM {read}
    WHERE customer_id = $customer_id AND channel = $channel
      AND CAST(valid_from AS TIMESTAMPTZ) <= CAST($now AS TIMESTAMPTZ)
    ORDER BY CAST(valid_from AS TIMESTAMPTZ) DESC LIMIT 1
"""


@dataclass(frozen=True, repr=False)
class Found:
    """Where a customer can be reached."""

    address: str


@dataclass(frozen=True)
class NotFound:
    """There is no address; or its latest row takes it back."""


@dataclass(frozen=True)
class Unreadable:
    """Nobody can say now."""

    reason: str


Lookup = Found | NotFound | Unreadable


class AddressBook(Protocol):
    """Knows where customers can be reached."""

    def find(self, customer_id: str, channel: Channel, *, now: datetime) -> Lookup:
        """The address on a channel that is valid at that moment."""
        ...

    def close(self) -> None:
        """Give back what it holds."""
        ...


class AddressFile:
    """A table `addresses` in a file, read anew each time: who changed it need tell nobody."""

    def __init__(self, path: Path) -> None:
        """Read that file."""
        self._path = path
        self._read = "read_parquet($path)"
        if path.suffix == ".csv":
            self._read = "read_csv($path, all_varchar = true, header = true)"
        self._db = duckdb.connect()
        self._db.execute("SET TimeZone = 'UTC'")

    def find(self, customer_id: str, channel: Channel, *, now: datetime) -> Lookup:
        """The latest row that is valid; its null takes the address back."""
        given = {
            "path": str(self._path),
            "customer_id": customer_id,
            "channel": channel.value,
            "now": now.isoformat(),
        }
        try:
            row = self._db.execute(_LAST.format(read=self._read), given).fetchone()
        except duckdb.Error as fault:
            return Unreadable(f"addresses: {self._path.name}: {type(fault).__name__}")
        return NotFound() if row is None else _tell(row[0])

    def close(self) -> None:
        """Give back the database that reads."""
        self._db.close()

    def check(self) -> str | None:
        """Why it cannot be read, or None."""
        try:
            found = self._db.execute(
                f"DESCRIBE SELECT * FROM {self._read}", {"path": str(self._path)}
            ).fetchall()
        except duckdb.Error as fault:
            return f"{self._path}: {type(fault).__name__}"
        missing = [name for name in _COLUMNS if name not in {row[0] for row in found}]
        return f"{self._path}: expected columns {', '.join(missing)}" if missing else None


class AddressWebhook:
    """Asks somebody who knows: posts customer and channel, and reads `{"address": ...}`."""

    def __init__(self, post: SignedPost) -> None:
        """Ask there."""
        self._post = post

    def find(self, customer_id: str, channel: Channel, *, now: datetime) -> Lookup:
        """What it answers; 404 and a null say that there is none."""
        asked = {"customer_id": customer_id, "channel": channel.value}
        body = {"type": "address", "timestamp": now.isoformat(), "data": asked}
        key = f"address/{customer_id}/{channel.value}/{now.timestamp():.6f}"
        answer = self._post.post(json.dumps(body).encode(), key=key, now=now)
        if isinstance(answer, Unanswered):
            return Unreadable(f"addresses: {answer.reason}")
        if answer.status == 404:
            return NotFound()
        if answer.status != 200:
            return Unreadable(f"addresses: {self._post.host} answered {answer.status}")
        try:
            told: object = json.loads(answer.body)
        except (ValueError, RecursionError):
            told = None
        if not isinstance(told, dict) or "address" not in told:
            return Unreadable(f"addresses: {self._post.host}: expected an object with `address`")
        return _tell(told["address"])

    def close(self) -> None:
        """Give back the connections."""
        self._post.close()


def make_address_book(settings: AddressSettings, *, secrets: Secrets) -> AddressBook:
    """The book that the settings name; ConfigurationError where its file has not the columns."""
    if settings.webhook is not None:
        return AddressWebhook(SignedPost(settings.webhook, secrets=secrets))
    if settings.file is None:
        raise ConfigurationError("addresses: expected a file or a webhook")
    book = AddressFile(settings.file)
    if (fault := book.check()) is not None:
        raise ConfigurationError(f"addresses: {fault}")
    return book


def _tell(address: object) -> Lookup:
    if not isinstance(address, str) or not address.strip():
        return NotFound()
    plain = address.strip()
    is_sound = len(plain) <= _MOST_CHARACTERS and plain.isprintable()
    return Found(plain) if is_sound else NotFound()
