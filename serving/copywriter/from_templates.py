"""Drafts laid out of our own templates: the way from draft to arm works without a key.

They say on one channel what ships on another, or under the title of another style: words that ship,
in places where they don't.
"""

from collections.abc import Sequence
from datetime import datetime

from features.vocabulary import Channel
from serving.copy.brief import Brief
from serving.copy.draft import Draft
from serving.copy.library import Library
from serving.copy.stored import CellRecord, Source
from serving.copy.template import GREETING, Template
from serving.copy.variants import Cell as ShippedCell
from serving.copy.variants import Line
from serving.copy.wordings import Piece
from serving.copywriter.drafting import Cell, DraftingReport, check, keep_drafts
from serving.copywriter.reply import WriterOutcome
from serving.copywriter.rules import DraftingRules
from serving.store.variants import VariantShelf

PROMPT_NAME = "templates/1"

_BODY_OF = {Channel.SMS: Channel.PUSH, Channel.WHATSAPP: Channel.SMS, Channel.PUSH: Channel.SMS}
"""Whose text a channel borrows; the others keep their own, under another style's title."""


def lay_out(
    cells: Sequence[Cell],
    shelf: VariantShelf,
    *,
    library: Library,
    rules: DraftingRules,
    by: str,
    at: datetime,
) -> DraftingReport:
    """Keep a draft of templates for each style of each cell; nothing is asked, nothing paid."""
    report = DraftingReport(n_cells=len(cells))
    for cell in cells:
        drafts = draft_from_templates(cell.brief, library=library)
        stored = [
            check(
                draft,
                cell,
                library=library,
                source=Source.TEMPLATE,
                model=None,
                prompt_name=PROMPT_NAME,
                cost_usd=0.0,
                at=at,
            )
            for draft in drafts
        ]
        ok = WriterOutcome.OK
        shelf.note_cell(CellRecord(cell.key, at, ok.value, "", None, PROMPT_NAME, 0.0, len(drafts)))
        report.outcomes[ok] += 1
        keep_drafts(stored, shelf, rules=rules, by=by, at=at, report=report)
    return report


def draft_from_templates(brief: Brief, *, library: Library) -> list[Draft]:
    """A draft for each style that ships, at most as many as are wanted."""
    own = library.variants(brief.trigger, brief.channel)
    lender = _BODY_OF.get(brief.channel, brief.channel)
    drafts = []
    for at, variant in enumerate(own):
        lent = library.variants(brief.trigger, lender)[at].cells[brief.language]
        titled = own[(at + 1) % len(own)].cells[brief.language]
        drafts.append(_lay(brief, body=lent, title=titled, style=variant.style))
    return drafts[: brief.n_variants]


def _lay(brief: Brief, *, body: ShippedCell, title: ShippedCell, style: str) -> Draft:
    return Draft(
        trigger=brief.trigger,
        channel=brief.channel,
        language=brief.language,
        segment=brief.segment,
        title=None if title.title is None else _write_line(title.title),
        body=tuple(_write_line(line) for line in body.body),
        cta="" if brief.channel is Channel.SMS else body.cta,
        angle=style,
    )


def _write_line(line: Line) -> Piece:
    return Piece(facts=_write(line.facts), plain=_write(line.plain))


def _write(template: Template) -> str:
    """The text that a template was compiled from."""
    return f"{{{GREETING}}}{template.words}" if template.is_greeted else template.words
