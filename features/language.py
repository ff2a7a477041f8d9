"""The language that a short text is written in, of a few that come into question.

Letters that only one language has decide first, then its words in the letters of another (Kazakh is
often typed on a Russian keyboard), then py3langid (Lui and Baldwin 2012; BSD) held to the languages
in question. Whoever is not sure answers None: a stored preference is better than a guess.
"""

import re
from collections.abc import Iterable, Mapping
from copy import copy
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Final, Protocol, cast

import yaml
from pydantic import BaseModel, ConfigDict

from features.errors import BadInputError

LANGUAGES: Final = ("ru", "kk", "en")

_FILE = Path(__file__).with_name("language.yaml")
_SURE_ENOUGH = 0.75
_BY_RULE = 0.99
_LEAST_SHARE = 0.15  # of the words of a text
_WORD = re.compile(r"[^\W\d_]+")
_NOISE = re.compile(r"https?://\S+|www\.\S+|\S+@\S+|[@#]\w+|\d+")


@dataclass(frozen=True)
class LanguageGuess:
    """What a text seems to be written in.

    Attributes:
        language: Two letters; None where nothing is sure enough.
        p: Confidence in the likeliest one, 0 where the text has no words.
    """

    language: str | None
    p: float


class _Marks(BaseModel):
    """What tells one language from those that share its script.

    Attributes:
        letters: Letters that none of the others has.
        words: Whole words that none of the others has, in letters that others have too.
        endings: Ends of words, of five letters or more, likewise.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    letters: str = ""
    words: frozenset[str] = frozenset()
    endings: tuple[str, ...] = ()

    def speak_in(self, word: str) -> bool:
        """Whether a word of small letters bears a mark."""
        return word in self.words or (len(word) > 4 and word.endswith(self.endings))


class _Identifier(Protocol):
    """What of py3langid is used; it ships no types."""

    def classify(self, text: str) -> tuple[str, float]: ...

    def set_languages(self, langs: Iterable[str]) -> None: ...


def identify_language(
    text: str, *, among: Iterable[str] = LANGUAGES, sure_from: float = _SURE_ENOUGH
) -> LanguageGuess:
    """The language of a text.

    Args:
        text: As it was written; addresses, links, numbers and handles say nothing and are left out.
        among: The languages in question, two letters each.
        sure_from: Least confidence; below it the language is None.

    Raises:
        BadInputError: py3langid knows no such language, where it has to be asked.

    >>> identify_language("В зале очень жарко").language, identify_language("залда ыстық").language
    ('ru', 'kk')
    >>> identify_language("су жок, кашан болады?").language, identify_language("12:30").language
    ('kk', None)
    """
    words = _WORD.findall(_NOISE.sub(" ", text).casefold())
    in_question = tuple(sorted(set(among)))
    if not words or not in_question:
        return LanguageGuess(None, 0.0)
    marked = _find_marked(words, among=in_question)
    if marked is not None:
        return LanguageGuess(marked, _BY_RULE)
    language, p = _identifier(in_question).classify(" ".join(words))
    return LanguageGuess(language if p >= sure_from else None, float(p))


def _find_marked(words: list[str], *, among: tuple[str, ...]) -> str | None:
    """The language whose marks most words bear; None where few do, or with a tie."""
    counts: dict[str, int] = {}
    for language in among:
        marks = _marks().get(language)
        if marks is not None:
            letters = set(marks.letters)
            counts[language] = sum(
                not letters.isdisjoint(word) or marks.speak_in(word) for word in words
            )
    best = max(counts, key=lambda language: counts[language], default="")
    # One foreign name does not make a text foreign.
    enough = max(1.0, _LEAST_SHARE * len(words))
    if counts.get(best, 0) < enough or list(counts.values()).count(counts[best]) > 1:
        return None
    return best


@cache
def _marks() -> Mapping[str, _Marks]:
    given = yaml.safe_load(_FILE.read_text(encoding="utf-8"))
    return {language: _Marks.model_validate(marks) for language, marks in given.items()}


@cache
def _identifier(among: tuple[str, ...]) -> _Identifier:
    held = copy(_load_model())
    try:
        held.set_languages(among)
    except ValueError as fault:
        raise BadInputError(f"languages {', '.join(among)}: {fault}") from fault
    return held


@cache
def _load_model() -> _Identifier:
    """The model for all languages: near a second, so once."""
    library = import_module("py3langid.langid")  # it ships no types
    return cast(
        _Identifier,
        library.LanguageIdentifier.from_model_file(library.MODEL_FILE, norm_probs=True),
    )
