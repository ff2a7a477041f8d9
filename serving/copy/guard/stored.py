"""The check of a draft: words with slots, before anybody's facts are known."""

from collections.abc import Iterator

from features.vocabulary import Channel
from serving.copy.brief import Brief, Offer
from serving.copy.checks import find_size_faults
from serving.copy.draft import Draft
from serving.copy.drafted import compile_draft
from serving.copy.guard.faults import Fault, FaultCode
from serving.copy.guard.form import (
    MAX_PREHEADER,
    find_call_faults,
    find_hidden_faults,
    find_service_faults,
)
from serving.copy.guard.grounds import Grounds, take_out
from serving.copy.guard.lexicon import Lexicon
from serving.copy.guard.markup import find_plain_markup, read_markdown
from serving.copy.guard.reading import GAP, show
from serving.copy.guard.slot_rules import (
    OFFER,
    find_missing_item,
    find_piece_faults,
    may_greet_in,
)
from serving.copy.guard.words import find_word_faults
from serving.copy.library import Library
from serving.copy.sizes import LIMITS, MAX_CTA_CHARACTERS
from serving.copy.template import compile_template
from serving.copy.wordings import Piece

_SENTENCES = frozenset({"update"})  # slots whose value ends with its own full stop
_UNNAMED = "draft"
_VALUE_ROOM = 14  # of a value whose kind bounds it: "30 September"


def find_draft_faults(
    draft: Draft, *, brief: Brief, lexicon: Lexicon, library: Library
) -> Iterator[Fault]:
    """Everything wrong with a draft."""
    yield from _find_shape_faults(draft)
    grounds = _ground(draft, brief)
    pieces = _list_pieces(draft)
    faults: list[Fault] = []
    for place, piece in pieces:
        faults += find_piece_faults(
            piece,
            brief=brief,
            language=library.languages[brief.language],
            lexicon=lexicon,
            place=place,
            may_greet=place.startswith("body") and may_greet_in(draft.channel),
        )
    faults += find_missing_item(draft.body, brief=brief)
    yield from faults
    for place, piece in pieces:
        yield from _find_piece_word_faults(piece, draft, grounds, lexicon, place)
    if draft.cta:
        cta = take_out(show(draft.cta), (brief.brand.name,))
        yield from find_hidden_faults(draft.cta, place="cta")
        yield from find_word_faults(cta, grounds=grounds, lexicon=lexicon, place="cta")
    for twin in ("facts", "plain"):
        yield from _find_form_faults(draft, grounds, lexicon, twin)
    yield from _find_length_faults(draft, brief)
    if not faults:
        yield from _find_size_faults(draft, brief, library)


def _ground(draft: Draft, brief: Brief) -> Grounds:
    """What a draft may claim by itself: nothing, but to call an offer that it holds an offer.

    It may hold no link, allowed or not.
    """
    texts = [twin for _, piece in _list_pieces(draft) for twin in (piece.facts, piece.plain)]
    holds_offer = any(f"{{{OFFER}}}" in text for text in texts)
    return Grounds(
        channel=draft.channel,
        language=brief.language,
        brand=brief.brand.model_copy(update={"allowed_hosts": ()}),
        is_service=brief.trigger.is_service,
        trigger=brief.trigger,
        offers=brief.offers if holds_offer else (),
    )


def _list_pieces(draft: Draft) -> list[tuple[str, Piece]]:
    """Pieces with their places; a button's label is none."""
    named = (("title", draft.title), ("preheader", draft.preheader))
    pieces = [(place, piece) for place, piece in named if piece is not None]
    return [*pieces, *((f"body.{n}", piece) for n, piece in enumerate(draft.body))]


def _find_shape_faults(draft: Draft) -> Iterator[Fault]:
    """Parts that the channel has and the draft lacks, or the other way round."""
    limits = LIMITS[draft.channel]
    if limits.title is not None and draft.title is None:
        yield Fault(FaultCode.EMPTY, "title", "", f"a title: {draft.channel} shows one")
    if limits.title is None and draft.title is not None:
        expected = f"no title: {draft.channel} shows none"
        yield Fault(FaultCode.LENGTH, "title", draft.title.facts, expected)
    if draft.channel is not Channel.EMAIL:
        if draft.preheader is not None:
            expected = "no preheader: only e-mail shows one"
            yield Fault(FaultCode.LENGTH, "preheader", draft.preheader.facts, expected)
        if len(draft.body) > 1:
            yield Fault(FaultCode.LENGTH, "body", f"{len(draft.body)} paragraphs", "one")
    if draft.channel is Channel.SMS and draft.cta:
        yield Fault(FaultCode.CALL_TO_ACTION, "cta", draft.cta, "no button: an SMS has none")
    yield from _find_empty(draft)


