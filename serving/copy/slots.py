"""Slots: which facts a text may name, how much room each may take, and how it is written there.

The room is data (`slots.yaml`); kinds come from `features.evidence`.
"""

from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Annotated
from unicodedata import normalize
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field

from features.evidence import FACTS, Evidence, FactKind, Scalar
from features.vocabulary import Trigger
from serving.copy.cleaning import clean_value, escape_markdown, shorten
from serving.copy.languages import Language

_N_REMEMBERED = 8192  # written values: many customers share an item

BRAND = "brand"
"""The one slot that is no fact: the sender's name, from the settings."""


class Place(StrEnum):
    """Where a value stands, which decides its room and its spelling."""

    SUBJECT = "subject"
    SMS = "sms"
    PUSH = "push"
    IN_APP = "in_app"
    WHATSAPP = "whatsapp"
    EMAIL = "email"


_Room = Annotated[int, Field(ge=8)]  # less than that shows nothing of a shortened value


class SlotRoom(BaseModel):
    """Characters that a text fact may take, by place.

    Attributes:
        whole: Shown in full or not at all, never shortened.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    whole: bool = False
    subject: _Room
    sms: _Room
    push: _Room
    in_app: _Room
    whatsapp: _Room
    email: _Room

    def at(self, place: Place) -> int:
        """Room in one place."""
        room: int = getattr(self, place.value)
        return room


@dataclass(frozen=True)
class SlotRule:
    """How one slot is written in one place.

    Attributes:
        name: Of the slot and of the fact.
        kind: What the fact holds.
        place: Where it stands.
        room: Characters that a text fact may take there; null for other kinds.
        whole: Whether a text fact is shown in full or not at all.
    """

    name: str
    kind: FactKind
    place: Place
    room: int | None = None
    whole: bool = False


@dataclass(frozen=True)
class Manner:
    """What the way of writing depends on besides the place.

    Attributes:
        language: Of the words.
        currency: ISO code of all amounts.
        zone: The customer's; null for UTC.
    """

    language: Language
    currency: str
    zone: ZoneInfo | None = None


TEXT_FACTS = frozenset(
    fact.name for facts in FACTS.values() for fact in facts if fact.kind is FactKind.TEXT
)
"""Names of all text facts, of whatever trigger."""


def slots_of(trigger: Trigger, *, with_room: Set[str]) -> frozenset[str]:
    """Slots that the texts of a trigger may name: its facts, but text facts only with a room."""
    return frozenset(
        fact.name
        for fact in FACTS[trigger]
        if fact.kind is not FactKind.TEXT or fact.name in with_room
    )


def plan_slots(
    names: Iterable[str], *, trigger: Trigger, place: Place, rooms: Mapping[str, SlotRoom]
) -> tuple[SlotRule, ...]:
    """Rules for the facts among the names, in a stable order."""
    kinds = {fact.name: fact.kind for fact in FACTS[trigger]}
    return tuple(
        SlotRule(name, kinds[name], place, rooms[name].at(place), rooms[name].whole)
        if kinds[name] is FactKind.TEXT
        else SlotRule(name, kinds[name], place)
        for name in sorted(names)
        if name in kinds
    )


def write_slots(rules: Iterable[SlotRule], *, evidence: Evidence, manner: Manner) -> dict[str, str]:
    """Values by slot name; a slot whose fact is absent or can't be shown is left out.

    Raises:
        ValueError, ArithmeticError: A number or a time that no calendar or text can hold.
    """
    written = {
        rule.name: _write_fact(evidence[rule.name], rule=rule, manner=manner)
        for rule in rules
        if rule.name in evidence
    }
    return {name: text for name, text in written.items() if text is not None}


def _write_fact(fact: Scalar, *, rule: SlotRule, manner: Manner) -> str | None:
    language = manner.language
    match rule.kind:
        case FactKind.TEXT:
            return _write_text(str(fact), rule=rule)
        case FactKind.COUNT:
            return language.write_count(int(fact), name=rule.name)
        case FactKind.CENTS:
            return language.write_money(int(fact), currency=manner.currency)
        case FactKind.PERCENT:
            return language.write_percent(float(fact))
        case FactKind.DATE:
            return language.write_date(str(fact))
        case FactKind.MOMENT:
            return language.write_moment(str(fact), zone=manner.zone)


@lru_cache(_N_REMEMBERED)
def _write_text(raw: str, *, rule: SlotRule) -> str | None:
    """A text fact in its room; null when nothing is left, or less than all of a whole one."""
    text = clean_value(raw)
    room, width = rule.room or 0, _WIDTHS.get(rule.place, len)
    is_whole = width(text) <= room and text == normalize("NFC", raw.strip())
    if not text or (rule.whole and not is_whole):
        return None
    ellipsis = "..." if rule.place is Place.SMS else "…"
    text = shorten(text, cap=room, width=width, ellipsis=ellipsis)
    return escape_markdown(text) if rule.place is Place.IN_APP else text


def _count_utf16(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-16-le")) // 2


_WIDTHS: Mapping[Place, Callable[[str], int]] = {
    # The worst case: one character outside GSM-7 makes the whole SMS travel as UCS-2.
    Place.SMS: _count_utf16,
    Place.IN_APP: lambda text: len(escape_markdown(text)),
}
