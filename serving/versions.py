"""Versions of something on disk, published whole or not at all.

A version is written under its number and then named in the file `CURRENT`; both by rename, so that
a reader sees a whole version or the one before, whenever the writer is killed. Readers look at
`CURRENT` and take a new version without a restart. One process writes at a time.
"""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

Loaded = TypeVar("Loaded")

_CURRENT = "CURRENT"
_LOOKS = 5  # a version may be cleared away between a look at the pointer and the read


@dataclass(frozen=True)
class Versions:
    """A folder of versions, the last few of which are kept.

    Attributes:
        folder: Where they are; made with the first publication.
        n_kept: How many stay.
    """

    folder: Path
    n_kept: int = 3

    def current(self) -> str | None:
        """The version that `CURRENT` names; None before the first publication."""
        try:
            return (self.folder / _CURRENT).read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            return None

    def publish(self, write: Callable[[Path, str], None]) -> str:
        """Let `write` fill the folder of the next version, given its name, and make it current."""
        self.folder.mkdir(parents=True, exist_ok=True)
        earlier = self._numbers()
        version = f"{(earlier[-1] if earlier else 0) + 1:06d}"
        unfinished = self.folder / f"{version}.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir()
        write(unfinished, version)
        for path in unfinished.iterdir():
            _sync(path)
        unfinished.rename(self.folder / version)
        pointer = self.folder / f"{_CURRENT}.unfinished"
        pointer.write_text(version, encoding="utf-8")
        _sync(pointer)
        pointer.replace(self.folder / _CURRENT)
        _sync(self.folder)
        for old in [*earlier, int(version)][: -self.n_kept]:
            shutil.rmtree(self.folder / f"{old:06d}", ignore_errors=True)
        return version

    def load(self, read: Callable[[Path, str], Loaded]) -> Loaded | None:
        """What `read` makes of the current version's folder, given its name; None without one."""
        for left in reversed(range(_LOOKS)):
            version = self.current()
            if version is None:
                return None
            try:
                return read(self.folder / version, version)
            except FileNotFoundError:
                if not left or self.current() == version:
                    raise
        raise AssertionError("unreachable: the last look returns or raises")

    def _numbers(self) -> list[int]:
        return sorted(int(path.name) for path in self.folder.iterdir() if path.name.isdigit())


def _sync(path: Path) -> None:
    """Have the system write it out: a rename must not come before what it names."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
