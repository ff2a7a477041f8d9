"""A cell's texts side by side: stored variants, and the templates they must beat."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from pydantic import ValidationError

from features.economics import Economics
from features.evidence import FACTS, Evidence
from features.vocabulary import Channel
from serving.console.cards import Card, Preview
from serving.console.cells import CellKey
from serving.console.differences import find_own_words, mark_html
from serving.console.drawings import describe_size, draw
from serving.console.values import Case, Values, make_case
from serving.copy.content import Content, Unrenderable
from serving.copy.drafted import compile_draft
from serving.copy.library import Library
from serving.copy.render import fill
from serving.copy.settings import CopySettings
from serving.copy.slots import BRAND, Manner, write_slots
from serving.copy.stored import StoredVariant, VariantEvent
from serving.copy.variants import Cell, Variant
from serving.copywriter.measures import DraftMeasures, measure_draft
from serving.faults import describe_validation


@dataclass(frozen=True)
class _Written:
    """The words of a variant, or why there are none.

    Attributes:
        content: As it would be sent.
        values: What its slots hold, the brand among them.
        preheader: Of an e-mail that has one.
    """

    content: Content | Unrenderable
    values: Mapping[str, str]
    preheader: str | None = None

    @property
    def words(self) -> str:
        """All that is compared with siblings."""
        if isinstance(self.content, Unrenderable):
            return ""
        body = self.content.plain_text or self.content.body
        return "\n".join(filter(None, (self.content.subject, self.preheader, body)))


@dataclass(frozen=True)
class Gallery:
    """Draws the texts of cells.

    Attributes:
        library: The texts that ship: controls, languages, examples.
        settings: The sender.
        economics: What sending costs.
    """

    library: Library
    settings: CopySettings
    economics: Economics

    def hang(
        self,
        key: CellKey,
        *,
        rows: Sequence[StoredVariant],
        histories: Mapping[str, Sequence[VariantEvent]],
        today: date,
        values: Values,
        is_marked: bool,
    ) -> tuple[Card, ...]:
        """Cards of a cell: the stored variants, then the templates.

        Args:
            key: Which cell.
            rows: Its stored variants, in the order of the cards.
            histories: What was done to each of them, by its name.
            today: The day (UTC) on which they are looked at: offers end.
            values: Which facts fill the slots.
            is_marked: Whether the words that a text has alone are marked.
        """
        variants = {
            **{row.variant_id: self._compile(row) for row in rows},
            **{variant.variant_id: variant for variant in self._list_templates(key)},
        }
        example = _collect_examples(rows)
        written = {
            name: self._write(variant, key=key, values=values, example=example)
            for name, variant in variants.items()
        }
        previews = {
            name: self._preview(one, key=key, own=_find_own(name, written) if is_marked else ())
            for name, one in written.items()
        }
        stored = {row.variant_id: row for row in rows}
        return tuple(
            Card(
                name,
                preview,
                row,
                history=histories[name],
                measures=_measure(row, rows, written[name]),
                ended=row.offer if row.offer is not None and row.offer.has_ended(today) else None,
            )
            if (row := stored.get(name)) is not None
            else Card(name, preview)
            for name, preview in previews.items()
        )

    def _compile(self, row: StoredVariant) -> Variant | Unrenderable:
        if row.draft.language not in self.library.languages:
            return Unrenderable(f"the library has no texts in {row.draft.language!r}")
        if row.offer is not None and row.draft.language not in row.offer.words:
            return Unrenderable(f"offer {row.offer.offer_id} has no words in {row.draft.language}")
        return compile_draft(
            row.draft, variant_id=row.variant_id, library=self.library, offer=row.offer
        )

    def _write(
        self,
        variant: Variant | Unrenderable,
        *,
        key: CellKey,
        values: Values,
        example: Evidence,
    ) -> _Written:
        if isinstance(variant, Unrenderable):
            return _Written(variant, values={})
        cell = variant.cells[key.language]
        manner = Manner(cell.language, currency=self.settings.currency)
        told = {**example, **cell.example}
        case = make_case(values, example=told, cell=cell, manner=manner)
        brand = {BRAND: self.settings.brand}
        title = write_slots(cell.title_rules, evidence=case.evidence, manner=manner) | brand
        body = write_slots(cell.body_rules, evidence=case.evidence, manner=manner) | brand
        if empty := _find_empty_slots(cell, title=title, body=body):
            return _Written(Unrenderable(f"nothing fills {', '.join(empty)}"), values=body)
        preheader = cell.preheader
        return _Written(
            self._fill(variant, language=key.language, case=case),
            values=body,
            preheader=None if preheader is None else preheader.choose(body).fill(body),
        )

    def _fill(self, variant: Variant, *, language: str, case: Case) -> Content | Unrenderable:
        try:
            return fill(
                variant,
                language=language,
                evidence=case.evidence,
                first_name=case.first_name,
                settings=self.settings,
            )
        except ValidationError as error:  # what the checks refused is kept: it may be empty
            return Unrenderable(describe_validation(error))

    def _preview(
        self, written: _Written, *, key: CellKey, own: Collection[str]
    ) -> Preview | Unrenderable:
        content = written.content
        if isinstance(content, Unrenderable):
            return content
        return Preview(
            drawing=draw(content, channel=key.channel, preheader=written.preheader, own=own),
            size=describe_size(content, channel=key.channel),
            cost_cents=self.economics.send_cost_cents(key.channel, n_segments=content.n_segments),
            cta=content.cta,
            language=content.language,
            html=mark_html(content.body, own=own) if key.channel is Channel.EMAIL else None,
        )

    def _list_templates(self, key: CellKey) -> list[Variant]:
        return [
            variant
            for variant in self.library.variants(key.trigger, key.channel)
            if variant.is_template and key.language in variant.cells
        ]


def _find_empty_slots(
    cell: Cell, *, title: Mapping[str, str], body: Mapping[str, str]
) -> list[str]:
    """Slots that stay without a value; only texts that the checks refused have any."""
    lines = [(line, body) for line in (*cell.body, cell.preheader) if line is not None]
    if cell.title is not None:
        lines.append((cell.title, title))
    return sorted(
        {slot for line, known in lines for slot in line.choose(known).slots - known.keys()}
    )


def _collect_examples(rows: Sequence[StoredVariant]) -> dict[str, str | int | float]:
    """What the briefs gave as examples; optional facts may be nowhere else."""
    return {
        slot.name: slot.example
        for row in rows
        for slot in row.brief.slots
        if slot.name in {fact.name for fact in FACTS[row.draft.trigger]}
    }


def _measure(row: StoredVariant, rows: Sequence[StoredVariant], written: _Written) -> DraftMeasures:
    siblings = [other.draft for other in rows if other.variant_id != row.variant_id]
    return measure_draft(row.draft, values=written.values, siblings=siblings)


def _find_own(name: str, written: Mapping[str, _Written]) -> frozenset[str]:
    """Words that one of the texts has alone."""
    siblings = [one.words for other, one in written.items() if other != name]
    return find_own_words(written[name].words, siblings=siblings)
