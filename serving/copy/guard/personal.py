"""Personal data in words: what no stored text may hold, and a final one only if it is a fact."""

import re
from collections.abc import Iterator

from serving.copy.guard.faults import Fault, FaultCode
from serving.copy.guard.lexicon import Lexicon
from serving.copy.guard.links import find_addresses
from serving.copy.guard.reading import GAP, Sentence, split_words

_EXPECTED = "nothing personal but what the facts hold"
_NUMBERS = re.compile(
    r"(?<!\w)(?:\d[ -]?){12,19}(?!\w)|[*x•]{2,}[\s-]?\d{4}(?!\d)|"
    r"(?<!\w)[A-Z]{2}\d{2}[A-Z0-9 ]{12,26}(?!\w)"
)
_DIGIT = re.compile(r"\d")
_PLACES = re.compile(
    r"(?<!\w)(?i:ул\.|улиц[аеуы]|пр-т|просп\.|мкр\.?)\s?[А-ЯӘҒҚҢӨҰҮҺІ\d]|"
    r"(?<!\w)(?i:кв\.|квартира|дом|д\.|apt|apartment|flat)\s?№?\s?\d|"
    r"\w\s(?:көшесі|даңғылы)|\d\s\w+\s(?:Street|St\.|Avenue|Ave\.|Road)"
)


def find_personal(text: str, *, place: str) -> Iterator[Fault]:
    """Numbers of cards, people and accounts, e-mail and postal addresses in a shown text."""
    if _DIGIT.search(text):
        for match in _NUMBERS.finditer(text):
            yield Fault(FaultCode.PERSONAL_DATA, place, match.group(), _EXPECTED)
    for address in find_addresses(text):
        if not address.startswith("@"):
            yield Fault(FaultCode.PERSONAL_DATA, place, address, _EXPECTED)
    for match in _PLACES.finditer(text):
        yield Fault(FaultCode.PERSONAL_DATA, place, match.group(), _EXPECTED)


def find_names(sentence: Sentence, *, lexicon: Lexicon, place: str) -> Iterator[Fault]:
    """First names, and whoever is greeted with a capital letter; a name put in is a gap by now."""
    words = split_words(sentence.text)
    greeted = {found.stop for found in lexicon.find(sentence.words).greetings}
    for at, word in enumerate(words):
        if not word[0].isupper() or word == GAP:
            continue
        is_name = word.casefold() in lexicon.names
        if is_name or (at in greeted and at > 0 and word.casefold() not in lexicon.loanwords):
            yield Fault(FaultCode.PERSONAL_DATA, place, word, "no name but the customer's own")
