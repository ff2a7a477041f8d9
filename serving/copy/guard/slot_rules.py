"""Slots of a draft: known, unbroken, in the right twin, and fit for the words around them."""

import re
from collections.abc import Iterator

from features.evidence import FactKind
from features.vocabulary import Channel, Trigger
from serving.copy.brief import Brief
from serving.copy.guard.faults import Fault, FaultCode
from serving.copy.guard.lexicon import Findings, Lexicon
from serving.copy.guard.reading import fold
from serving.copy.languages import Language
from serving.copy.slots import BRAND
from serving.copy.template import GREETING, compile_template
from serving.copy.wordings import Piece

_OPENING = f"{{{GREETING}}}"
OFFER = "offer"
ITEM = "item"
_NAMES_ITEM = frozenset({Trigger.ABANDONED_CART, Trigger.BROWSE_ABANDONMENT, Trigger.PRICE_DROP})
_GREETED = frozenset({Channel.SMS, Channel.PUSH, Channel.IN_APP, Channel.WHATSAPP})
_SLOT = re.compile(r"\{([a-z][a-z0-9_]*)\}")
# What models write instead of a slot.
_BROKEN = re.compile(
    r"\{\{|\}\}|\{[^{}]*[^a-z0-9_{}][^{}]*\}|\{\}|\[[^\[\]]{2,30}\]|%[a-z_]{2,}%|%\(?[sd]\b|\$\{|\$[a-z_]{3,}|"
    r"<[a-zа-яәі_ ]{2,30}>|_{3,}|(?<!\w)[xX]{2,}(?!\w)"
)
_NEXT_WORD = re.compile(r"[\s-]+([^\W_]+(?:['’-][^\W_]+)*)")
_MONEY_SIGN = re.compile(r"[$€₸₽£¥₴]")
_QUOTED = frozenset({ITEM, "plan"})
_STANDS_ALONE = frozenset('«„“"(:—–-.?!…•')


def find_piece_faults(
    piece: Piece, *, brief: Brief, language: Language, lexicon: Lexicon, place: str, may_greet: bool
) -> Iterator[Fault]:
    """What is wrong with the slots of one piece, in both twins."""
    known = {slot.name for slot in brief.slots}
    has_offer = any(brief.language in offer.words for offer in brief.offers)
    always = {BRAND} | ({OFFER} if has_offer else set())
    twins = [("facts", piece.facts, known | always), ("plain", piece.plain, always)]
    for twin, text, allowed in twins:
        where = f"{place}.{twin}"
        yield from _find_broken(text, place=where)
        yield from _find_unknown(text, allowed=allowed, place=where, may_greet=may_greet)
        yield from _find_grammar_faults(
            text, brief=brief, language=language, lexicon=lexicon, place=where
        )


def may_greet_in(channel: Channel) -> bool:
    """Whether a body of the channel may open with the greeting; e-mails greet by themselves."""
    return channel in _GREETED


def find_missing_item(bodies: tuple[Piece, ...], *, brief: Brief) -> Iterator[Fault]:
    """Whether the item is named where it is known."""
    if brief.trigger not in _NAMES_ITEM or ITEM not in {slot.name for slot in brief.slots}:
        return
    if not any(f"{{{ITEM}}}" in piece.facts for piece in bodies):
        yield Fault(FaultCode.SLOT, "body.facts", "no {item}", "the item by its name: {item}")


def _find_broken(text: str, *, place: str) -> Iterator[Fault]:
    rest = _SLOT.sub("", text)
    for match in _BROKEN.finditer(rest):
        yield _fault(place, match.group(), "a slot as {name}")
    if not _BROKEN.search(rest) and (stray := re.search(r"[{}]\S{0,15}", rest)):
        yield _fault(place, stray.group(), "a slot as {name}, with both its braces")


def find_stand_ins(text: str, *, place: str) -> Iterator[Fault]:
    """What a model wrote where a value should stand, in a text whose values are taken out."""
    for match in _BROKEN.finditer(text):
        yield _fault(place, match.group(), "the value itself")


def _find_unknown(text: str, *, allowed: set[str], place: str, may_greet: bool) -> Iterator[Fault]:
    template = compile_template(text)
    slots = template.parts[1::2]
    for slot in dict.fromkeys(slots):
        if slot not in allowed:
            names = ", ".join(sorted(allowed))
            yield _fault(place, f"{{{slot}}}", f"one of {names}")
        elif slots.count(slot) > 1:
            yield _fault(place, f"{{{slot}}}", "a fact once in a text")
    if template.is_greeted and not may_greet:
        yield _fault(place, f"{{{GREETING}}}", "no greeting: one is put in front already")
    elif template.is_greeted and not template.parts[0].strip():
        yield _fault(place, f"{{{GREETING}}}", "words after the greeting, not a slot")
    elif template.is_greeted and template.parts[0][:1].isspace():
        yield _fault(place, f"{{{GREETING}}}", "no space after the greeting: it brings its own")


def _find_grammar_faults(
    text: str, *, brief: Brief, language: Language, lexicon: Lexicon, place: str
) -> Iterator[Fault]:
    """Words around a slot that do not fit what it is filled with."""
    kinds = {slot.name: slot.kind for slot in brief.slots}
    for match in _SLOT.finditer(text):
        name, before, after = match.group(1), text[: match.start()], text[match.end() :]
        if name == GREETING or name not in {*kinds, BRAND, OFFER}:
            continue
        slot = match.group()
        if (
            before[-1:].isalnum()
            or after[:1].isalnum()
            or (before.endswith("}") and before != _OPENING)
        ):
            yield _fault(place, f"{before[-8:]}{slot}{after[:8]}", "space around a slot")
        following = _find_next_word(after)
        beside = lexicon.find(following)
        if name in language.plurals and beside.units:
            expected = f"{slot} alone: its noun comes with it"
            yield _fault(place, f"{slot} {following[0]}", expected)
        kind = kinds.get(name)
        if kind is FactKind.CENTS and _names_money(before, after, beside):
            yield _fault(
                place, f"{before[-3:]}{slot}{after[:8]}", f"{slot} alone: it has its currency"
            )
        if kind is FactKind.PERCENT and (after.lstrip()[:1] == "%" or beside.percent):
            yield _fault(place, f"{slot}{after[:10]}", f"{slot} alone: it has its sign")
        if kind is FactKind.DATE and beside.months:
            yield _fault(place, f"{slot}{after[:10]}", f"{slot} alone: it has its month")
        if lexicon.data.inflects and name in _QUOTED and not _stands_alone(before):
            expected = f"«{slot}», or after a colon: its words take no ending"
            yield _fault(place, f"{before[-12:]}{slot}", expected)


def _find_next_word(after: str) -> tuple[str, ...]:
    """The word that goes on from a slot; none where a mark or another slot stands between."""
    found = _NEXT_WORD.match(after)
    return (fold(found.group(1)),) if found else ()


def _names_money(before: str, after: str, beside: Findings) -> bool:
    signs = before.rstrip()[-1:] + after.lstrip()[:1]
    return bool(_MONEY_SIGN.search(signs) or beside.currencies)


def _stands_alone(before: str) -> bool:
    opening = before.removeprefix(_OPENING).rstrip()
    return not opening or opening[-1] in _STANDS_ALONE


def _fault(place: str, found: str, expected: str) -> Fault:
    return Fault(FaultCode.SLOT, place, found, expected)
