"""From a draft to a variant that can be sent: compiled as what ships is, in one language."""

import hashlib
import json
import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal

from features.vocabulary import Channel
from serving.copy.brief import Brief, Offer
from serving.copy.cleaning import escape_markdown
from serving.copy.draft import Draft
from serving.copy.library import Library
from serving.copy.slots import Place, plan_slots
from serving.copy.variants import Cell, Line, Variant, compile_line
from serving.copy.wordings import Piece
from serving.policy.cases import to_us

_OFFER = "{offer}"
_ANGLE = re.compile(r"[a-z][a-z0-9_]{0,29}")


def variant_id_of(draft: Draft, *, brief: Brief | None = None) -> str:
    """The name of a draft as an arm: `<trigger>.<channel>.<angle>~<digest of its words>`.

    The same words have the same name, other words another. Variants of one angle are of one style
    to the bandit, which so learns how an angle does before it knows the words.

    Args:
        draft: The words.
        brief: What was asked for: under another version of the voice, or with another offer, the
            same words are a variant of their own, since what was approved of them was retired.
            Null where nothing hangs on that.
    """
    told: dict[str, object] = draft.model_dump(mode="json", exclude={"angle"})
    if brief is not None:
        told["voice"] = brief.brand.version
        told["offers"] = [offer.model_dump(mode="json") for offer in brief.offers]
    text = json.dumps(told, sort_keys=True, ensure_ascii=False)
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
        offer: Whose words stand where `{offer}` does; they are put in as they are, escaped where a
            text is Markdown.
        source: Who wrote it.
    """
    shipped = library.variants(draft.trigger, draft.channel)[0]
    model = shipped.cells[draft.language]
    promised = "" if offer is None else offer.words[draft.language]
    title = None if draft.title is None else _compile(draft.title, promised)
    preheader = None if draft.preheader is None else _compile(draft.preheader, promised)
    shown = escape_markdown(promised) if draft.channel is Channel.IN_APP else promised
    body = tuple(_compile(piece, shown) for piece in draft.body)
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


def _compile(piece: Piece, promised: str) -> Line:
    """A piece with the words of its offer."""
    facts, plain = (text.replace(_OFFER, promised) for text in (piece.facts, piece.plain))
    return compile_line(Piece(facts=facts, plain=plain))
