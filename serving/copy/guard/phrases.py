"""Finding phrases of a list in a sentence, by words and by their stems.

A phrase is words with spaces between them: `word`, `stem*` (any word that begins so), `a|b*`
(either), `..` (up to three words of any kind). Found by a look-up of each word, not by trying
every phrase.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")
_ANY = ".."
_MAX_BETWEEN = 3


@dataclass(frozen=True)
class Found(Generic[T]):
    """A phrase in a sentence.

    Attributes:
        start: Number of its first word.
        stop: Number of the word after its last.
        what: What the phrase stands for.
    """

    start: int
    stop: int
    what: T


@dataclass(frozen=True)
class _Choice:
    """What one word of a phrase may be."""

    exact: frozenset[str]
    stems: tuple[str, ...]

    def fits(self, word: str) -> bool:
        return word in self.exact or (bool(self.stems) and word.startswith(self.stems))


@dataclass(frozen=True)
class _Rest(Generic[T]):
    """What follows the first word; null stands for words of any kind."""

    choices: tuple[_Choice | None, ...]
    what: T


class PhraseBook(Generic[T]):
    """Phrases and what they stand for.

    >>> book = PhraseBook([("last chance*", "pressure"), ("due to .. weather", "cause")])
    >>> [found.what for found in book.find("due to the bad weather a last chance".split())]
    ['cause', 'pressure']
    """

    def __init__(self, phrases: Iterable[tuple[str, T]]) -> None:
        self._exact: dict[str, list[_Rest[T]]] = {}
        self._stems: dict[str, list[_Rest[T]]] = {}
        for phrase, what in phrases:
            first, *others = phrase.split()
            rest = _Rest(tuple(None if o == _ANY else _read(o) for o in others), what)
            choice = _read(first)
            for word in choice.exact:
                self._exact.setdefault(word, []).append(rest)
            for stem in choice.stems:
                self._stems.setdefault(stem, []).append(rest)
        self._sizes = sorted({len(stem) for stem in self._stems})

    def find(self, words: Sequence[str]) -> Iterator[Found[T]]:
        """Every phrase in a sentence, by its first word."""
        for start, word in enumerate(words):
            for rest in self._begin(word):
                stop = _follow(words, start + 1, rest.choices)
                if stop is not None:
                    yield Found(start, stop, rest.what)

    def _begin(self, word: str) -> Iterator[_Rest[T]]:
        yield from self._exact.get(word, ())
        for size in self._sizes:
            if size > len(word):
                return
            yield from self._stems.get(word[:size], ())


def _read(piece: str) -> _Choice:
    words = piece.split("|")
    return _Choice(
        exact=frozenset(word for word in words if not word.endswith("*")),
        stems=tuple(word[:-1] for word in words if word.endswith("*")),
    )


def _follow(words: Sequence[str], at: int, choices: tuple[_Choice | None, ...]) -> int | None:
    """Where the rest of a phrase ends; null where it does not go on so."""
    if not choices:
        return at
    choice, *others = choices
    if choice is None:
        stops = (_follow(words, at + n, tuple(others)) for n in range(_MAX_BETWEEN + 1))
        return next((stop for stop in stops if stop is not None), None)
    if at < len(words) and choice.fits(words[at]):
        return _follow(words, at + 1, tuple(others))
    return None
