"""What a final text may say: the facts of its case as they are written in it, and what is approved.

A text is compared with them twice. What it repeats as written is taken out of it, names of items
with figures in them included; what is left may still say a number, an amount or a day that a fact
holds, in other words.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from features.vocabulary import Channel, Trigger
from serving.copy.brief import Brand, Offer
from serving.copy.guard.claims import Claim, find_claims
from serving.copy.guard.faults import FaultCode
from serving.copy.guard.lexicon import Lexicon
from serving.copy.guard.links import is_allowed
from serving.copy.guard.reading import GAP, fold, show, split_words

_N_REMEMBERED = 4096
_FIGURE = re.compile(r"[\d\s.,]*")
_ENDS_WORD = re.compile(r"(?:\w|\d[., ])$")
_ENDS = re.compile(r"(?<!\.)[.!?]$")  # an ellipsis is where a value was cut
_GOES_ON = re.compile(r"\w|[.,]\d")
_VALUED = frozenset(
    {FaultCode.NUMBER, FaultCode.MONEY, FaultCode.PERCENT, FaultCode.DATE, FaultCode.CONTACT}
)


@dataclass(frozen=True)
class Grounds:
    """All that one text may claim.

    Attributes:
        channel: Where it is read.
        language: The one asked for.
        brand: Whose text it is: its name, its own forbidden words, the hosts of its links.
        is_service: Whether it is a service notice; else it is marketing.
        trigger: Why it is written; null for a message of its own kind.
        facts: Values as they stand in the text, escaped or not: items, dates, amounts.
        offers: What may be promised.
        named: Values among the facts that the text must name, such as the item.
        first_name: The customer's, as written; null where the text may not greet by name.
        unsubscribe_url: The way out that a marketing e-mail must show.
        needs_marker: Whether it must say that a machine helped to write it.
        max_segments: Parts that an SMS may take.
    """

    channel: Channel
    language: str
    brand: Brand
    is_service: bool
    trigger: Trigger | None = None
    facts: tuple[str, ...] = ()
    offers: tuple[Offer, ...] = ()
    named: tuple[str, ...] = ()
    first_name: str | None = None
    unsubscribe_url: str | None = None
    needs_marker: bool = False
    max_segments: int = 2

    def said(self) -> tuple[str, ...]:
        """Everything that may stand in the text as it is: facts, offers, names."""
        offers = tuple(words for o in self.offers if (words := o.words.get(self.language)))
        name = () if self.first_name is None else (self.first_name,)
        return (*self.facts, *offers, *name, self.brand.name)


def take_out(text: str, said: tuple[str, ...]) -> str:
    """The text with a gap in place of everything that it repeats as written.

    A bare figure is not taken out: beside a per cent sign it would say something else.

    >>> take_out("Chanel No 5 for 5 pm", ("Chanel No 5", "5")).replace(GAP, "_")
    '_ for 5 pm'
    """
    shown = {show(value).strip() for value in said}
    for value in sorted(shown, key=len, reverse=True):
        if value in text and not _FIGURE.fullmatch(value):
            text = _replace(text, value)
    return text


def _replace(text: str, value: str) -> str:
    """Gaps in place of a value where it stands alone, not within a longer word or number."""
    kept, begin, at = [], 0, text.find(value)
    while at >= 0:
        end = at + len(value)
        if not (_ENDS_WORD.search(text[:at]) or _GOES_ON.match(text[end:])):
            # A fact that is a sentence ends one.
            kept += [text[begin:at], GAP, value[-1] if _ENDS.search(value) else ""]
            begin = end
        at = text.find(value, max(end, at + 1))
    return "".join([*kept, text[begin:]])


@lru_cache(_N_REMEMBERED)
def hold_values(facts: tuple[str, ...], lexicon: Lexicon) -> frozenset[tuple[FaultCode, str, str]]:
    """What the facts say in values: kind, value, unit."""
    claims = [claim for fact in facts for claim in find_claims(show(fact), lexicon=lexicon)]
    held = {(claim.code, claim.value, claim.unit) for claim in claims if claim.value}
    # The day of a month, as in "the 26th".
    held |= {
        (code, value[3:].lstrip("0"), unit)
        for code, value, unit in held
        if code is FaultCode.DATE and "-" in value
    }
    return frozenset(held)


def is_held(claim: Claim, *, grounds: Grounds, lexicon: Lexicon) -> bool:
    """Whether a claim of the text is borne out by a fact, an offer or the trigger."""
    if claim.group is not None:
        return _is_group_held(claim, grounds)
    if claim.code is FaultCode.LINK:
        link = claim.text if "://" in claim.text else f"https://{claim.text}"
        return is_allowed(link, hosts=grounds.brand.allowed_hosts)
    if claim.code not in _VALUED or not claim.value:
        return False
    return (claim.code, claim.value, claim.unit) in hold_values(grounds.facts, lexicon)


def _is_group_held(claim: Claim, grounds: Grounds) -> bool:
    group = claim.group
    if group is None:
        return False
    if group.only is not None and grounds.is_service != (group.only == "service"):
        return True
    if grounds.trigger is not None and grounds.trigger in group.triggers:
        return True
    if any(offer.kind in group.offers for offer in grounds.offers):
        return True
    words = " ".join(map(fold, claim.text.split()))
    # What an item is called confirms nothing.
    confirming = tuple(fact for fact in grounds.facts if fact not in grounds.named)
    return any(f" {words} " in fact for fact in read_facts(confirming))


@lru_cache(_N_REMEMBERED)
def read_facts(facts: tuple[str, ...]) -> tuple[str, ...]:
    """Facts as their words are looked up, a space around each."""
    return tuple(f" {' '.join(map(fold, split_words(show(fact))))} " for fact in facts)


def find_ungrounded(text: str, *, grounds: Grounds, lexicon: Lexicon) -> Iterator[Claim]:
    """Claims of a shown text that nothing bears out."""
    for claim in find_claims(text, lexicon=lexicon):
        if not is_held(claim, grounds=grounds, lexicon=lexicon):
            yield claim
