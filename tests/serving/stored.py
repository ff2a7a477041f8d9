"""Stored variants, made quickly."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime

from features.vocabulary import Channel, Trigger
from serving.copy.brief import Brief, Offer
from serving.copy.draft import Draft
from serving.copy.drafted import variant_id_of
from serving.copy.library import default_library
from serving.copy.settings import CopySettings
from serving.copy.stored import Source, StoredVariant, VariantState
from serving.copy.voice import read_brand
from serving.copy.wordings import Piece
from serving.copywriter.briefing import CellChoice, digest_brief, list_briefs, make_cell_key
from serving.copywriter.rules import load_rules

MADE = datetime(2026, 5, 1, tzinfo=UTC)
TEXTS = {
    "en": ("{greeting}the price of {item} is lower now.", "{greeting}a price is lower now."),
    "ru": ("{greeting}цена на «{item}» теперь ниже.", "{greeting}цена на товар теперь ниже."),
    "kk": ("{greeting}«{item}» бағасы төмендеді.", "{greeting}қараған тауардың бағасы төмендеді."),
}


def make_brief(
    *,
    channel: Channel = Channel.SMS,
    language: str = "en",
    segment: str | None = None,
    offer: Offer | None = None,
) -> Brief:
    """A brief of a price drop."""
    (brief,) = list_briefs(
        CellChoice([Trigger.PRICE_DROP], [channel], [language]),
        rules=load_rules(),
        brand=read_brand(None, settings=CopySettings()),
        offers=(),
        library=default_library(),
        today=date(2026, 5, 1),
    )
    offers = () if offer is None else (offer,)
    return brief.model_copy(update={"segment": segment, "offers": offers})


def make_draft(brief: Brief, *, facts: str | None = None, angle: str = "plain") -> Draft:
    """A draft of that cell, for channels of one paragraph."""
    words, plain = TEXTS[brief.language]
    title = Piece(facts="A lower price", plain="A lower price")
    return Draft(
        trigger=brief.trigger,
        channel=brief.channel,
        language=brief.language,
        segment=brief.segment,
        title=None if brief.channel in (Channel.SMS, Channel.WHATSAPP) else title,
        body=(Piece(facts=facts or words, plain=plain),),
        angle=angle,
    )


def make_stored(
    *,
    language: str = "en",
    segment: str | None = None,
    offer: Offer | None = None,
    facts: str | None = None,
    channel: Channel = Channel.SMS,
) -> StoredVariant:
    """A draft as the store takes it."""
    brief = make_brief(language=language, segment=segment, offer=offer, channel=channel)
    draft = make_draft(brief, facts=facts)
    return StoredVariant(
        variant_id=variant_id_of(draft),
        draft=draft,
        state=VariantState.DRAFT,
        faults=(),
        source=Source.CLAUDE,
        model="claude-x",
        prompt_name="variants/1",
        brief=brief,
        brief_digest=digest_brief(brief),
        cell_key=make_cell_key(brief, prompt_name="variants/1", model="claude-x"),
        cost_usd=0.001,
        created_at=MADE,
    )


def make_offer(*, valid_until: str | None = None, version: int = 1) -> Offer:
    """Free delivery."""
    return Offer(
        offer_id="delivery",
        version=version,
        kind="free",
        words={"en": "free delivery", "ru": "бесплатная доставка"},
        approved_by="Dana",
        valid_until=valid_until,
    )


def with_belief(stored: StoredVariant, *, shift: float) -> StoredVariant:
    return replace(stored, prior_shift=shift, prior_left=0.9)


def ids(stored: Iterable[StoredVariant]) -> list[str]:
    return [one.variant_id for one in stored]
