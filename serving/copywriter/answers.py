"""The shapes that a writer answers in, one for each kind of channel, and drafts made of them."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from features.vocabulary import Channel
from serving.copy.brief import Brief
from serving.copy.draft import Draft
from serving.copy.wordings import Piece


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TwinText(_Answer):
    """One text twice."""

    facts: Annotated[str, Field(description="Names the facts, each in its slot.")]
    plain: Annotated[str, Field(description="For when the facts are not known; no slot but brand.")]

    def to_piece(self) -> Piece:
        """As a piece of a draft."""
        return Piece(facts=self.facts, plain=self.plain)


_Angle = Annotated[str, Field(description="One of the angles that the task lists.")]


class ShortVariant(_Answer):
    """A text without a title: SMS and WhatsApp."""

    angle: _Angle
    body: TwinText

    def to_draft(self, brief: Brief) -> Draft:
        """As a draft of a cell."""
        return _draft(brief, self.angle, (self.body,))


class CardVariant(_Answer):
    """A title, a text and a button: push and in-app."""

    angle: _Angle
    title: Annotated[str, Field(description="Without slots.")]
    body: TwinText
    cta: Annotated[str, Field(description="Label of the button.")]

    def to_draft(self, brief: Brief) -> Draft:
        """As a draft of a cell."""
        title = Piece(facts=self.title, plain=self.title)
        return _draft(brief, self.angle, (self.body,), title=title, cta=self.cta)


class EmailVariant(_Answer):
    """A subject, what a mailbox shows beside it, paragraphs and a button."""

    angle: _Angle
    subject: TwinText
    preheader: TwinText
    paragraphs: list[TwinText]
    cta: Annotated[str, Field(description="Label of the button.")]

    def to_draft(self, brief: Brief) -> Draft:
        """As a draft of a cell."""
        return _draft(
            brief,
            self.angle,
            tuple(self.paragraphs),
            title=self.subject.to_piece(),
            preheader=self.preheader.to_piece(),
            cta=self.cta,
        )


class ShortAnswer(_Answer):
    """Variants of an SMS or a WhatsApp text."""

    variants: list[ShortVariant]


class CardAnswer(_Answer):
    """Variants of a push or in-app message."""

    variants: list[CardVariant]


class EmailAnswer(_Answer):
    """Variants of an e-mail."""

    variants: list[EmailVariant]


VariantsAnswer = ShortAnswer | CardAnswer | EmailAnswer


def shape_for(channel: Channel) -> type[VariantsAnswer]:
    """In which shape the variants of a channel are answered."""
    match channel:
        case Channel.SMS | Channel.WHATSAPP:
            return ShortAnswer
        case Channel.PUSH | Channel.IN_APP:
            return CardAnswer
        case Channel.EMAIL:
            return EmailAnswer


def read_drafts(answer: VariantsAnswer, brief: Brief) -> list[Draft]:
    """The drafts of an answer; those without a single paragraph are none."""
    return [
        one.to_draft(brief)
        for one in answer.variants
        if not isinstance(one, EmailVariant) or one.paragraphs
    ]


def _draft(
    brief: Brief,
    angle: str,
    body: tuple[TwinText, ...],
    *,
    title: Piece | None = None,
    preheader: Piece | None = None,
    cta: str = "",
) -> Draft:
    return Draft(
        trigger=brief.trigger,
        channel=brief.channel,
        language=brief.language,
        segment=brief.segment,
        title=title,
        preheader=preheader,
        body=tuple(text.to_piece() for text in body),
        cta=cta,
        angle=angle,
    )
