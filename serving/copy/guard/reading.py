"""How a text is read before it is checked: as its reader sees it, not as it was typed.

Full-width digits, invisible characters and letters of another alphabet that look the same would
else carry a claim past the checks.
"""

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

GAP = "\ufffc"
"""Stands in a text for a fact, a name or an offer that was taken out of it."""

_N_REMEMBERED = 8192
_LATIN_TWINS = str.maketrans("авекмнорстухіѕјԁԛԝ", "abekmhopctyxisjdqw")
_CYRILLIC_TWINS = str.maketrans("abekmhopctyxi", "авекмнорстухі")
_LATIN = re.compile(r"[a-z]")
_CYRILLIC = re.compile(r"[\u0400-\u04ff]")
_SENTENCE_END = re.compile(r"(?<=[.!?…])[\s»”\")]+|\n+")
_WORD = re.compile(rf"[^\W_]+(?:[-'’][^\W_]+)*|{GAP}")
_SPACES = str.maketrans("\n\u00a0\u202f\u2009", "    ")
_INVISIBLE = frozenset({"Cf", "Cc", "Co", "Cn"})
_UNSEEN = _INVISIBLE | {"Zl", "Zp"}
_PILED = re.compile(r"[\u0300-\u036f]{3,}")


@dataclass(frozen=True)
class Sentence:
    """One sentence.

    Attributes:
        text: As it is seen.
        words: Its words as they are looked up: small letters, one alphabet each, no accents of ё.
    """

    text: str
    words: tuple[str, ...]


@lru_cache(_N_REMEMBERED)
def show(text: str) -> str:
    """The text as it is seen: compatible characters made one, invisible ones dropped.

    >>> show("Ｓａｌｅ\u200b ５０％")
    'Sale 50%'
    """
    if text.replace("\n", "").isprintable() and unicodedata.is_normalized("NFKC", text):
        return text
    normal = unicodedata.normalize("NFKC", text)
    kept = (c for c in normal if c in "\n\t" or unicodedata.category(c) not in _INVISIBLE)
    return "".join(kept)


def find_invisible(text: str) -> str:
    """Characters that nobody sees, joined, or marks piled upon a letter; empty where none are.

    Of the text as it was typed: `show` drops them.

    >>> find_invisible("ev\u200bil") == "\u200b"
    True
    """
    if piled := _PILED.search(text):
        return piled.group()
    if text.translate(_SPACES).isprintable():
        return ""
    return "".join(c for c in text if c not in "\n\u200d" and unicodedata.category(c) in _UNSEEN)


def fold(word: str) -> str:
    """A word as it is looked up.

    >>> fold("Cкидка"), fold("Её")
    ('скидка', 'ее')
    """
    small = word.casefold().replace("ё", "е").replace("’", "'")
    if small.isascii() or not _LATIN.search(small):
        return small
    n_latin, n_cyrillic = len(_LATIN.findall(small)), len(_CYRILLIC.findall(small))
    if not n_cyrillic:
        return small
    if "-" in small:
        return "-".join(fold(part) for part in small.split("-"))
    return small.translate(_LATIN_TWINS if n_latin > n_cyrillic else _CYRILLIC_TWINS)


def is_mixed(word: str) -> bool:
    """Whether one word holds letters of two alphabets; parts joined by a hyphen are words.

    >>> is_mixed("cкидка"), is_mixed("SMS-код")
    (True, False)
    """
    small = word.casefold()
    return any(_LATIN.search(part) and _CYRILLIC.search(part) for part in re.split(r"[-'’]", small))


def holds_two_alphabets(text: str) -> bool:
    """Whether Latin and Cyrillic letters stand in one text, be it in different words."""
    small = text.casefold()
    return bool(_LATIN.search(small) and _CYRILLIC.search(small))


def split_words(text: str) -> list[str]:
    """Words as they stand, gaps among them."""
    return _WORD.findall(text)


@lru_cache(_N_REMEMBERED)
def read_sentences(text: str) -> tuple[Sentence, ...]:
    """Sentences of a text that was made ready by `show`; a line ends one too."""
    parts = (part.strip() for part in _SENTENCE_END.split(text))
    return tuple(
        Sentence(part, tuple(fold(word) for word in split_words(part))) for part in parts if part
    )


def to_latin(text: str) -> str:
    """The text with Cyrillic look-alikes as Latin letters: how a forged host would be read.

    >>> to_latin("ореn.com")
    'open.com'
    """
    return text.casefold().translate(_LATIN_TWINS)
