"""Openings: messages that were composed with marks in place of values, ready to be filled.

What `compose` makes of marks is the frame of whatever it would make of values: it puts each value
in as it is, or escaped for HTML in the body of an e-mail.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from html import escape
from typing import Final, Self

from features.vocabulary import Channel
from serving.copy.compose import Size
from serving.copy.content import Content
from serving.copy.frames import Filled, Frame, Parts, join_parts
from serving.copy.sizes import normalise_sms, sms_size
from serving.copy.variants import Cell

Value = str | None
"""A written value; None where there is none to show."""

_Spelling = Callable[[str], str]
_Hole = tuple[int, _Spelling | None]

_escape_html: Final[_Spelling] = partial(escape, quote=False)
_NO_CHARACTERS: Final = tuple(map(chr, range(0xFDD0, 0xFDF0)))
"""Code points that are no characters, for a program's own use; cleaning drops them from values."""


def mark_values(cell: Cell, *, known: Sequence[bool]) -> list[Value]:
    """A mark for each value that is known: one that stands in no word of the cell itself."""
    free = [mark for mark in _NO_CHARACTERS if not any(mark in text for text in _list_own(cell))]
    if len(free) < len(known):
        raise AssertionError(f"{len(known)} values, and no more than {len(free)} marks for them")
    return [mark if there else None for mark, there in zip(free, known, strict=False)]


@dataclass(frozen=True)
class Opening:
    """One way a message may open: its frame, and where the values in its holes come from.

    Attributes:
        channel: Where it is read.
        frame: As it is kept; of an SMS, which is normalised as a whole, the text is one value.
        body: The text as it was composed, in pieces.
        holes: Of each position: the value that stands there, and how it is spelled.
        title_holes: Positions in the title.
        body_holes: Positions in the body.
        own: What its own words take.
    """

    channel: Channel
    frame: Frame
    body: Parts
    holes: tuple[_Hole, ...]
    title_holes: tuple[int, ...]
    body_holes: tuple[int, ...]
    own: Size

    @classmethod
    def of(cls, content: Content, *, channel: Channel, marks: Sequence[Value]) -> Self:
        """The opening that was composed with marks in place of values."""
        splitter = _Splitter(marks)
        is_html = channel is Channel.EMAIL
        body = splitter.split(content.body, spell=_escape_html if is_html else None)
        title = splitter.split(content.subject or "")
        letter = content.plain_text
        frame = Frame(
            subject=None if content.subject is None else title,
            body=(0,) if channel is Channel.SMS else body,
            plain_text=None if letter is None else splitter.split(letter),
            cta=content.cta,
            cta_url=content.cta_url,
            language=content.language,
            source=content.source,
        )
        return cls(
            channel,
            frame,
            body,
            tuple(splitter.holes),
            title_holes=_list_holes(title),
            body_holes=_list_holes(body),
            own=Size(_count_literal(title), _count_literal(body)),
        )

    def fill(self, values: Sequence[Value]) -> Filled:
        """The message with these values."""
        picked = [
            (values[at] or "") if spell is None else spell(values[at] or "")
            for at, spell in self.holes
        ]
        if self.channel is not Channel.SMS:
            return Filled(self.frame, tuple(picked))
        text = normalise_sms(join_parts(self.body, picked))
        return Filled(self.frame, (text,), sms_size(text).n_segments)

    def measure(self, filled: Filled) -> Size:
        """What the message takes."""
        values = filled.values
        if self.channel is Channel.SMS:
            return Size(0, len(values[0]), filled.n_segments)
        return Size(
            self.own.title + sum([len(values[at]) for at in self.title_holes]),
            self.own.body + sum([len(values[at]) for at in self.body_holes]),
        )


class _Splitter:
    """Takes texts with marks to pieces, and gathers what stands in their holes."""

    def __init__(self, marks: Sequence[Value]) -> None:
        self._at = {mark: at for at, mark in enumerate(marks) if mark is not None}
        self.holes: dict[_Hole, int] = {}

    def split(self, text: str, *, spell: _Spelling | None = None) -> Parts:
        """The pieces of a text; its values are spelled so."""
        pieces = re.split(f"([{''.join(self._at)}])", text) if self._at else [text]
        parts: list[str | int] = []
        for at, piece in enumerate(pieces):
            if at % 2:
                parts.append(self.holes.setdefault((self._at[piece], spell), len(self.holes)))
            elif piece:
                parts.append(piece)
        return tuple(parts)


def _list_own(cell: Cell) -> Iterator[str]:
    """The words of a cell between its slots."""
    for line in (cell.title, *cell.body, cell.preheader):
        if line is not None:
            yield from (*line.facts.parts[::2], *line.plain.parts[::2])


def _count_literal(parts: Parts) -> int:
    return sum(len(part) for part in parts if isinstance(part, str))


def _list_holes(parts: Parts) -> tuple[int, ...]:
    return tuple(part for part in parts if isinstance(part, int))
