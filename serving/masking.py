"""Personal data taken out of a text before it leaves the house, or is kept in the log.

What has a form is found by it: addresses, numbers of phones, cards, accounts and people. Names have
none: those that the customer's record holds are taken out, others may stay.
"""

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

# Many leave out the space after a full stop: of endings that are not Latin only those that exist.
_ENDINGS: Final = "[a-z]{2,}|рф|қаз|каз|рус|бел|укр|орг|ком|сайт|онлайн|дети|москва"
_RULES: Final = (
    (
        re.compile(
            r"(?<![\w.+-])[\w.+-]+\s?@\s?[\w-]+(?:\.[\w-]+|\s?\.\s?[a-z0-9-]+)+", re.IGNORECASE
        ),
        "[email]",
    ),
    (re.compile(r"(?<!\w)(?:\w{1,20}://|www\.)\S+", re.IGNORECASE), "[link]"),
    (
        re.compile(
            rf"(?<![\w.-])(?:[\w-]+\.)+(?:(?:{_ENDINGS})(?!\w)(?:[/?#:]\S*)?|[^\W\d_]{{2,}}/\S*)",
            re.IGNORECASE,
        ),
        "[link]",
    ),
    (re.compile(r"(?<!\w)@\w{2,}"), "[handle]"),
    (re.compile(r"\bKZ\d{2}[\dA-Z]{16}\b", re.IGNORECASE), "[account]"),
    (re.compile(r"(?<!\d)(?:\d[ -]?){15,18}\d(?!\d)"), "[card]"),
    (re.compile(r"(?<![\d+])\d{12}(?!\d)"), "[person number]"),
    (re.compile(r"(?<!\w)\+?\d(?:[\s().-]{0,2}\d){8,13}(?!\d)"), "[phone]"),
    # Whatever else has many digits: orders, identities, accounts of other countries.
    (re.compile(r"\+?\d(?:[\s().-]{0,2}\d){5,}"), "[number]"),
    (re.compile(r"(?<!\w)(?=\w*\d\w*\d\w*\d)[\w-]{8,}(?!\w)"), "[number]"),
)
_LEAST_NAME: Final = 3


def mask_personal_data(text: str, *, names: Iterable[str] = ()) -> str:
    """A text without personal data of a known form, and without the names given.

    Letters come back in their plain forms (NFKC), without what is invisible: it would cut a number
    in two.

    Args:
        text: In the customer's words.
        names: Of the customer and of whoever else is known; with whatever endings they are written.

    >>> mask_personal_data("Я Айгуль, +7 701 123-45-67, a@b.kz, ИИН 900101300123", names=["Айгуль"])
    'Я [name], [phone], [email], ИИН [person number]'
    """
    text = "".join(_show(letter) for letter in unicodedata.normalize("NFKC", text))
    for rule, mask in _RULES:
        text = rule.sub(mask, text)
    for name in names:
        if len(name) >= _LEAST_NAME:
            stem = re.escape(name[:-1] if len(name) > _LEAST_NAME else name)
            text = re.sub(rf"(?<!\w){stem}\w{{0,4}}(?!\w)", "[name]", text, flags=re.IGNORECASE)
    return text


def _show(letter: str) -> str:
    """What has no width would cut an address in two: nothing; other controls become a space."""
    kind = unicodedata.category(letter)
    if kind == "Cf":
        return ""
    return " " if kind[0] == "C" and not letter.isspace() else letter
