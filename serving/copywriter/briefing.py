"""Briefs from data: what a company has declared, and nothing that is about a person."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from features.errors import BadInputError
from features.evidence import FACTS, FactKind
from features.vocabulary import Channel, Trigger
from serving.copy.brief import Brand, Brief, Offer, SlotSpec
from serving.copy.library import Library
from serving.copy.sizes import LIMITS, MAX_CTA_CHARACTERS
from serving.copy.slots import Place
from serving.copywriter.rules import DraftingRules


@dataclass(frozen=True)
class CellChoice:
    """Which cells are wanted; an empty list means all there are.

    Attributes:
        triggers: Reasons to write.
        channels: Channels.
        languages: Codes of languages that the library speaks.
        segments: Names of declared segments; everybody where it is empty.
    """

    triggers: Sequence[Trigger] = ()
    channels: Sequence[Channel] = ()
    languages: Sequence[str] = ()
    segments: Sequence[str] = ()


def list_briefs(
    choice: CellChoice,
    *,
    rules: DraftingRules,
    brand: Brand,
    offers: Sequence[Offer],
    library: Library,
    today: date,
) -> tuple[Brief, ...]:
    """A brief for every cell that is wanted.

    Args:
        choice: Which.
        rules: Tones, segments and numbers.
        brand: Whose voice.
        offers: What may be promised; those that have ended are left out.
        library: Languages, rooms and examples.
        today: For the offers' ends.

    Raises:
        BadInputError: A language that the library does not speak, a segment that nobody declared,
            or rules that name an offer nobody approved.
    """
    _require_known("language", choice.languages, library.languages)
    _require_known("segment", choice.segments, rules.segments)
    _require_known("offer of the drafting rules", list(rules.offers.values()), _by_id(offers))
    open_offers = {
        name: offer for name, offer in _by_id(offers).items() if not offer.has_ended(today)
    }
    return tuple(
        Brief(
            trigger=trigger,
            channel=channel,
            language=language,
            segment=segment,
            tone=rules.tones[trigger],
            n_variants=rules.n_variants,
            brand=brand,
            slots=list_slots(trigger, channel, language=language, library=library),
            offers=_find_offers(trigger, language, rules=rules, offers=open_offers),
            max_segments=rules.max_segments,
            notes="" if segment is None else rules.segments[segment],
        )
        for trigger in choice.triggers or tuple(Trigger)
        for channel in choice.channels or tuple(Channel)
        for language in choice.languages or sorted(library.languages)
        for segment in choice.segments or (None,)
    )


def list_slots(
    trigger: Trigger, channel: Channel, *, language: str, library: Library
) -> tuple[SlotSpec, ...]:
    """The facts that a text of that cell may name, as the shipped texts know them."""
    return tuple(_list_slots(trigger, channel, language=language, library=library))


def _list_slots(
    trigger: Trigger, channel: Channel, *, language: str, library: Library
) -> Iterator[SlotSpec]:
    example = library.variants(trigger, channel)[0].cells[language].example
    for fact in FACTS[trigger]:
        is_text = fact.kind is FactKind.TEXT
        if fact.name not in example or (is_text and fact.name not in library.rooms):
            continue
        room = library.rooms[fact.name].at(Place(channel.value)) if is_text else None
        yield SlotSpec(name=fact.name, kind=fact.kind, example=example[fact.name], room=room)


def digest_brief(brief: Brief) -> str:
    """Of everything that the writer is told."""
    return _digest(brief.model_dump(mode="json"))[:16]


def make_cell_key(brief: Brief, *, prompt_name: str, model: str | None) -> str:
    """Of everything that drafts hang on: a cell that was drafted under it is not paid again.

    Nothing about a person is in it, since nothing about a person is in a brief.
    """
    offer = brief.offers[0] if brief.offers else None
    return _digest(
        {
            "prompt": prompt_name,
            "model": model,
            "brand": [brief.brand.name, brief.brand.version],
            "trigger": brief.trigger.value,
            "segment": [brief.segment, brief.notes],
            "channel": brief.channel.value,
            "language": brief.language,
            "tone": brief.tone.value,
            "offer": None if offer is None else [offer.offer_id, offer.version],
            "slots": [slot.model_dump(mode="json") for slot in brief.slots],
            "limits": [_limits_version(), brief.max_segments],
            "n_variants": brief.n_variants,
        }
    )


def _limits_version() -> str:
    """Of all channels' limits."""
    return _digest([MAX_CTA_CHARACTERS, *(f"{c}: {limits}" for c, limits in LIMITS.items())])


def _digest(content: object) -> str:
    text = json.dumps(content, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _by_id(offers: Sequence[Offer]) -> dict[str, Offer]:
    return {offer.offer_id: offer for offer in offers}


def _find_offers(
    trigger: Trigger, language: str, *, rules: DraftingRules, offers: Mapping[str, Offer]
) -> tuple[Offer, ...]:
    """The offer of a trigger, where it still holds and has words in that language."""
    offer = offers.get(rules.offers.get(trigger, ""))
    return (offer,) if offer is not None and language in offer.words else ()


def _require_known(what: str, names: Sequence[str], known: Mapping[str, object]) -> None:
    if unknown := [name for name in dict.fromkeys(names) if name not in known]:
        listed = ", ".join(sorted(known)) or "none is declared"
        raise BadInputError(f"{what} {', '.join(map(repr, unknown))}: unknown; known: {listed}")
