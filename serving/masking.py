"""Personal data taken out of a text before it leaves the house, or is kept in the log.

What has a form is found by it: addresses, numbers of phones, cards, accounts and people. Names have
none: those that the customer's record holds are taken out, others may stay.
"""

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

_RULES: Final = (
    (re.compile(r"\b[\w.+-]+@[\w-]+(?:\.[\w-]+)+"), "[email]"),
    (re.compile(r"(?:https?://|www\.)\S+", re.IGNORECASE), "[link]"),
    # Of bare hosts those of usual endings alone: many leave out the space after a full stop.
    (
        re.compile(
            r"(?<![\w.-])(?:[\w-]+\.)+(?:com|kz|ru|me|net|org|io|ly|cc|app|info|рф)(?:/\S*)?(?!\w)",
            re.IGNORECASE,
        ),
        "[link]",
    ),
    (re.compile(r"(?<!\w)@\w{2,}"), "[handle]"),
    (re.compile(r"\bKZ\d{2}[\dA-Z]{16}\b", re.IGNORECASE), "[account]"),
    (re.compile(r"(?<!\d)(?:\d[ -]?){15,18}\d(?!\d)"), "[card]"),
    (re.compile(r"(?<![\d+])\d{12}(?!\d)"), "[person number]"),
    (re.compile(r"(?<!\w)\+?\d(?:[\s().-]{0,2}\d){8,13}(?!\d)"), "[phone]"),
    (re.compile(r"(?<!\d)\d{6,}(?!\d)"), "[number]"),
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
    plain = unicodedata.normalize("NFKC", text)
    text = "".join(letter for letter in plain if unicodedata.category(letter) != "Cf")
    for rule, mask in _RULES:
        text = rule.sub(mask, text)
    for name in names:
        if len(name) >= _LEAST_NAME:
            stem = re.escape(name[:-1] if len(name) > _LEAST_NAME else name)
            text = re.sub(rf"(?<!\w){stem}\w{{0,4}}(?!\w)", "[name]", text, flags=re.IGNORECASE)
    return text
