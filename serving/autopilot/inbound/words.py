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


def fold(text: str) -> str:
    """Small letters without spelling variants; what is drawn out is cut to one letter.

    >>> fold("Ыстық!! Жаааарко"), fold("ЁЛКА")
    ('ыстык!! жарко', 'елка')
    """
    return _STRETCHED.sub(r"\1", unicodedata.normalize("NFKC", text).casefold().translate(_FOLD))


def split_words(text: str) -> tuple[str, ...]:
    """The folded words of a text, in order."""
    return tuple(_WORD.findall(fold(text)))
