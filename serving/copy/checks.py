"""Whether every text keeps its channel's limits, whatever the facts: tried, not assumed."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from features.evidence import FactKind, Scalar
from features.vocabulary import Channel
from serving.copy.cleaning import MAX_NAME_CHARACTERS
from serving.copy.compose import Filling, compose
from serving.copy.content import Unrenderable
from serving.copy.settings import MAX_BRAND_CHARACTERS, MAX_URL_CHARACTERS, CopySettings
from serving.copy.sizes import LIMITS, sms_size
from serving.copy.slots import BRAND, Manner, SlotRule, write_slots
from serving.copy.variants import Cell, Variant

_LETTERS = ("W", "Ш")  # a value in GSM-7, and one that makes the whole SMS travel as UCS-2
_MONTHS = range(1, 13)
_LARGEST: Mapping[FactKind, tuple[Scalar, ...]] = {
    FactKind.CENTS: (999_999_999,),
    FactKind.PERCENT: (100,),
    FactKind.DATE: tuple(f"2026-{month:02d}-28" for month in _MONTHS),
    FactKind.MOMENT: tuple(f"2026-{month:02d}-28T22:58:00+00:00" for month in _MONTHS),
}
_LARGEST_COUNT = 9_999_999
_LARGEST_WITH_NOUN = 365  # days, items
_URL = "https://example.com/".ljust(MAX_URL_CHARACTERS, "x")
_WIDEST = CopySettings(
    brand="Ш" * MAX_BRAND_CHARACTERS,
    currency="UZS",  # no symbol, so three letters and a space
    cta_base_url=_URL,
    email_unsubscribe_url=_URL,
)


@dataclass(frozen=True)
class _Trial:
    """One filling of a cell, and how many SMS segments it may take."""

    what: str
    title: Mapping[str, str]
    body: Mapping[str, str]
    max_segments: int


def find_size_faults(
    variant: Variant,
    *,
    max_segments: int = LIMITS[Channel.SMS].segments,
    brand: str = _WIDEST.brand,
) -> list[str]:
    """Every text of a variant that breaks a limit, in words.

    The channel's limits hold with the longest facts and the longest settings. Beyond them an SMS
    takes a segment less with its example and without facts, though never less than one.

    Args:
        variant: Its cells have an example each.
        max_segments: Parts of an SMS with the longest facts.
        brand: The sender's name; the widest there may be unless given.
    """
    faults = (
        _find_excess(variant, cell, trial, brand=brand)
        for cell in variant.cells.values()
        for trial in _list_trials(cell, max_segments=max_segments)
    )
    return list(dict.fromkeys(fault for fault in faults if fault is not None))


def _find_excess(variant: Variant, cell: Cell, trial: _Trial, *, brand: str) -> str | None:
    filling = Filling(
        title={**trial.title, BRAND: brand},
        body={**trial.body, BRAND: brand},
        first_name="Ш" * MAX_NAME_CHARACTERS,
        settings=_WIDEST,
    )
    content = compose(variant, cell, filling=filling)
    where = f"{cell.language.code}: {trial.what}"
    if isinstance(content, Unrenderable):
        return f"{where}: {content.reason}"
    if content.n_segments <= trial.max_segments:
        return None
    size = sms_size(content.body)
    return (
        f"{where}: {variant.variant_id}: {size.n_units} {size.encoding} units make "
        f"{size.n_segments} segments, at most {trial.max_segments}"
    )


def _list_trials(cell: Cell, *, max_segments: int) -> Iterator[_Trial]:
    usual = max(1, max_segments - 1)
    manner = Manner(cell.language, currency=_WIDEST.currency)
    for letter in _LETTERS:
        yield _Trial(
            "with the longest facts",
            title=_write_longest(cell.title_rules, manner=manner, letter=letter),
            body=_write_longest(cell.body_rules, manner=manner, letter=letter),
            max_segments=max_segments,
        )
    yield _Trial(
        "with its example",
        title=write_slots(cell.title_rules, evidence=cell.example, manner=manner),
        body=write_slots(cell.body_rules, evidence=cell.example, manner=manner),
        max_segments=usual,
    )
    yield _Trial("without facts", title={}, body={}, max_segments=usual)


def _write_longest(rules: Iterable[SlotRule], *, manner: Manner, letter: str) -> dict[str, str]:
    """The longest value of each slot."""
    longest = {}
    for rule in rules:
        written = (
            write_slots((rule,), evidence={rule.name: fact}, manner=manner)[rule.name]
            for fact in list_largest(rule, manner=manner, letter=letter)
        )
        longest[rule.name] = max(written, key=len)
    return longest


def list_largest(rule: SlotRule, *, manner: Manner, letter: str) -> tuple[Scalar, ...]:
    """Facts of which one is written longest in a slot; a text is made of the letter."""
    if rule.kind is FactKind.TEXT:
        return (letter * (rule.room or 0),)
    if rule.kind is FactKind.COUNT:
        has_noun = rule.name in manner.language.plurals
        return (_LARGEST_WITH_NOUN if has_noun else _LARGEST_COUNT,)
    return _LARGEST[rule.kind]
