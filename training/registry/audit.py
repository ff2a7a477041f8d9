"""Who let which version be served, when and why: the trail that the registry keeps."""

import json
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from enum import StrEnum

MOST_CHARACTERS = 4000
"""Of the reasons of an event: what a tracking store takes in a tag, with room to spare."""


class EventKind(StrEnum):
    """What happened to a version."""

    PROMOTE = "promote"
    HOLD = "hold"
    ROLLBACK = "rollback"


@dataclass(frozen=True)
class Audit:
    """Who asks for something, and when.

    Attributes:
        by: Name of a person or a job.
        at: Aware moment.
        reason: Why, in words; may be empty.
    """

    by: str
    at: datetime
    reason: str = ""


@dataclass(frozen=True)
class Event:
    """One entry of the trail.

    Attributes:
        kind: What happened.
        version: To which version: the one promoted, held, or brought back.
        before: Champion before it; None where there was none.
        reasons: Why: of the gate, or of who asked.
        by: Who asked; None where nobody said.
        at: When, aware; None where nobody said.
        known_until: Until when the data was known on which the gate judged; None without a gate.
    """

    kind: EventKind
    version: str
    before: str | None
    reasons: tuple[str, ...] = ()
    by: str | None = None
    at: datetime | None = None
    known_until: datetime | None = None

    def asked(self, audit: Audit | None) -> "Event":
        """The event with who asked for it, and why."""
        if audit is None:
            return self
        reasons = (*self.reasons, audit.reason) if audit.reason else self.reasons
        return replace(self, by=audit.by, at=audit.at, reasons=reasons)

    def to_json(self) -> str:
        """One line; reasons that are too long for a tag are cut."""
        moments = {"at": _write(self.at), "known_until": _write(self.known_until)}
        fields = asdict(self) | moments
        room = MOST_CHARACTERS // max(len(self.reasons), 1)
        fields["reasons"] = [reason[:room] for reason in self.reasons]
        return json.dumps(fields, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> "Event":
        """What `to_json` wrote."""
        fields = json.loads(text)
        return cls(
            kind=EventKind(fields["kind"]),
            version=fields["version"],
            before=fields["before"],
            reasons=tuple(fields["reasons"]),
            by=fields["by"],
            at=_read(fields["at"]),
            known_until=_read(fields["known_until"]),
        )


def _write(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _read(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
