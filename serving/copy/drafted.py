"""From a draft to a variant that can be sent: compiled as what ships is, in one language."""

import hashlib
import json
import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal

from serving.copy.brief import Offer
from serving.copy.draft import Draft
from serving.copy.library import Library
from serving.copy.slots import Place, plan_slots
from serving.copy.variants import Cell, Line, Variant, compile_line
from serving.copy.wordings import Piece
from serving.policy.cases import to_us

_OFFER = "{offer}"
_ANGLE = re.compile(r"[a-z][a-z0-9_]{0,29}")


def variant_id_of(draft: Draft) -> str:
    """The name of a draft as an arm: `<trigger>.<channel>.<angle>~<digest of its words>`.

    The same words have the same name, other words another. Variants of one angle are of one style
    to the bandit, which so learns how an angle does before it knows the words.
    """
    words = draft.model_dump(mode="json", exclude={"angle"})
    text = json.dumps(words, sort_keys=True, ensure_ascii=False)
    digest = hashlib.blake2b(text.encode(), digest_size=5).hexdigest()
    angle = draft.angle if _ANGLE.fullmatch(draft.angle) else "free"
    return f"{draft.trigger}.{draft.channel}.{angle}~{digest}"


def compile_draft(
    draft: Draft,
    *,
    variant_id: str,
    library: Library,
    offer: Offer | None = None,
    source: Literal["template", "claude"] = "claude",
) -> Variant:
    """A variant with one cell.

    Args:
        draft: Without faults: every slot is known, and no brace is stray.
        variant_id: Its name.
        library: What ships: rooms of the facts, the button's path and label, an example.
        offer: Whose words stand where `{offer}` does; they are put in as they are.
        source: Who wrote it.
    """
    shipped = library.variants(draft.trigger, draft.channel)[0]
    model = shipped.cells[draft.language]
    title = None if draft.title is None else _compile(draft.title, draft, offer)
    preheader = None if draft.preheader is None else _compile(draft.preheader, draft, offer)
    body = tuple(_compile(piece, draft, offer) for piece in draft.body)
    in_body = (*body, *(() if preheader is None else (preheader,)))
    cell = Cell(
        language=model.language,
        title=title,
        body=body,
        cta=draft.cta or model.cta,
        title_rules=plan_slots(
            title.facts.slots if title else (),
            trigger=draft.trigger,
            place=Place.SUBJECT,
            rooms=library.rooms,
        ),
        body_rules=plan_slots(
            frozenset[str]().union(*(line.facts.slots for line in in_body)),
            trigger=draft.trigger,
            place=Place(draft.channel.value),
            rooms=library.rooms,
        ),
        example=model.example,
        preheader=preheader,
    )
    return Variant(
        variant_id=variant_id,
        trigger=draft.trigger,
        channel=draft.channel,
        style=variant_id.rsplit(".", 1)[-1],
        cta_path=shipped.cta_path,
        cells={draft.language: cell},
        segment=draft.segment,
        source=source,
        is_template=False,
        sent_until_us=None if offer is None else _find_end_us(offer),
    )


def _find_end_us(offer: Offer) -> int | None:
    """The first moment, UTC, after an offer's last day; None where it has no end."""
    if offer.valid_until is None:
        return None
    end = date.fromisoformat(offer.valid_until) + timedelta(days=1)
    return to_us(datetime.combine(end, time(), UTC))


def _compile(piece: Piece, draft: Draft, offer: Offer | None) -> Line:
    words = "" if offer is None else offer.words[draft.language]
    return compile_line(
        Piece(facts=piece.facts.replace(_OFFER, words), plain=piece.plain.replace(_OFFER, words))
    )
