"""A draft: one variant in one language on one channel, with typed slots, before it is approved."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from features.vocabulary import Channel, Trigger
from serving.copy.wordings import Piece


class Draft(BaseModel):
    """Words with slots.

    Attributes:
        trigger: What it is about.
        channel: Where it is read.
        language: Code of the language.
        segment: Whom it is for; null for everybody.
        title: Subject of e-mails, title of push and in-app messages; null elsewhere.
        preheader: What a mailbox shows beside the subject; e-mail only, may be null.
        body: Paragraphs; one on all channels but e-mail.
        cta: Label of the button; empty where the channel has none (SMS).
        angle: In a few words, what sets it apart from its siblings; customers don't see it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    trigger: Trigger
    channel: Channel
    language: str
    segment: str | None = None
    title: Piece | None = None
    preheader: Piece | None = None
    body: Annotated[tuple[Piece, ...], Field(min_length=1)]
    cta: str = ""
    angle: str = ""
