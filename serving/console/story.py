"""What happened to an incident or a case, in order, as the log has it."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from zoneinfo import ZoneInfo

from serving.audit.entries import Entry
from serving.policy.cases import from_us


@dataclass(frozen=True)
class Told:
    """One entry of the log.

    Attributes:
        seq: Its number.
        at: When; None where what is kept is no moment, as after tampering.
        kind: What it tells of: observation, decision, human, ...
        subject: What it is about.
        words: What happened.
        by: Who did it.
        action_id: Of the action it is about; None where it is about none.
    """

    seq: int
    at: datetime | None
    kind: str
    subject: str
    words: str
    by: str
    action_id: str | None


@dataclass(frozen=True)
class Day:
    """What was told of a day, in its order."""

    at: datetime | None
    told: Sequence[Told]


def list_days(entries: Iterable[Entry], *, zone: ZoneInfo) -> list[Day]:
    """Entries by the day of the place, in the order in which they are given."""
    told = [tell(entry) for entry in entries]
    days = groupby(told, key=lambda one: one.at and one.at.astimezone(zone).date())
    return [Day(ones[0].at, ones) for ones in (list(group) for _, group in days)]


def tell(entry: Entry) -> Told:
    """An entry for the page; a body that is no JSON, as after tampering, names no action."""
    try:
        body = json.loads(entry.body)
    except ValueError:
        body = None
    action_id = body.get("action") if isinstance(body, dict) else None
    return Told(
        seq=entry.seq,
        at=_read_moment(entry.at_us),
        kind=entry.kind,
        subject=entry.subject,
        words=entry.words,
        by=entry.by,
        action_id=action_id if isinstance(action_id, str) else None,
    )


def _read_moment(at_us: int) -> datetime | None:
    try:
        return from_us(at_us)
    except (OverflowError, TypeError, ValueError):
        return None
