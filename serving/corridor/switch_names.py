"""How kill switches are named; imports next to nothing, since whoever stops is in a hurry."""

from typing import Final

MOST_BYTES: Final = 200
"""Of the name of whoever throws it and of a branch, so that the name of a file can hold it."""


def name_scope(branch: str | None) -> str:
    """What a switch is about, in words.

    >>> name_scope(None), name_scope("Abay 10")
    ('everything', 'branch Abay 10')
    """
    return "everything" if branch is None else f"branch {branch}"


def is_switch_name(name: str) -> bool:
    """Whether a name can stand in a switch, its file and the log.

    >>> is_switch_name("Abay 10"), is_switch_name(" "), is_switch_name("a" + chr(10))
    (True, False, False)
    """
    return bool(name.strip()) and name.isprintable() and len(name.encode()) <= MOST_BYTES
