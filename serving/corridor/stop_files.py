"""Kill switches that are plain files: they work when nothing else does."""

import os
import unicodedata
from pathlib import Path
from urllib.parse import unquote

STOP = "STOP"

_UNFIT = {ord(letter): f"%{ord(letter):02X}" for letter in '%/\\:*?"<>|'}


def find_stop_file(home: Path, *, branch: str | None) -> str | None:
    """Why a file says stop; None where none does.

    `STOP` stops everything, `STOP.<branch>` a branch; letters' case does not matter, nor how their
    accents are written, nor what the file holds. A home that cannot be looked at says stop.

    Args:
        home: Folder of the state.
        branch: Of the action; None where it belongs to none: then only `STOP` counts.
    """
    try:
        names = {fold_name(name) for name in os.listdir(home)}  # noqa: PTH208  # broken links count
    except OSError as fault:
        return f"{home} cannot be looked at for a STOP file: {fault.strerror}"
    wanted = [STOP]
    if branch is not None:
        wanted += [f"{STOP}.{branch}", name_stop_file(branch)]
    for name in wanted:
        if fold_name(name) in names:
            return f"the file {name} is in {home}"
    return None


def name_stop_file(branch: str | None) -> str:
    """Name of the switch's file; characters that a file's name may not hold are quoted.

    >>> name_stop_file(None), name_stop_file("Абая 10"), name_stop_file("a/b")
    ('STOP', 'STOP.Абая 10', 'STOP.a%2Fb')
    """
    return STOP if branch is None else f"{STOP}.{' '.join(branch.split()).translate(_UNFIT)}"


def put_stop_file(home: Path, *, branch: str | None, note: str) -> Path:
    """Stop; the file says who did it."""
    home.mkdir(parents=True, exist_ok=True)
    path = home / name_stop_file(branch)
    path.write_text(f"{note}\n", encoding="utf-8")
    return path


def remove_stop_files(home: Path, *, branch: str | None) -> list[Path]:
    """Take the switch away, however its name was written; which files went."""
    wanted = {fold_name(name_stop_file(branch))}
    if branch is not None:
        wanted.add(fold_name(f"{STOP}.{branch}"))
    found = [path for path in sorted(home.iterdir()) if fold_name(path.name) in wanted]
    for path in found:
        path.unlink()
    return found


def fold_name(name: str) -> str:
    """A name by which its spellings are one: a stop must not fail over a capital or a blank.

    >>> fold_name("Abay 10") == fold_name("ABAY  10 ")
    True
    """
    return " ".join(fold_letters(name).split())


def fold_letters(name: str) -> str:
    """A name whatever the case of its letters, and however its accents are written.

    >>> fold_letters("DANA") == fold_letters("Dana")
    True
    """
    return unicodedata.normalize("NFC", name).casefold()


def list_stop_files(home: Path) -> list[tuple[str | None, str]]:
    """Switches that are files: of which branch (None: everything), and why it says stop.

    A home that cannot be looked at says stop for everything.
    """
    try:
        names = sorted(os.listdir(home))  # noqa: PTH208  # broken links count
    except OSError as fault:
        return [(None, f"{home} cannot be looked at for a STOP file: {fault.strerror}")]
    found: list[tuple[str | None, str]] = []
    for name in names:
        head, dot, branch = name.partition(".")
        if fold_name(head) == fold_name(STOP) and (branch or not dot):
            found.append((unquote(branch) if dot else None, f"the file {name} is in the home"))
    return found
