"""The words of one message, ready to send, or why there are none."""

from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Content(BaseModel):
    """The words of one message on one channel, within the channel's limits.

    Attributes:
        subject: Subject of an e-mail, title of a push or in-app message; null elsewhere.
        body: The text: HTML in e-mail, Markdown in in-app messages, plain text elsewhere.
        plain_text: The text part of an e-mail; null elsewhere.
        cta: Label of the button; null in SMS, which carries no link.
        cta_url: Where the button leads; null together with `cta`.
        language: Language of the words, which may be a fallback of the one asked for.
        source: Who wrote them.
        n_segments: Parts that an SMS is sent and paid in; 1 elsewhere.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    subject: str | None = None
    body: str = Field(min_length=1)
    plain_text: str | None = None
    cta: str | None = None
    cta_url: str | None = None
    language: str
    source: Literal["template", "claude"] = "template"
    n_segments: int = Field(default=1, ge=1)


@dataclass(frozen=True)
class Unrenderable:
    """No message can be made of these facts on this channel.

    Attributes:
        reason: Which part failed, its size or value, and what was allowed.
    """

    reason: str
