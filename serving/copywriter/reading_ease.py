"""How easy a text is to read, by a published formula for its language, where there is one."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_SENTENCE_END = re.compile(r"[.!?…]+(?=\s|$)")
_LONG_WORD = 7  # letters from which LIX calls a word long
_VOWELS_RU = frozenset("аеёиоуыэюя")
_VOWEL_GROUP_EN = re.compile(r"[aeiouy]+")


class ReadingScale(StrEnum):
    """Which formula a figure comes from; figures of different ones do not compare."""

    FLESCH = "flesch"  # English, Flesch 1948: higher is easier, 60-70 is plain
    OBORNEVA = "oborneva"  # Russian, Oborneva 2006, on the scale of Flesch
    LIX = "lix"  # any language, Björnsson 1968: lower is easier; not calibrated for Kazakh


@dataclass(frozen=True)
class Reading:
    """How easy a text is.

    Attributes:
        scale: The formula.
        value: On its scale; short texts move it a lot.
    """

    scale: ReadingScale
    value: float


@dataclass(frozen=True)
class _Flesch:
    """206.835 - sentence x words a sentence - syllable x syllables a word."""

    scale: ReadingScale
    sentence: float
    syllable: float


_BY_LANGUAGE: Mapping[str, _Flesch] = MappingProxyType(
    {
        "en": _Flesch(ReadingScale.FLESCH, sentence=1.015, syllable=84.6),
        "ru": _Flesch(ReadingScale.OBORNEVA, sentence=1.52, syllable=65.14),
    }
)


def list_words(text: str) -> list[str]:
    """Words of letters, figures left out.

    >>> list_words("It's 5 o'clock")
    ["It's", "o'clock"]
    """
    return _WORD.findall(text)


def count_sentences(text: str) -> int:
    """Sentences; words without an end count as one.

    >>> count_sentences("Ready. Shall we send it"), count_sentences("")
    (2, 0)
    """
    parts = _SENTENCE_END.split(text)
    return sum(1 for part in parts if any(map(str.isalnum, part)))


def find_first_end(text: str) -> int:
    """Characters up to the end of the first sentence.

    >>> find_first_end("Paid. Thank you."), find_first_end("no end")
    (5, 6)
    """
    found = _SENTENCE_END.search(text)
    return len(text) if found is None else found.end()


def measure_reading(text: str, *, language: str) -> Reading | None:
    """How easy a text is to read; None where it holds no words.

    English syllables are counted as groups of vowels, a silent e at the end left out: right within
    a few per cent of a text.
    """
    words, n_sentences = list_words(text), count_sentences(text)
    if not words or not n_sentences:
        return None
    words_each = len(words) / n_sentences
    formula = _BY_LANGUAGE.get(language)
    if formula is None:
        n_long = sum(len(word) >= _LONG_WORD for word in words)
        return Reading(ReadingScale.LIX, words_each + 100.0 * n_long / len(words))
    syllables = sum(_count_syllables(word, language=language) for word in words) / len(words)
    ease = 206.835 - formula.sentence * words_each - formula.syllable * syllables
    return Reading(formula.scale, ease)


def _count_syllables(word: str, *, language: str) -> int:
    lower = word.lower()
    if language == "ru":
        return max(1, sum(letter in _VOWELS_RU for letter in lower))
    if lower.endswith("e") and not lower.endswith(("le", "ee")):
        lower = lower[:-1]
    return max(1, len(_VOWEL_GROUP_EN.findall(lower)))
