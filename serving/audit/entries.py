"""Rows of the log, and the hash that chains each to the one before."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from features.errors import BadInputError
from serving.policy.cases import to_us

Cell = str | int | float | bool | None
Body = Mapping[str, Cell | Sequence[str]]
"""What an entry says for programs: identities, amounts, states; never anybody's words."""

GENESIS = "0" * 64
"""Stands where the hash of a row before the first one would."""

MOST_WORDS = 2_000
"""Characters that the words of an entry may have."""

_MOST_CELL = 200


class EntryKind(StrEnum):
    """What an entry tells of."""

    OBSERVATION = "observation"
    THOUGHT = "thought"
    DECISION = "decision"
    ACTION = "action"
    HUMAN = "human"  # the word of a human
    SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class Entry:
    """One row, as it is kept.

    Attributes:
        seq: 1, 2, 3, without gaps.
        subject: What it is about: `incident/i7`, `case/c3`, `switch`.
        by: Who or what did it.
        words: The same for people, in one sentence or a few.
        body: Canonical JSON.
        previous: Hash of the row before.
    """

    seq: int
    at_us: int
    kind: str
    subject: str
    by: str
    words: str
    body: str
    previous: str
    hash: str


def make_entry(
    kind: EntryKind,
    subject: str,
    body: Body,
    *,
    by: str,
    at: datetime,
    words: str,
    seq: int,
    previous: str,
) -> Entry:
    """The row that follows the one of that hash.

    Raises:
        BadInputError: A cell of the body is a text rather than a name, or no JSON; names are empty.
    """
    faults = [f"{name}: expected a name, got nothing" for name in _find_empty(subject, by)]
    faults += [fault for name, cell in body.items() if (fault := _find_fault(name, cell))]
    if len(words) > MOST_WORDS:
        faults.append(f"words: {len(words)} characters, expected {MOST_WORDS} at most")
    if faults:
        raise BadInputError(f"entry of the log: {'; '.join(faults)}")
    try:
        written = write_canonically(body)
    except (TypeError, ValueError) as fault:
        raise BadInputError(f"entry of the log: body is no JSON: {fault}") from fault
    at_us = to_us(at)
    content = (seq, at_us, kind.value, subject, by, words, written, previous)
    return Entry(*content, hash_content(*content))


def hash_content(
    seq: int,
    at_us: int,
    kind: str,
    subject: str,
    by: str,
    words: str,
    body: str,
    previous: str,
) -> str:
    """SHA-256 of all that a row says, in canonical JSON."""
    content = [seq, at_us, kind, subject, by, words, body, previous]
    return hashlib.sha256(write_canonically(content).encode()).hexdigest()


def hash_entry(entry: Entry) -> str:
    """The hash that a row should bear."""
    return hash_content(
        entry.seq,
        entry.at_us,
        entry.kind,
        entry.subject,
        entry.by,
        entry.words,
        entry.body,
        entry.previous,
    )


def write_canonically(value: object) -> str:
    """JSON in which equal things are written alike.

    >>> write_canonically({"b": 1, "a": "ё"})
    '{"a":"ё","b":1}'
    """
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )


def _find_empty(subject: str, by: str) -> list[str]:
    return [name for name, value in (("subject", subject), ("by", by)) if not value.strip()]


def _find_fault(name: str, cell: Cell | Sequence[str]) -> str | None:
    cells = [cell] if isinstance(cell, str) else cell if isinstance(cell, Sequence) else []
    if any(len(one) > _MOST_CELL for one in cells):
        return f"{name}: more than {_MOST_CELL} characters is a text; texts go masked to `quote`"
    return None
