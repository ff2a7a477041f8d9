"""Which words are a text's own: what a reviewer looks for between texts that say the same."""

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from html import unescape

from markupsafe import Markup, escape

_PIECES = re.compile(r"\w+|\W+")
_TAGS = re.compile(r"(<[^>]*>)")


@dataclass(frozen=True)
class Run:
    """A stretch of text; `is_own` where no sibling has its word."""

    text: str
    is_own: bool


def find_own_words(text: str, *, siblings: Iterable[str]) -> frozenset[str]:
    """Words, in lower case, that stand in this text and in none of its siblings.

    >>> sorted(find_own_words("The price fell", siblings=["The price is lower"]))
    ['fell']
    """
    return _words(text).difference(*map(_words, siblings))


def find_runs(text: str, *, own: Collection[str]) -> tuple[Run, ...]:
    """The text in runs; neighbours of one kind are one run.

    >>> [run.text for run in find_runs("Now it is cheaper.", own={"is", "cheaper"})]
    ['Now it ', 'is', ' ', 'cheaper', '.']
    """
    runs: list[Run] = []
    for piece in _PIECES.findall(text):
        is_own = piece.lower() in own
        if runs and runs[-1].is_own == is_own:
            runs[-1] = Run(runs[-1].text + piece, is_own)
        else:
            runs.append(Run(piece, is_own))
    return tuple(runs)


def cut_runs(runs: Iterable[Run], *, lengths: Sequence[int]) -> tuple[tuple[Run, ...], ...]:
    """The runs in stretches of these lengths, and what is left; one more than there are lengths.

    >>> cut_runs([Run("abcd", True)], lengths=[1, 2])
    ((Run(text='a', is_own=True),), (Run(text='bc', is_own=True),), (Run(text='d', is_own=True),))
    """
    stretches: list[list[Run]] = [[]]
    left = list(lengths)
    for run in runs:
        text = run.text
        while left and len(text) >= left[0]:
            length = left.pop(0)
            stretches[-1].append(Run(text[:length], run.is_own))
            stretches.append([])
            text = text[length:]
        if left:
            left[0] -= len(text)
        stretches[-1].append(Run(text, run.is_own))
    stretches += [[] for _ in left]
    return tuple(tuple(run for run in stretch if run.text) for stretch in stretches)


def mark_html(html: str, *, own: Collection[str]) -> Markup:
    """HTML with its own words in `<mark>`; the rest as it was.

    Args:
        html: Of a letter of ours or of cleaned Markdown: every `<` and `>` is a tag's, in
            attributes too, and no text stands in a head, a script or a style.
        own: Words to mark, in lower case.

    >>> mark_html('<p title="cheap">Now cheap &amp; good</p>', own={"cheap"})
    Markup('<p title="cheap">Now <mark>cheap</mark> &amp; good</p>')
    """
    if not own:
        return Markup(html)  # noqa: S704  # see the arguments
    pieces = (
        piece if position % 2 else _mark_text(unescape(piece), own=own)
        for position, piece in enumerate(_TAGS.split(html))
    )
    return Markup("".join(pieces))  # noqa: S704  # tags as they were, words escaped


def _mark_text(text: str, *, own: Collection[str]) -> str:
    return "".join(
        f"<mark>{escape(run.text)}</mark>" if run.is_own else str(escape(run.text))
        for run in find_runs(text, own=own)
    )


def _words(text: str) -> frozenset[str]:
    return frozenset(piece.lower() for piece in _PIECES.findall(text) if piece[0].isalnum())
