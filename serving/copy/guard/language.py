"""Whether a text is in the language that was asked for: by letters first, then by words."""

import re
from collections.abc import Iterator
from functools import lru_cache

from features.language import identify_language
from serving.copy.guard.lexicon import Lexicon
from serving.copy.guard.reading import GAP, holds_two_alphabets, is_mixed, split_words

_LATIN = re.compile(r"[A-Za-z]")
_N_REMEMBERED = 8192
FEWEST_WORDS = 3
"""Fewer say too little of a language."""

_FEWEST_TO_LACK_LETTERS = 5
_FEWEST_OF_NEIGHBOUR = 6  # by marks alone, in either half
_SURE = 0.95
_SHORTEST_STRANGER = 2


@lru_cache(_N_REMEMBERED)
def find_foreign(text: str, *, lexicon: Lexicon) -> tuple[tuple[str, str], ...]:
    """What of a shown sentence is not in the language: the words, and what was expected.

    Measured on `langid_testdata` (1,000 news sentences a language): see docs/copy_checks.md.
    """
    words = [word for word in split_words(text) if word != GAP and any(map(str.isalpha, word))]
    return tuple(_find_words(words, lexicon)) or tuple(_find_sentence(words, lexicon))


def _find_words(words: list[str], lexicon: Lexicon) -> Iterator[tuple[str, str]]:
    """Words that one look tells to be foreign."""
    foreign = set(lexicon.data.foreign_letters)
    text = "".join(words)
    may_mix, may_stray = holds_two_alphabets(text), _holds_latin(text)
    for word in words:
        small = word.casefold()
        if may_mix and is_mixed(word):
            yield word, "letters of one alphabet in a word"
        elif (
            small in lexicon.foreign_words
            or not foreign.isdisjoint(small)
            or (may_stray and _is_strange(small, lexicon))
        ):
            yield word, f"a text in {lexicon.code}"


def _holds_latin(text: str) -> bool:
    return _LATIN.search(text) is not None


def _is_strange(word: str, lexicon: Lexicon) -> bool:
    """Whether a word is in Latin letters in a Cyrillic text, and no loan that readers know."""
    is_latin = _holds_latin(word)
    is_known = len(word) < _SHORTEST_STRANGER or word in lexicon.loanwords
    return is_latin and not is_known and lexicon.data.script == "cyrillic"


def _find_sentence(words: list[str], lexicon: Lexicon) -> Iterator[tuple[str, str]]:
    """The sentence, where as a whole it is in another language."""
    own = [word for word in words if word.casefold() not in lexicon.loanwords]
    if len(own) < FEWEST_WORDS:
        return
    text = " ".join(own)
    letters = set(lexicon.data.letters)
    if letters:
        if not letters.isdisjoint(text.casefold()):
            return
        if len(own) >= _FEWEST_TO_LACK_LETTERS:
            yield text[:60], f"a text in {lexicon.code}, in its own letters"
            return
    among = (lexicon.code, *lexicon.data.rivals)
    if not _is_other(text, lexicon.code, among):
        return
    if not letters and _is_neighbour_by_marks(own, lexicon, among):
        return
    yield text[:60], f"a text in {lexicon.code}"


def _is_other(text: str, code: str, among: tuple[str, ...]) -> bool:
    guess = identify_language(text, among=among, sure_from=_SURE)
    return guess.language is not None and guess.language != code


def _is_neighbour_by_marks(words: list[str], lexicon: Lexicon, among: tuple[str, ...]) -> bool:
    """Whether one word that a neighbour has too may have decided alone: then it is no proof."""
    guess = identify_language(" ".join(words), among=among, sure_from=_SURE)
    if guess.language != "kk":
        return False
    if len(words) < _FEWEST_OF_NEIGHBOUR:
        return True
    middle = len(words) // 2
    halves = (" ".join(words[:middle]), " ".join(words[middle:]))
    return not all(_is_other(half, lexicon.code, among) for half in halves)
