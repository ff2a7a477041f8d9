"""Customers' own words before they are shown to a model: masked, cut, and fenced as data."""

from collections.abc import Iterable

from serving.masking import mask_personal_data

MOST_QUOTES = 5
MOST_CHARACTERS = 1_000
_MOST_READ = 4 * MOST_CHARACTERS  # masks take room too


def mask_quotes(quotes: Iterable[str]) -> tuple[str, ...]:
    """What may be shown of customers' own words.

    Personal data of a known form are masked, invisible characters dropped, and what is too long is
    cut. Names of people cannot be told from other words and stay: who calls decides which words are
    quoted at all.

    >>> mask_quotes(["Call +7 701 123 45 67 or mail a.b@shop.kz!"])
    ('Call [phone] or mail [email]!',)
    """
    shown = (_mask(quote) for quote in quotes)
    return tuple(text for text in shown if text)[:MOST_QUOTES]


def _mask(quote: str) -> str:
    return " ".join(mask_personal_data(quote[:_MOST_READ]).split())[:MOST_CHARACTERS]
