"""A brief: everything a writer of variants is told, and all that their texts may claim.

It describes a kind of message, never a person: no id, address, e-mail, phone or name is in it.
"""

from datetime import date
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from features.evidence import FactKind, Scalar
from features.vocabulary import Channel, Trigger

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,39}$")]


def _is_without_slots(words: str) -> str:
    if "{" in words or "}" in words:
        raise ValueError(f"{words!r}: expected words without braces")
    return words


def _write_day(told: object) -> object:
    # YAML reads an unquoted 2026-12-31 as a day.
    return told.isoformat() if type(told) is date else told


def _is_day(text: str) -> str:
    if date.fromisoformat(text).isoformat() != text:
        raise ValueError(f"{text!r}: expected a day such as 2026-12-31")
    return text


OfferWords = Annotated[str, Field(min_length=1, max_length=120), AfterValidator(_is_without_slots)]
Day = Annotated[str, BeforeValidator(_write_day), AfterValidator(_is_day)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Tone(StrEnum):
    """How a text speaks."""

    CLEAR = "clear"
    WARM = "warm"
    APOLOGETIC = "apologetic"
    FRIENDLY = "friendly"


class OfferKind(StrEnum):
    """What an offer gives; it decides which promises its words may make."""

    PERCENT_OFF = "percent_off"
    AMOUNT_OFF = "amount_off"
    FREE = "free"  # trial, delivery, training, item
    EXTENSION = "extension"  # longer terms or a longer plan
    OTHER = "other"


class Offer(_Frozen):
    """What may be promised, approved by somebody.

    Attributes:
        offer_id: Stable name.
        version: Grows when its words or values change; drafts made with another one are void.
        kind: What it gives.
        words: How it is said, by language: the only promise a text may make of it. It stands in a
            text as the slot `{offer}` and nowhere else.
        approved_by: Who approved it.
        valid_until: Last day (ISO date, UTC) on which it may be sent; null for no end.
    """

    offer_id: Name
    version: Annotated[int, Field(ge=1)] = 1
    kind: OfferKind
    words: dict[str, OfferWords]
    approved_by: Annotated[str, Field(min_length=1)]
    valid_until: Day | None = None

    def has_ended(self, today: date) -> bool:
        """Whether its last day is over on that day (UTC)."""
        return self.valid_until is not None and today.isoformat() > self.valid_until


class Brand(_Frozen):
    """Whose voice it is.

    Attributes:
        name: As customers know it.
        voice: How the brand speaks, in a few sentences.
        version: Grows when the voice changes.
        forbidden: Words and phrases that never appear, in any language, whatever their case.
        allowed_hosts: Where links may lead.
        emoji: Whether a text may hold one.
        examples: Texts that sound right.
    """

    name: str
    voice: str = ""
    version: Annotated[int, Field(ge=1)] = 1
    forbidden: tuple[str, ...] = ()
    allowed_hosts: tuple[str, ...] = ()
    emoji: bool = False
    examples: tuple[str, ...] = ()


class SlotSpec(_Frozen):
    """A fact that a text may name.

    Attributes:
        name: As it stands in braces.
        kind: What it holds.
        example: A value to try texts with.
        room: Most characters of its value on this channel; null where the kind bounds it.
    """

    name: Name
    kind: FactKind
    example: Scalar
    room: int | None = None


class Brief(_Frozen):
    """What one cell of the library needs: trigger x channel x language x segment.

    Attributes:
        trigger: Why customers are written to.
        channel: Where they read it.
        language: Code of the language.
        segment: Whom it is for; null for everybody.
        tone: How it speaks.
        n_variants: How many different ones are wanted.
        brand: Whose voice.
        slots: Facts that may be named.
        offers: What may be promised; none for most.
        max_segments: SMS parts with the longest facts.
        notes: What else the owner wants the writer to know; holds no facts to be claimed.
    """

    trigger: Trigger
    channel: Channel
    language: str
    segment: str | None = None
    tone: Tone = Tone.CLEAR
    n_variants: Annotated[int, Field(ge=1, le=10)] = 3
    brand: Brand
    slots: tuple[SlotSpec, ...] = ()
    offers: tuple[Offer, ...] = ()
    max_segments: Annotated[int, Field(ge=1, le=10)] = 2
    notes: str = ""
