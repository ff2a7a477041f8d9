"""Frames: what all messages of one wording have in common, with holes for what they differ in.

A lot of decisions keeps each frame once and of each message its values. An e-mail is a letter of a
thousand characters twice over, of which a name and an item are the customer's own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict

from serving.copy.content import Content

Parts = tuple[str | int, ...]
"""A text in pieces: literal ones, and positions of values."""


class Frame(BaseModel):
    """A message with holes; fields as in `Content`.

    It says everything but the values itself: what was kept in it reads the same for ever, whatever
    becomes of the library.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    subject: Parts | None = None
    body: Parts
    plain_text: Parts | None = None
    cta: str | None = None
    cta_url: str | None = None
    language: str
    source: Literal["template", "claude"] = "template"


@dataclass(frozen=True, slots=True, eq=False)
class Filled:
    """A frame and what stands in its holes.

    Attributes:
        frame: Shared by many messages.
        values: By position.
        n_segments: Parts that an SMS is sent and paid in; 1 elsewhere.
    """

    frame: Frame
    values: tuple[str, ...]
    n_segments: int = 1

    def to_content(self) -> Content:
        """The message as it is sent."""
        frame, values = self.frame, self.values
        return Content(
            subject=None if frame.subject is None else join_parts(frame.subject, values),
            body=join_parts(frame.body, values),
            plain_text=None if frame.plain_text is None else join_parts(frame.plain_text, values),
            cta=frame.cta,
            cta_url=frame.cta_url,
            language=frame.language,
            source=frame.source,
            n_segments=self.n_segments,
        )


def join_parts(parts: Parts, values: Sequence[str]) -> str:
    """The text with its values.

    >>> join_parts(("Still there: ", 0, "?"), ["{1}"])
    'Still there: {1}?'
    """
    return "".join([part if isinstance(part, str) else values[part] for part in parts])
