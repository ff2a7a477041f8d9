"""Numbers that stand for texts, the same in SQL and here: feature hashing (Weinberger et al. 2009).

Trees take such a number as a category. What texts there are nobody has to say beforehand, and a
model knows the codes it was made with. Of a handful of texts two rarely share one of the 4,096
codes (of ten: in one of ninety sets); those that do are told apart no more, and nothing worse.
"""

import hashlib
from typing import Final

CODE_DIGITS: Final = 3
"""Hexadecimal digits of a code; more would cost trees, which keep a bit for each category."""

_SHORT_DIGITS: Final = 13
_HEX: Final = "0123456789abcdef"


def hash_short(text: str) -> float:
    """52 bits that stand for a text, as a number that a float holds exactly: the head of its MD5.

    >>> hash_short("a") == int("0cc175b9c0f1b", 16)
    True
    """
    digest = hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
    return float(int(digest[:_SHORT_DIGITS], 16))


CODE_DIVISOR: Final = float(16 ** (_SHORT_DIGITS - CODE_DIGITS))
"""The whole part of a short hash divided by this is the code."""


def find_code(text: str) -> int:
    """The code of a text, 0 to 4095.

    >>> find_code("a") == int("0cc", 16)
    True
    """
    return int(hash_short(text) // CODE_DIVISOR)


def write_code(column: str) -> str:
    """The code of a column of texts as SQL, an integer; null of null."""
    digits = (
        f"{16 ** (CODE_DIGITS - place)} * (INSTR('{_HEX}', SUBSTR(MD5({column}), {place}, 1)) - 1)"
        for place in range(1, CODE_DIGITS + 1)
    )
    return f"({' + '.join(digits)})"
