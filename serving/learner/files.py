"""Versions of the bandit on disk, and the tables' history that a learner goes on from.

State and place in the log are one version, published whole or not at all: a learner that was killed
goes on from a state and the place that belongs to it.
"""

import fcntl
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from features.errors import BadInputError, ConflictError
from serving.learner.fold import Learned, Settled
from serving.versions import Versions
from training.bandit.files import read_bandit
from training.bandit.policy import VariantPolicy
from training.bandit.rewards import RewardLog

_FRAMES = ("messages", "outcomes", "departures", "activity")


@dataclass(frozen=True)
class Cursor:
    """How far a learner has read.

    Attributes:
        as_of_us: Moment of the last look at the log.
        until_us: Messages sent before it are settled.
        n_messages: How many those are, in store and history.
        n_stored: How many of them the store held.
        last_outcome: The last outcome of the store that was read.
        basis: Digest of what the state follows from beside messages: rules and prior.
        history: Digest of what the tables said.
        digest: Of what was learned from, as in `Settled`.
    """

    as_of_us: int
    until_us: int
    n_messages: int
    n_stored: int
    last_outcome: int
    basis: str
    history: str = ""
    digest: str = ""


@dataclass(frozen=True)
class Place:
    """Where a learner goes on.

    Attributes:
        cursor: How far it has read.
        settled: What was learned until there; None where it follows from another basis.
    """

    cursor: Cursor
    settled: Settled | None


@dataclass(frozen=True)
class BanditVersion:
    """The bandit that is served, of one version.

    Attributes:
        as_of_us: Moment of the last look at the log.
        bandit: What it knows.
    """

    as_of_us: int
    bandit: VariantPolicy


@dataclass(frozen=True)
class LearnerFiles:
    """The folder of a learner.

    Attributes:
        folder: Where versions and history are kept.
    """

    folder: Path

    @property
    def versions(self) -> Versions:
        """Versions of the bandit."""
        return Versions(self.folder)

    @property
    def _histories(self) -> Versions:
        return Versions(self.folder / "history", n_kept=2)

    @contextmanager
    def locked_if_free(self) -> Iterator[bool]:
        """Learn alone, where no other process does already; whether that is so."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "LOCK").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # falls with the process
                is_ours = True
            except BlockingIOError:
                is_ours = False
            yield is_ours

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Learn alone; ConflictError where another process does already."""
        with self.locked_if_free() as is_ours:
            if not is_ours:
                raise ConflictError(f"another learner is at work in {self.folder}")
            yield

    def publish(self, learned: Learned, cursor: Cursor) -> str:
        """Make this the current version; its name."""

        def write(home: Path, _: str) -> None:
            (home / "served.json").write_text(learned.served.to_json(), encoding="utf-8")
            (home / "settled.json").write_text(learned.settled.bandit.to_json(), encoding="utf-8")
            (home / "cursor.json").write_text(json.dumps(asdict(cursor)), encoding="utf-8")

        return self.versions.publish(write)

    def load_served(self) -> BanditVersion | None:
        """The current version as servers need it; None where no learner has run."""

        def read(home: Path, _: str) -> BanditVersion:
            bandit = read_bandit((home / "served.json").read_text(encoding="utf-8"))
            return BanditVersion(_read_cursor(home).as_of_us, bandit)

        return self.versions.load(read)

    def load_place(self, *, basis: str) -> Place | None:
        """Where a learner of this basis goes on; None where none has run.

        The state of another basis is not even read: a new version may not understand it any more.
        """

        def read(home: Path, _: str) -> Place:
            cursor = _read_cursor(home)
            if cursor.basis != basis:
                return Place(cursor, None)
            bandit = read_bandit((home / "settled.json").read_text(encoding="utf-8"))
            settled = Settled(bandit, cursor.until_us, cursor.n_messages, cursor.digest)
            return Place(cursor, settled)

        return self.versions.load(read)

    def has_history(self) -> bool:
        """Whether anybody has kept what the tables say."""
        return self._histories.current() is not None

    def keep_history(self, history: RewardLog) -> None:
        """Keep what the tables say, for whoever learns next."""

        def write(home: Path, _: str) -> None:
            for name in _FRAMES:
                frame: pd.DataFrame | None = getattr(history, name)
                if frame is not None:
                    frame.to_parquet(home / f"{name}.parquet", index=False)
            np.save(home / "numbers.npy", history.numbers)
            (home / "digest").write_text(_digest_history(home), encoding="utf-8")

        self._histories.publish(write)

    def load_history(self) -> tuple[RewardLog, str]:
        """What the tables said, and a digest of it; nothing where it was never kept."""

        def read(home: Path, _: str) -> tuple[RewardLog, str]:
            frames = {
                name: pd.read_parquet(home / f"{name}.parquet")
                for name in _FRAMES
                if (home / f"{name}.parquet").exists()
            }
            log = RewardLog(
                frames["messages"],
                np.load(home / "numbers.npy"),
                frames["outcomes"],
                frames["departures"],
                frames.get("activity"),
            )
            return log, (home / "digest").read_text(encoding="utf-8")

        return self._histories.load(read) or (RewardLog.empty(), "")


def _read_cursor(home: Path) -> Cursor:
    text = (home / "cursor.json").read_text(encoding="utf-8")
    try:
        return Cursor(**json.loads(text))
    except (TypeError, ValueError) as fault:
        raise BadInputError(f"{home / 'cursor.json'}: not a learner's cursor: {fault}") from fault


def _digest_history(home: Path) -> str:
    digest = hashlib.blake2b(digest_size=12)
    for path in sorted(home.iterdir()):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()