def _find_empty(draft: Draft) -> Iterator[Fault]:
    """Pieces without words."""
    for place, piece in _list_pieces(draft):
        for twin, text in (("facts", piece.facts), ("plain", piece.plain)):
            template = compile_template(text)
            if not any(c.isalnum() for part in template.parts for c in part):
                yield Fault(FaultCode.EMPTY, f"{place}.{twin}", text, "words")
            elif text != text.strip():
                yield Fault(FaultCode.EMPTY, f"{place}.{twin}", text[:40], "no space around it")


def _mask(text: str, brand: str) -> str:
    """A twin as it is read, a gap in place of each slot."""
    parts = compile_template(text).parts
    gaps = {slot: f"{GAP}." if slot in _SENTENCES else GAP for slot in parts[1::2]}
    read = (gaps[part] if at % 2 else show(part) for at, part in enumerate(parts))
    return take_out("".join(read), (brand,))


def _find_piece_word_faults(
    piece: Piece, draft: Draft, grounds: Grounds, lexicon: Lexicon, place: str
) -> Iterator[Fault]:
    twins = (
        {piece.facts: "facts"}
        if piece.facts == piece.plain
        else {
            piece.facts: "facts",
            piece.plain: "plain",
        }
    )
    for text, twin in twins.items():
        where = f"{place}.{twin}"
        yield from find_hidden_faults(text, place=where)
        shown = _mask(text, grounds.brand.name)
        if draft.channel is Channel.IN_APP and place.startswith("body"):
            shown, links, faults = read_markdown(shown)
            yield from faults
            for link in links:
                yield Fault(FaultCode.LINK, where, link, "no link: the button leads on")
        else:
            yield from find_plain_markup(shown, place=where)
        yield from find_word_faults(shown, grounds=grounds, lexicon=lexicon, place=where)


def _find_form_faults(
    draft: Draft, grounds: Grounds, lexicon: Lexicon, twin: str
) -> Iterator[Fault]:
    brand = grounds.brand.name
    blocks = [_mask(getattr(piece, twin), brand) for piece in draft.body]
    yield from find_call_faults("\n".join(blocks), cta=draft.cta, lexicon=lexicon)
    if grounds.is_service:
        title = None if draft.title is None else _mask(getattr(draft.title, twin), brand)
        fewest = 1 if draft.channel is Channel.PUSH else 2
        yield from find_service_faults(
            title, blocks, lexicon=lexicon, fewest=fewest, place=f"body.{twin}"
        )


def _find_length_faults(draft: Draft, brief: Brief) -> Iterator[Fault]:
    """Lengths that the compiled text does not show: the label, the preheader."""
    if len(draft.cta) > MAX_CTA_CHARACTERS:
        expected = f"at most {MAX_CTA_CHARACTERS} characters"
        yield Fault(FaultCode.LENGTH, "cta", draft.cta, expected)
    if draft.preheader is None:
        return
    rooms = {slot.name: slot.room or _VALUE_ROOM for slot in brief.slots}
    for twin, text in (("facts", draft.preheader.facts), ("plain", draft.preheader.plain)):
        parts = compile_template(text).parts
        values = sum(rooms.get(slot, len(brief.brand.name)) for slot in parts[1::2])
        length = sum(map(len, parts[::2])) + values
        if length > MAX_PREHEADER:
            expected = f"at most {MAX_PREHEADER} characters with the longest facts"
            yield Fault(FaultCode.LENGTH, f"preheader.{twin}", f"{length} characters", expected)


def _find_size_faults(draft: Draft, brief: Brief, library: Library) -> Iterator[Fault]:
    """Texts that break the limits of the channel with the longest facts, or with none."""
    code = FaultCode.SEGMENTS if draft.channel is Channel.SMS else FaultCode.LENGTH
    offer = _find_longest_offer(brief)
    variant = compile_draft(draft, variant_id=_UNNAMED, library=library, offer=offer)
    faults = find_size_faults(variant, max_segments=brief.max_segments, brand=brief.brand.name)
    for fault in faults:
        told = fault.removeprefix(f"{draft.language}: ").replace(f"{_UNNAMED}: ", "", 1)
        yield Fault(code, "draft", told, "a text within the limits of its channel")


def _find_longest_offer(brief: Brief) -> Offer | None:
    said = [offer for offer in brief.offers if brief.language in offer.words]
    return max(said, key=lambda offer: len(offer.words[brief.language]), default=None)
