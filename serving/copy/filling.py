"""Filling many messages: a wording is composed once, and then filled with each one's values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from features.evidence import Evidence, FactKind, Scalar
from features.vocabulary import Channel
from serving.copy.cleaning import clean_first_name, escape_markdown
from serving.copy.compose import Filling, choose_opening, find_excess, write_openings
from serving.copy.content import Unrenderable
from serving.copy.frames import Filled
from serving.copy.languages import Language, choose_language
from serving.copy.openings import Opening, Value, mark_values
from serving.copy.settings import CopySettings
from serving.copy.sizes import LIMITS, Limits
from serving.copy.slots import BRAND, Manner, SlotRule, write_slots
from serving.copy.variants import Cell, Variant

_MOST_KNOWN = 8192  # values of a slot, or texts without facts, remembered at once

_NOT_YET: Final = "\0"  # stands for a value that was not written yet


@dataclass(frozen=True)
class Filler:
    """Fills variants of one library for one sender, and remembers what it has composed."""

    settings: CopySettings
    _cells: dict[tuple[str, str], "_CellFiller"] = field(
        default_factory=dict, compare=False, repr=False
    )
    _plain: dict[tuple[str, str, Value], Filled] = field(
        default_factory=dict, compare=False, repr=False
    )
    _writers: dict[tuple[SlotRule, str], "_SlotWriter"] = field(
        default_factory=dict, compare=False, repr=False
    )

    def fill(
        self,
        variant: Variant,
        *,
        language: str,
        evidence: Evidence,
        first_name: str | None,
        timezone: str,
    ) -> Filled:
        """The words with the facts, or without them where these cannot be shown.

        A text without facts is written once for all of one name, and is the same object.

        Args:
            variant: What to say and how.
            language: The customer's; see `CopySettings.language_fallbacks`.
            evidence: Facts of the case that fit the trigger, or none.
            first_name: The customer's; ignored unless it looks like a name.
            timezone: The customer's (IANA).
        """
        name = clean_first_name(first_name)
        cell = self._cells.get((variant.variant_id, language))
        if cell is None:
            cell = self._cells[variant.variant_id, language] = self._compile(variant, language)
        if evidence:
            filled = cell.fill(evidence, first_name=name, timezone=timezone)
            if isinstance(filled, Filled):
                return filled
        key = (variant.variant_id, language, name)
        known = self._plain.get(key)
        if known is None:
            if len(self._plain) >= _MOST_KNOWN:
                self._plain.clear()
            known = self._plain[key] = _fill_plain(cell, name)
        return known

    def _compile(self, variant: Variant, language: str) -> "_CellFiller":
        code = language
        if code not in variant.cells:
            fallbacks = self.settings.language_fallbacks
            code = choose_language(language, available=variant.cells, fallbacks=fallbacks)
        cell = variant.cells[code]
        rules = (*cell.title_rules, *cell.body_rules)
        writers = tuple(self._find_writer(rule, cell.language) for rule in rules)
        return _CellFiller(variant, cell, self.settings, writers, LIMITS[variant.channel])

    def _find_writer(self, rule: SlotRule, language: Language) -> "_SlotWriter":
        """The writer that all variants share; texts are written alike in every language."""
        key = (rule, "" if rule.kind is FactKind.TEXT else language.code)
        writer = self._writers.get(key)
        if writer is None:
            manner = Manner(language, currency=self.settings.currency)
            writer = self._writers[key] = _SlotWriter(rule, manner)
        return writer


def _fill_plain(cell: "_CellFiller", name: Value) -> Filled:
    filled = cell.fill({}, first_name=name, timezone="UTC")
    if isinstance(filled, Filled):
        return filled
    # The library's loader proves that the text without facts fits; this is a bug.
    raise AssertionError(f"a text without facts cannot be filled: {filled.reason}")


@dataclass(frozen=True)
class _SlotWriter:
    """Writes the values of one slot in one place, language and currency; remembers them."""

    rule: SlotRule
    manner: Manner
    _known: dict[tuple[Scalar, str | None], Value] = field(default_factory=dict)

    def write(self, evidence: Evidence, *, timezone: str) -> Value:
        """The value; None where its fact is absent or can't be shown.

        Raises:
            ValueError, ArithmeticError: A number or a time that no calendar or text can hold.
            ZoneInfoNotFoundError, OSError: An unknown time zone, of a moment.
        """
        fact = evidence.get(self.rule.name)
        if fact is None:
            return None
        zone = timezone if self.rule.kind is FactKind.MOMENT else None
        key = (fact, zone)
        known = self._known.get(key, _NOT_YET)
        if known is not _NOT_YET:
            return known
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        manner = self.manner
        if zone is not None:
            manner = Manner(manner.language, currency=manner.currency, zone=ZoneInfo(zone))
        written = write_slots((self.rule,), evidence=evidence, manner=manner).get(self.rule.name)
        self._known[key] = written
        return written


@dataclass(frozen=True)
class _CellFiller:
    """Fills one cell; openings are composed when just these values are known for the first time.

    Attributes:
        variant: What is said and how.
        cell: In one language.
        settings: The sender.
        writers: Of the slots in the title, then of those in the body.
        limits: Of the channel.
    """

    variant: Variant
    cell: Cell
    settings: CopySettings
    writers: tuple[_SlotWriter, ...]
    limits: Limits
    _openings: dict[tuple[bool, ...], tuple[Opening, ...]] = field(default_factory=dict)

    def fill(
        self, evidence: Evidence, *, first_name: Value, timezone: str
    ) -> Filled | Unrenderable:
        """The words of one message, within the channel's limits, or why there are none."""
        try:
            values = [writer.write(evidence, timezone=timezone) for writer in self.writers]
        except (ValueError, ArithmeticError, ZoneInfoNotFoundError, OSError) as error:
            return Unrenderable(f"{self.variant.variant_id}: evidence: {error!r}")
        values.append(first_name)
        known = tuple([value is not None for value in values])
        openings = self._openings.get(known)
        if openings is None:
            openings = self._openings[known] = self._compose(known)
        filled = openings[0].fill(values)
        size = openings[0].measure(filled)
        if size.segments == 1 and find_excess(size, limits=self.limits) is None:
            return filled  # the first choice, and nothing could be shorter
        return self._settle(openings, values)

    def _settle(
        self, openings: Sequence[Opening], values: Sequence[Value]
    ) -> Filled | Unrenderable:
        """The opening that fits best, or why none does."""
        filled = [opening.fill(values) for opening in openings]
        sizes = [opening.measure(one) for opening, one in zip(openings, filled, strict=True)]
        chosen = choose_opening(sizes, limits=self.limits)
        excess = find_excess(sizes[chosen], limits=self.limits)
        if excess is not None:
            return Unrenderable(f"{self.variant.variant_id}: {excess}")
        return filled[chosen]

    def _compose(self, known: tuple[bool, ...]) -> tuple[Opening, ...]:
        """The openings where just these values are known."""
        marks = mark_values(self.cell, known=known)
        channel, brand = self.variant.channel, self.settings.brand
        n_title = len(self.cell.title_rules)
        title, body = self.writers[:n_title], self.writers[n_title:]
        filling = Filling(
            title={**_name(title, marks[:n_title]), BRAND: brand},
            body={
                **_name(body, marks[n_title:-1]),
                BRAND: escape_markdown(brand) if channel is Channel.IN_APP else brand,
            },
            first_name=marks[-1],
            settings=self.settings,
        )
        openings = write_openings(self.variant, self.cell, filling=filling)
        return tuple(Opening.of(content, channel=channel, marks=marks) for content in openings)


def _name(writers: Sequence[_SlotWriter], values: Sequence[Value]) -> Mapping[str, str]:
    named = zip(writers, values, strict=True)
    return {writer.rule.name: value for writer, value in named if value is not None}
