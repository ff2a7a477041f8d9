"""What a sentence claims: found by figures, by phrases and by what they stand beside.

Nothing here knows the facts: a claim in a draft is a fault as it is (facts stand in slots), one
in a final text is compared with what is known.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import takewhile

from serving.copy.guard.faults import FaultCode
from serving.copy.guard.figures import find_figures
from serving.copy.guard.lexicon import Findings, Group, Lexicon
from serving.copy.guard.links import find_addresses, find_links, leave_out_links
from serving.copy.guard.phrases import Found, T
from serving.copy.guard.reading import Sentence, read_sentences, split_words

_N_REMEMBERED = 8192
_CAPITALS = re.compile(r"(?<![\w-])[^\W\d_a-zа-яё]{4,}(?![\w-])")
# Beside these, a word in capitals is a code in any alphabet.
_CODE_BEFORE = re.compile(
    r"(?:code|use|enter|apply|код|слово|промокод|купон|введите|примените|кодын?|сөзі)\W+(?:\w+\W+){0,2}$",
    re.IGNORECASE,
)
_CODE_AFTER = re.compile(r"^\W+(?:code|код|промокод|сөз)", re.IGNORECASE)
_FEWEST_BESIDE_A_CODE = 4
EXPECTED = {
    FaultCode.NUMBER: "a number that a fact holds",
    FaultCode.PERCENT: "a percentage that a fact holds",
    FaultCode.MONEY: "an amount that a fact holds, in its currency",
    FaultCode.DATE: "a date or time that a fact holds",
    FaultCode.CONTACT: "no telephone numbers, addresses or codes but those of the facts",
    FaultCode.LINK: "a link to an allowed host only; in a draft none, the button leads on",
}


@dataclass(frozen=True)
class Claim:
    """Something that a text says is so.

    Attributes:
        code: What it is when nothing bears it out.
        text: Its words.
        value: A number as digits, a month and day as `MM-DD`; empty where it has no value.
        unit: Currency of an amount; empty elsewhere.
        group: The phrases that it was found by; null for figures and the like.
    """

    code: FaultCode
    text: str
    value: str = ""
    unit: str = ""
    group: Group | None = None


@lru_cache(_N_REMEMBERED)
def find_claims(text: str, *, lexicon: Lexicon) -> tuple[Claim, ...]:
    """Every claim of a shown text; facts taken out of it stand as gaps."""
    sentences = read_sentences(leave_out_links(text))
    found = [claim for sentence in sentences for claim in _find_in_sentence(sentence, lexicon)]
    found += [Claim(FaultCode.LINK, link) for link in find_links(text)]
    found += [Claim(FaultCode.CONTACT, address) for address in find_addresses(text)]
    return tuple(dict.fromkeys(found))


def _find_in_sentence(sentence: Sentence, lexicon: Lexicon) -> Iterator[Claim]:
    words = sentence.words
    said = lexicon.find(words)
    legal = [(found.start, found.stop) for found in said.legal]
    for group in said.groups:
        if not _is_legal(group, legal):
            text = " ".join(words[group.start : group.stop])
            yield Claim(group.what.code, text, group=group.what)
    yield from _find_number_words(words, said, legal)
    yield from _find_units(words, said)
    yield from _find_figures(sentence.text, lexicon)
    yield from _find_capitals(sentence.text, lexicon)


def _is_legal(found: Found[T], legal: list[tuple[int, int]]) -> bool:
    """Whether it is within a phrase that claims nothing."""
    return any(start <= found.start and found.stop <= stop for start, stop in legal)


def _find_number_words(
    words: Sequence[str], said: Findings, legal: list[tuple[int, int]]
) -> Iterator[Claim]:
    """Numbers in words, and `one` before a unit."""
    for number in said.numbers:
        if not _is_legal(number, legal):
            text = " ".join(words[number.start : min(number.stop + 1, len(words))])
            yield Claim(FaultCode.NUMBER, text, value=str(number.what))
    units = {found.start for found in said.units}
    for one in said.ones:
        if one.stop in units and not _is_legal(one, legal):
            yield Claim(FaultCode.NUMBER, " ".join(words[one.start : one.stop + 1]), value="1")


def _find_units(words: Sequence[str], said: Findings) -> Iterator[Claim]:
    """Words for money, per cent, time and months; they make the figure beside them what it is."""
    for money in said.currencies:
        value = _value_before(words, money.start, said) or _value_after(words, money.stop)
        text = " ".join(words[max(0, money.start - 1) : money.stop])
        yield Claim(FaultCode.MONEY, text, value=value, unit=money.what)
    for percent in said.percent:
        value = _value_before(words, percent.start, said)
        text = " ".join(words[max(0, percent.start - 1) : percent.stop])
        yield Claim(FaultCode.PERCENT, text, value=value)
    for time in said.time_units:
        if value := _value_before(words, time.start, said):
            text = " ".join(words[max(0, time.start - 1) : time.stop])
            yield Claim(FaultCode.DATE, text, value=value)
    for month in said.months:
        beside = [
            *words[max(0, month.start - 1) : month.start],
            *words[month.stop : month.stop + 1],
        ]
        days = [re.match(r"\d{1,2}", word) for word in beside]
        day = next((int(found.group()) for found in days if found), 0)
        text = " ".join(words[max(0, month.start - 1) : month.stop + 1])
        yield Claim(FaultCode.DATE, text, value=f"{month.what:02d}-{day:02d}")


def _value_before(words: Sequence[str], at: int, said: Findings) -> str:
    """The number that ends before a word; empty where none does."""
    digits = list(takewhile(str.isdigit, reversed(words[:at])))
    if digits:
        return "".join(reversed(digits)).lstrip("0") or "0"
    return next((str(found.what) for found in said.numbers if found.stop == at), "")


def _value_after(words: Sequence[str], at: int) -> str:
    """The number in digits that begins at a word; empty where none does."""
    digits = list(takewhile(str.isdigit, words[at:]))
    return "".join(digits).lstrip("0")


def _find_figures(text: str, lexicon: Lexicon) -> Iterator[Claim]:
    for figure in find_figures(text):
        after = read_sentences(text[figure.stop :].lstrip())
        following = after[0].words[:1] if after else ()
        if figure.code is FaultCode.NUMBER and _is_unit(following, lexicon):
            continue  # found with its unit
        yield Claim(figure.code, figure.text, value=figure.value, unit=figure.currency or "")


def _is_unit(words: tuple[str, ...], lexicon: Lexicon) -> bool:
    said = lexicon.find(words)
    return bool(said.currencies or said.percent or said.months)


def _find_capitals(text: str, lexicon: Lexicon) -> Iterator[Claim]:
    """Words in capitals: a code in another alphabet, shouting where several stand together.

    One alone may be either.
    """
    matches = [m for m in _CAPITALS.finditer(text) if _is_in_capitals(m.group(), lexicon)]
    for match in matches:
        word = match.group()
        is_foreign = word.isascii() == (lexicon.data.script == "cyrillic")
        is_alone = len(matches) == 1 and len(split_words(text)) >= _FEWEST_BESIDE_A_CODE
        if is_foreign or is_alone or _is_code(text, match):
            yield Claim(FaultCode.CONTACT, word)
        if not is_foreign:
            yield Claim(FaultCode.TONE, word)


def _is_in_capitals(word: str, lexicon: Lexicon) -> bool:
    return word.isupper() and word.casefold() not in lexicon.loanwords


def _is_code(text: str, match: re.Match[str]) -> bool:
    before, after = text[: match.start()], text[match.end() :]
    return bool(_CODE_BEFORE.search(before) or _CODE_AFTER.search(after))
