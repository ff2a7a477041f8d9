"""Words of a short message, folded so that spellings of one word meet.

Kazakh letters are folded to the Russian ones that people type in their place, so that a Kazakh stem
is found with and without them.
"""

import re
import unicodedata
from typing import Final

_WORD = re.compile(r"[^\W_]+")
_FOLD: Final = str.maketrans("ёәғқңөұүһіəй", "еагкноуухиаи")
_STRETCHED = re.compile(r"(.)\1{2,}")
_SOUND: Final = str.maketrans("оеэяыйщю", "аииииишу", "ьъ")
_DOUBLED = re.compile(r"(.)\1+")
_LATIN = re.compile(r"[a-zA-Z]{3}")
_CYRILLIC = re.compile(r"[а-яёәғқңөұүһі]", re.IGNORECASE)
_ENGLISH: Final = frozenset(
    (
        *("the", "is", "are", "was", "were", "it", "its", "and", "of", "for", "with", "this"),
        *("that", "you", "your", "not", "have", "has", "had", "there", "they", "at", "from"),
        *("but", "she", "what", "when", "very", "please", "again", "after", "still", "been"),
        *("will", "would", "could", "can", "we", "our", "too", "got", "who", "how"),
    )
)
_DIGRAPHS: Final = (
    *(("shch", "щ"), ("sch", "щ"), ("sh", "ш"), ("ch", "ч"), ("zh", "ж"), ("kh", "х")),
    *(("ts", "ц"), ("yu", "ю"), ("ju", "ю"), ("ya", "я"), ("ja", "я")),
    *(("yo", "е"), ("jo", "е"), ("ye", "е")),
)
_LETTERS: Final = str.maketrans("abcdefghijklmnopqrstuvwxyz", "абкдефгхижклмнопкрстуввхыз")


def fold(text: str) -> str:
    """Small letters without spelling variants; what is drawn out is cut to one letter.

    >>> fold("Ыстық!! Жаааарко"), fold("ЁЛКА")
    ('ыстык!! жарко', 'елка')
    """
    return _STRETCHED.sub(r"\1", unicodedata.normalize("NFKC", text).casefold().translate(_FOLD))


def split_words(text: str) -> tuple[str, ...]:
    """The folded words of a text, in order."""
    return tuple(_WORD.findall(fold(text)))


def sound(word: str) -> str:
    """What a folded word is heard as, so that slips in unstressed vowels and signs do not matter.

    >>> sound(fold("кандиционер")) == sound(fold("кондиционер")), sound("ледяные")
    (True, 'лидини')
    """
    return _DOUBLED.sub(r"\1", word.translate(_SOUND))


def is_slip(word: str, stem: str) -> bool:
    """Whether a word begins with a stem but for one letter left out, added, changed or moved.

    The first letter must be right.

    >>> [is_slip(word, "холодн") for word in ("холдно", "хололдно", "халодно", "голодно")]
    [True, True, True, False]
    """
    at = 0
    while at < min(len(word), len(stem)) and word[at] == stem[at]:
        at += 1
    if at == 0:
        return False
    left, wanted = word[at:], stem[at:]
    is_moved = left[:2] == wanted[1::-1] and left[2:].startswith(wanted[2:])
    return (
        is_moved
        or left.startswith(wanted[1:])
        or left[1:].startswith(wanted[1:])
        or left[1:].startswith(wanted)
    )


def write_in_cyrillic(text: str) -> str | None:
    """A text that was typed in Latin letters for want of others; None where it was not.

    English words tell that it is English: `the`, `is`, `not`.

    >>> write_in_cyrillic("u vas ochen zharko"), write_in_cyrillic("it is hot")
    ('у вас очен жарко', None)
    """
    words = split_words(text)
    if not _LATIN.search(text) or _CYRILLIC.search(text) or not _ENGLISH.isdisjoint(words):
        return None
    plain = text.casefold()
    for latin, cyrillic in _DIGRAPHS:
        plain = plain.replace(latin, cyrillic)
    return plain.translate(_LETTERS)
