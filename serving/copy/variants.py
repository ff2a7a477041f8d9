"""Variants: compiled texts, ready to be filled; one is an arm of the bandit."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from features.evidence import Evidence
from features.vocabulary import Channel, Trigger
from serving.copy.languages import Language
from serving.copy.slots import Place, SlotRoom, SlotRule, plan_slots
from serving.copy.template import Template, compile_template
from serving.copy.wordings import LanguageTexts, Piece, TriggerTexts


@dataclass(frozen=True)
class Line:
    """One compiled text: naming facts, and for when they are not known."""

    facts: Template
    plain: Template

    def choose(self, values: Mapping[str, str]) -> Template:
        """The version whose every slot has a value."""
        return self.facts if self.facts.slots <= values.keys() else self.plain


@dataclass(frozen=True)
class Cell:
    """One variant in one language.

    Attributes:
        language: Of the words.
        title: Title or subject; null where the channel has none.
        body: Paragraphs; one on all channels but e-mail.
        cta: Label of the button.
        title_rules: How the facts in the title are written.
        body_rules: How the facts in the body, and in the preheader, are written.
        example: Evidence to try it with.
        preheader: What a mailbox shows beside the subject; null where there is none.
    """

    language: Language
    title: Line | None
    body: tuple[Line, ...]
    cta: str
    title_rules: tuple[SlotRule, ...]
    body_rules: tuple[SlotRule, ...]
    example: Evidence
    preheader: Line | None = None


@dataclass(frozen=True)
class Variant:
    """One way to say one thing on one channel.

    What ships says it in every language and to everybody. A stored one may be in one language and
    for one segment: it may be sent to nobody else.

    Attributes:
        variant_id: `<trigger>.<channel>.<style>`.
        trigger: What it is about.
        channel: Where it is read.
        style: How it speaks, such as clear or warm.
        cta_path: Where the button leads on the sender's site.
        cells: The texts by language.
        segment: Whom it is for; null for everybody.
        source: Who wrote it, as messages say.
        is_template: It ships: the default, the control arm, and fit for everybody.
        sent_until_us: First moment, UTC microseconds, at which it must not be sent any more, since
            what it promises has ended; null for no end.
    """

    variant_id: str
    trigger: Trigger
    channel: Channel
    style: str
    cta_path: str = field(compare=False)
    cells: Mapping[str, Cell] = field(compare=False, repr=False)
    segment: str | None = None
    source: Literal["template", "claude"] = "template"
    is_template: bool = True
    sent_until_us: int | None = None

    def fits(self, *, language: str, segment: str | None) -> bool:
        """Whether it may be sent to readers of that language and segment."""
        if self.is_template:
            return True
        return language in self.cells and self.segment in (None, segment)


def compile_variants(
    trigger: Trigger,
    texts: TriggerTexts,
    *,
    languages: Mapping[str, Language],
    rooms: Mapping[str, SlotRoom],
) -> tuple[Variant, ...]:
    """Variants of one trigger by channel and style; the texts have no faults."""
    styles = sorted(next(iter(texts.languages.values())).styles)
    return tuple(
        Variant(
            variant_id=f"{trigger}.{channel}.{style}",
            trigger=trigger,
            channel=channel,
            style=style,
            cta_path=texts.cta_path,
            cells={
                code: _compile_cell(
                    one,
                    style=style,
                    trigger=trigger,
                    channel=channel,
                    rooms=rooms,
                    language=languages[code],
                )
                for code, one in texts.languages.items()
            },
        )
        for channel in Channel
        for style in styles
    )


def _compile_cell(
    texts: LanguageTexts,
    *,
    style: str,
    trigger: Trigger,
    channel: Channel,
    rooms: Mapping[str, SlotRoom],
    language: Language,
) -> Cell:
    wording = texts.styles[style]
    title_piece = wording.title_on(channel)
    title = None if title_piece is None else compile_line(title_piece)
    body = tuple(compile_line(piece) for piece in wording.body_on(channel))
    return Cell(
        language=language,
        title=title,
        body=body,
        cta=texts.cta,
        title_rules=plan_slots(
            title.facts.slots if title else (), trigger=trigger, place=Place.SUBJECT, rooms=rooms
        ),
        body_rules=plan_slots(
            frozenset[str]().union(*(line.facts.slots for line in body)),
            trigger=trigger,
            place=Place(channel.value),
            rooms=rooms,
        ),
        example=texts.example,
    )


def compile_line(piece: Piece) -> Line:
    """A text that has no faults."""
    return Line(facts=compile_template(piece.facts), plain=compile_template(piece.plain))
