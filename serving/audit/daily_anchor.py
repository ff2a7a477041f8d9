"""The anchor of the day, made by the process that acts: once a day, and never twice."""

import errno
import os
import secrets
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from features.errors import ConfigurationError
from serving.audit.anchor_notice import leave_anchor_fault, leave_anchor_notice
from serving.audit.anchors import Anchor, name_anchor_file, read_private_key, write_anchor
from serving.store.store import Store

_PAUSE = timedelta(minutes=1)
_WITHOUT_LINKS: Final = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS}  # file systems that have none


@dataclass(frozen=True, slots=True)
class Anchored:
    """What came of trying to make the anchor of a day.

    Attributes:
        words: For the log of the process.
        is_kept: Whether it is where it belongs.
    """

    words: str
    is_kept: bool


@dataclass
class DailyAnchor:
    """Signs the head of the log at the first look of a day in UTC.

    A day without a look has no anchor of its own; the first look after it signs at once what was
    written until then.

    Attributes:
        store: With the log.
        key: That signs.
        folder: Elsewhere; gets anchor-DAY.jsonl. None: the owner is told the line.
    """

    store: Store
    key: Ed25519PrivateKey
    folder: Path | None
    _made_on: date | None = field(default=None, init=False)
    _again_at: datetime | None = field(default=None, init=False)

    def look(self, now: datetime) -> Anchored | None:
        """Make the anchor of the day; None where there is one, or the last try was just now.

        Where the folder cannot be written to, the owner is told, once a day, and it is tried again.
        """
        if now.date() == self._made_on or (self._again_at is not None and now < self._again_at):
            return None
        try:
            seq = self._tell(now) if self.folder is None else self._write(self.folder, now=now)
        except OSError as fault:
            self._again_at = now + _PAUSE
            why = f"{self.folder}: cannot be written to: {fault.strerror}"
            with self.store.transaction() as session:
                leave_anchor_fault(session, why, at=now)
            return Anchored(f"the anchor of {now:%Y-%m-%d} is not kept, tried again: {why}", False)
        self._made_on, self._again_at = now.date(), None
        if seq is None:
            return None
        where = "left for the owner" if self.folder is None else f"kept in {self.folder}"
        return Anchored(f"the anchor of {now:%Y-%m-%d}, {seq:,} rows, is {where}", True)

    def _tell(self, now: datetime) -> int | None:
        """Leave the line for the owner; how many rows it is of, None where one was left before."""
        with self.store.transaction() as session:
            seq, head = session.audit.find_head()
            line = write_anchor(Anchor.of(seq, head, at=now), key=self.key)
            is_new = leave_anchor_notice(session, line, seq=seq, at=now, is_daily=True)
        return seq if is_new else None

    def _write(self, folder: Path, *, now: datetime) -> int | None:
        """Write the file of the day; as above."""
        path = folder / name_anchor_file(now)
        if path.exists():
            return None
        with self.store.reading() as session:
            seq, head = session.audit.find_head()
        line = write_anchor(Anchor.of(seq, head, at=now), key=self.key)
        # Whole under its name, or not there: a file that is there is an anchor.
        # Another process may be at it, too: each writes a file of its own, the first one counts.
        fresh = path.with_suffix(f".{secrets.token_hex(8)}.fresh")
        try:
            with fresh.open("x", encoding="utf-8") as file:
                file.write(f"{line}\n")
                file.flush()
                os.fsync(file.fileno())
            is_first = _name(fresh, path)
        finally:
            fresh.unlink(missing_ok=True)
        return seq if is_first else None


def _name(fresh: Path, path: Path) -> bool:
    """Give a whole file its name; whether nobody had taken that. What is there is never lost."""
    try:
        path.hardlink_to(fresh)
    except FileExistsError:
        return False
    except OSError as fault:
        if fault.errno not in _WITHOUT_LINKS:
            raise
        if path.exists():
            return False
        fresh.replace(path)  # two at the same instant leave one of them, whole
    return True


def wire_daily_anchor(store: Store, *, key: Path | None, folder: Path | None) -> DailyAnchor | None:
    """What makes the anchor of the day, by the settings of those names; None without a key.

    Raises:
        ConfigurationError: There is a folder, and no key.
        SourceUnreadableError: The file holds no key that signs.
    """
    if key is not None:
        return DailyAnchor(store, read_private_key(key), folder)
    if folder is not None:
        raise ConfigurationError(
            f"OPPORTUNE_ANCHOR_FOLDER {folder}: expected OPPORTUNE_ANCHOR_KEY, too, the file of "
            f"the key that signs"
        )
    return None
