"""The log for people: what happened to a subject, in order."""

from collections.abc import Iterable, Iterator
from zoneinfo import ZoneInfo

from serving.audit.entries import Entry, EntryKind
from serving.policy.cases import from_us

_VERBS = {
    EntryKind.OBSERVATION: "saw",
    EntryKind.THOUGHT: "thinks",
    EntryKind.DECISION: "decided",
    EntryKind.ACTION: "did",
    EntryKind.HUMAN: "a human",
    EntryKind.SYSTEM: "system",
}
_WIDTH = max(len(verb) for verb in _VERBS.values())


def tell_entries(entries: Iterable[Entry], *, zone: ZoneInfo) -> Iterator[str]:
    """A line for each entry, on the clock of the place; a day stands above its first one."""
    day = ""
    for entry in entries:
        at = from_us(entry.at_us).astimezone(zone)
        if f"{at:%Y-%m-%d}" != day:
            day = f"{at:%Y-%m-%d}"
            yield f"{day} ({zone.key})"
        yield f"  {at:%H:%M:%S}  {_say_kind(entry.kind):<{_WIDTH}}  {entry.words}  [{entry.by}]"


def _say_kind(kind: str) -> str:
    """The verb of a kind; of one that nobody knows the kind itself."""
    return _VERBS[EntryKind(kind)] if kind in {k.value for k in EntryKind} else kind
