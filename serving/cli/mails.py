"""Folders of mails that commands read."""

from collections.abc import Iterator
from pathlib import Path

from features.errors import SourceUnreadableError


def read_mails(folder: Path, *, given: str) -> Iterator[tuple[Path, bytes]]:
    """Mails of a folder, and of `new` and `cur` where it is a Maildir; what is moved is left out.

    Args:
        folder: Of files with a mail each.
        given: Where it was given, for the error.

    Raises:
        SourceUnreadableError: It is no folder, or a file cannot be read.
    """
    if not folder.is_dir():
        raise SourceUnreadableError(f"{given} {folder}: expected a folder of mails")
    for place in (folder, folder / "new", folder / "cur"):
        for path in sorted(place.iterdir()) if place.is_dir() else ():
            if path.is_file():
                try:
                    yield path, path.read_bytes()
                except FileNotFoundError:  # somebody moved it: to `cur`, or for the next time
                    continue
                except OSError as fault:
                    raise SourceUnreadableError(f"{path}: {fault.strerror}") from fault
