"""Customers' own words before they are shown to a model: masked, cut, and fenced as data."""

import re
import unicodedata
from collections.abc import Iterable

MOST_QUOTES = 5
MOST_CHARACTERS = 1_000
_MOST_READ = 4 * MOST_CHARACTERS  # masks take room too

_MASKS = (
    (re.compile(r"(?<![\w.+-])[\w.+-]+\s?@\s?[\w-]+(?:\s?\.\s?[\w-]+)+"), "[e-mail]"),
    (re.compile(r"(?:\w+://|www\.)\S+", re.IGNORECASE), "[link]"),
    (
        re.compile(r"(?<!\w)[\w-]+\.(?:[\w-]+\.)*[a-zа-я]{2,}(?:/\S*)?(?!\w)", re.IGNORECASE),
        "[link]",
    ),
    (re.compile(r"(?<!\w)@\w{3,}"), "[name]"),
    # Telephones, cards, accounts and identities: many digits, whatever stands between them.
    (re.compile(r"\+?\d(?:[\s().-]{0,2}\d){5,}"), "[number]"),
    (re.compile(r"(?<!\w)(?=\w*\d\w*\d\w*\d)[\w-]{8,}(?!\w)"), "[number]"),
)


def mask_quotes(quotes: Iterable[str]) -> tuple[str, ...]:
    """What may be shown of customers' own words.

    Addresses, links, handles and long numbers are masked, invisible characters dropped, and what is
    too long is cut. Names of people cannot be told from other words and stay: who calls decides
    which words are quoted at all.

    >>> mask_quotes(["Call +7 701 123 45 67 or mail a.b@shop.kz!"])
    ('Call [number] or mail [e-mail]!',)
    """
    shown = (_mask(quote) for quote in quotes)
    return tuple(text for text in shown if text)[:MOST_QUOTES]


def _mask(quote: str) -> str:
    text = unicodedata.normalize("NFKC", quote[:_MOST_READ])
    text = "".join(_show(letter) for letter in text)
    for pattern, mask in _MASKS:
        text = pattern.sub(mask, text)
    return " ".join(text.split())[:MOST_CHARACTERS]


def _show(letter: str) -> str:
    """What has no width would cut an address in two: nothing; other controls become a space."""
    kind = unicodedata.category(letter)
    return "" if kind == "Cf" else " " if kind[0] == "C" else letter
