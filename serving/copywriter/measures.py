"""What can be measured of a draft without asking anybody: for the reviewer, and beside the judge.

Nothing here refuses a draft; the checks of `serving.copy.guard` do.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from features.vocabulary import Channel
from serving.copy.draft import Draft
from serving.copy.sizes import sms_size
from serving.copy.slots import BRAND
from serving.copy.template import GREETING, compile_template
from serving.copy.wordings import Piece
from serving.copywriter.reading_ease import (
    Reading,
    count_sentences,
    find_first_end,
    list_words,
    measure_reading,
)

OPENING_CHARACTERS = 49
"""What a locked phone shows of a push message at least (Android), and most lists of messages."""

NEAR_COPY = 0.35
"""Siblings that are nearer to each other than this say the same in nearly the same words."""

_GRAM = 4
_ITEM = "item"


@dataclass(frozen=True)
class DraftMeasures:
    """A draft in figures, with the facts that it was tried with.

    Attributes:
        n_characters: Of title and body together.
        n_units: Of the body as its channel counts: 7- or 16-bit units of an SMS, else characters.
        n_segments: Parts of an SMS; null on other channels.
        n_words: Of title and body.
        n_sentences: Of the body.
        reading: How easy the body is to read; null without words.
        n_questions: Question marks.
        n_exclamations: Exclamation marks.
        slots: Facts that title and body name, by name.
        opening: The first 49 characters of the body.
        slots_in_opening: Facts whose value stands whole in the title or in the opening.
        carries_message_early: Whether title or opening name a fact, or the opening holds a whole
            sentence.
        item_at: Character of the body at which the item's name starts; null where it is not named
            there. The title is not looked at.
        nearest_sibling: Distance to the most similar sibling, from 0 (the same words) to 1 (nothing
            in common); null without siblings.
    """

    n_characters: int
    n_units: int
    n_segments: int | None
    n_words: int
    n_sentences: int
    reading: Reading | None
    n_questions: int
    n_exclamations: int
    slots: tuple[str, ...]
    opening: str
    slots_in_opening: tuple[str, ...]
    carries_message_early: bool
    item_at: int | None
    nearest_sibling: float | None

    @property
    def is_near_copy(self) -> bool:
        """Whether a sibling says the same in nearly the same words."""
        return self.nearest_sibling is not None and self.nearest_sibling < NEAR_COPY


def measure_draft(
    draft: Draft, *, values: Mapping[str, str], siblings: Sequence[Draft] = ()
) -> DraftMeasures:
    """A draft in figures.

    Args:
        draft: As written.
        values: Facts as they stand in a text, by slot, the brand among them; a piece that names
            another one is measured in its version without facts.
        siblings: Other drafts of its cell.
    """
    title = _Filled.of([draft.title] if draft.title else [], values=values)
    body = _Filled.of(draft.body, values=values)
    whole = f"{title.text} {body.text}"
    is_sms = draft.channel is Channel.SMS
    size = sms_size(body.text)
    named = {**title.places, **body.places}
    early = {
        slot
        for slot, (start, length) in body.places.items()
        if start + length <= OPENING_CHARACTERS
    } | title.places.keys()
    item = body.places.get(_ITEM)
    return DraftMeasures(
        n_characters=len(title.text) + len(body.text),
        n_units=size.n_units if is_sms else len(body.text),
        n_segments=size.n_segments if is_sms else None,
        n_words=len(list_words(whole)),
        n_sentences=count_sentences(body.text),
        reading=measure_reading(body.text, language=draft.language),
        n_questions=whole.count("?"),
        n_exclamations=whole.count("!"),
        slots=tuple(sorted(named)),
        opening=body.text[:OPENING_CHARACTERS],
        slots_in_opening=tuple(sorted(early)),
        carries_message_early=bool(early) or find_first_end(body.text) <= OPENING_CHARACTERS,
        item_at=None if item is None else item[0],
        nearest_sibling=min(
            (measure_distance(draft, sibling) for sibling in siblings), default=None
        ),
    )


def measure_distance(one: Draft, other: Draft) -> float:
    """How far two drafts' words are apart: the Jaccard distance of their runs of four characters.

    Slots are compared as slots, so the same words about another item are the same words. Runs of
    characters forgive endings, of which Russian and Kazakh have many.
    """
    mine, theirs = _list_grams(one), _list_grams(other)
    together = mine | theirs
    return 1.0 - len(mine & theirs) / len(together) if together else 0.0


def _list_grams(draft: Draft) -> set[str]:
    pieces = [*([draft.title] if draft.title else []), *draft.body]
    text = " ".join(" ".join(piece.facts.lower() for piece in pieces).split())
    return {text[at : at + _GRAM] for at in range(max(1, len(text) - _GRAM + 1))} if text else set()


@dataclass(frozen=True)
class _Filled:
    """Pieces with their facts.

    Attributes:
        text: The words.
        places: First place and length of each fact's value, by slot; the brand is none.
    """

    text: str
    places: Mapping[str, tuple[int, int]]

    @classmethod
    def of(cls, pieces: Sequence[Piece], *, values: Mapping[str, str]) -> "_Filled":
        text, places = "", dict[str, tuple[int, int]]()
        for piece in pieces:
            text += " " if text else ""
            template = compile_template(piece.facts)
            if not template.slots <= values.keys():
                template = compile_template(piece.plain)
            for at, part in enumerate(template.parts):
                if at % 2 == 0:
                    text += part
                    continue
                value = values.get(part, "")
                if part not in {BRAND, GREETING}:
                    places.setdefault(part, (len(text), len(value)))
                text += value
        return cls(text, places)
