"""The corridor's desk by its file, read again when the file changes."""

from dataclasses import dataclass, field
from pathlib import Path

from serving.corridor.desk import CorridorDesk
from serving.corridor.settings import find_corridor


@dataclass
class DeskFile:
    """Gives the desk as the file says now; one that cannot be read refuses everything.

    Attributes:
        path: Of the corridor; None: the one that ships.
        home: Folder of the STOP files.
    """

    path: Path | None
    home: Path
    _read: tuple[tuple[int, int, int] | None, CorridorDesk] | None = field(default=None)

    def __call__(self) -> CorridorDesk:
        """The desk."""
        stamp = self._stamp()
        if self._read is None or self._read[0] != stamp:
            # The stamp is taken first: a file that changes meanwhile is read again.
            self._read = (stamp, CorridorDesk(find_corridor(self.path), home=self.home))
        return self._read[1]

    def _stamp(self) -> tuple[int, int, int] | None:
        if self.path is None:
            return None
        try:
            found = self.path.stat()
        except OSError:
            return (0, 0, 0)
        return (found.st_mtime_ns, found.st_size, found.st_ino)
