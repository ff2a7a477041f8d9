"""Variants to look at: every channel, three languages, good ones and one with faults."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from features.vocabulary import Channel, Trigger
from serving.copy.brief import Brand, Brief, Offer, OfferKind
from serving.copy.draft import Draft
from serving.copy.drafted import variant_id_of
from serving.copy.guard.faults import Fault, FaultCode
from serving.copy.stored import Source, StoredVariant, VariantState
from serving.copy.wordings import Piece
from serving.store.variants import VariantShelf

MADE_AT = datetime(2026, 11, 20, 6, tzinfo=UTC)
BRAND = Brand(name="Teal")


def piece(facts: str, plain: str | None = None) -> Piece:
    return Piece(facts=facts, plain=facts if plain is None else plain)


def stored(
    draft: Draft,
    *,
    minutes: int = 0,
    offers: tuple[Offer, ...] = (),
    faults: Sequence[Fault] = (),
    score: float | None = None,
) -> StoredVariant:
    """A variant as a writer would have left it."""
    brief = Brief(
        trigger=draft.trigger,
        channel=draft.channel,
        language=draft.language,
        segment=draft.segment,
        brand=BRAND,
        offers=offers,
    )
    return StoredVariant(
        variant_id=variant_id_of(draft),
        draft=draft,
        state=VariantState.FAULTY if faults else VariantState.DRAFT,
        faults=tuple(faults),
        source=Source.CLAUDE,
        model="claude-sonnet-5-5",
        prompt_name="variants/3",
        brief=brief,
        brief_digest=sha256(brief.model_dump_json().encode()).hexdigest(),
        cell_key="cell",
        cost_usd=0.0031,
        created_at=MADE_AT + timedelta(minutes=minutes),
        score=score,
    )


def sms_en(body: str, plain: str, *, angle: str) -> Draft:
    return Draft(
        trigger=Trigger.PRICE_DROP,
        channel=Channel.SMS,
        language="en",
        body=(piece(body, plain),),
        angle=angle,
    )


PRICE_SMS_EN = (
    stored(
        sms_en(
            "{greeting}{item} costs less now: {new_price_cents}, it was {old_price_cents}.",
            "{greeting}something you looked at costs less now.",
            angle="the item first",
        ),
        score=4.4,
    ),
    stored(
        sms_en(
            "{greeting}you looked at {item}. Its price fell from {old_price_cents} to "
            "{new_price_cents}, so you may want to look at it again. It waits there.",
            "{greeting}the price of what you looked at fell. It waits there.",
            angle="a longer story",
        ),
        minutes=1,
        score=3.6,
    ),
    stored(
        sms_en(
            "{greeting}last chance: {item} is almost free at {new_price_cents}.",
            "{greeting}last chance to buy what you looked at.",
            angle="urgency",
        ),
        minutes=2,
        faults=(
            Fault(FaultCode.PROMISE, "body.0.facts", "free", "no promise without an offer"),
            Fault(FaultCode.TONE, "body.0.facts", "last chance", "no pressure"),
        ),
    ),
)

DELAY_SMS_RU = (
    stored(
        Draft(
            trigger=Trigger.DELIVERY_DELAY,
            channel=Channel.SMS,
            language="ru",
            body=(
                piece(
                    "{greeting}заказ {order_id} задерживается. Новая дата: {estimated_on}. "
                    "Мы уже следим за доставкой, от вас ничего не нужно.",
                    "{greeting}ваш заказ задерживается. Мы следим за доставкой и напишем вам.",
                ),
            ),
            angle="сначала главное",
        ),
        minutes=3,
        score=4.1,
    ),
    stored(
        Draft(
            trigger=Trigger.DELIVERY_DELAY,
            channel=Channel.SMS,
            language="ru",
            body=(
                piece(
                    "{greeting}нам жаль: заказ {order_id} придёт позже, {estimated_on}.",
                    "{greeting}нам жаль: заказ придёт позже. Мы напишем, когда он будет в пути.",
                ),
            ),
            angle="сочувствие",
        ),
        minutes=4,
        score=4.6,
    ),
)

CART_PUSH_KK = (
    stored(
        Draft(
            trigger=Trigger.ABANDONED_CART,
            channel=Channel.PUSH,
            language="kk",
            title=piece("Себетіңіз сақталды"),
            body=(
                piece(
                    "{item} себетіңізде күтіп тұр. Қалаған уақытта жалғастыра аласыз.",
                    "Таңдаған тауарларыңыз себетте күтіп тұр.",
                ),
            ),
            cta="Себетке өту",
            angle="тауардың аты",
        ),
        minutes=5,
    ),
    stored(
        Draft(
            trigger=Trigger.ABANDONED_CART,
            channel=Channel.PUSH,
            language="kk",
            title=piece("Бірдеңе ұмыттыңыз ба?"),
            body=(piece("Себетіңіздегі {item} орнында. Сұрағыңыз болса, жазыңыз."),),
            cta="Себетке өту",
            angle="сұрақ",
        ),
        minutes=6,
    ),
)

INACTIVE_IN_APP_RU = (
    stored(
        Draft(
            trigger=Trigger.INACTIVITY,
            channel=Channel.IN_APP,
            language="ru",
            segment="new",
            title=piece("С возвращением"),
            body=(
                piece(
                    "Вас не было **{days_inactive}**. Всё, что вы настроили, на своих местах.",
                    "Рады вас видеть. Всё, что вы настроили, **на своих местах**.",
                ),
            ),
            cta="Посмотреть",
            angle="всё на местах",
        ),
        minutes=7,
    ),
)

DROP_WHATSAPP_RU = (
    stored(
        Draft(
            trigger=Trigger.PRICE_DROP,
            channel=Channel.WHATSAPP,
            language="ru",
            body=(
                piece(
                    "{greeting}«{item}» теперь стоит {new_price_cents} вместо {old_price_cents}. "
                    "Если он вам ещё нужен, товар ждёт в недавно просмотренном.",
                    "{greeting}то, что вы смотрели, подешевело.",
                ),
            ),
            cta="Посмотреть товар",
            angle="спокойно",
        ),
        minutes=8,
    ),
)

OFFER = Offer(
    offer_id="free-month",
    kind=OfferKind.FREE,
    words={"en": "a month of Plus on us", "ru": "месяц Plus за наш счёт"},
    approved_by="Marat",
)

LETTER_EN = (
    stored(
        Draft(
            trigger=Trigger.PRICE_DROP,
            channel=Channel.EMAIL,
            language="en",
            title=piece("{item} costs less now", "Something you looked at costs less now"),
            preheader=piece(
                "{new_price_cents} instead of {old_price_cents}", "See it under recently viewed"
            ),
            body=(
                piece(
                    "You looked at {item}. It now costs {new_price_cents}; it was "
                    "{old_price_cents}.",
                    "Something you looked at costs less now.",
                ),
                piece("If you no longer need it, there is nothing you need to do."),
            ),
            cta="See the item",
            angle="plain facts",
        ),
        minutes=9,
        score=4.2,
    ),
    stored(
        Draft(
            trigger=Trigger.PRICE_DROP,
            channel=Channel.EMAIL,
            language="en",
            title=piece("A better price for what you liked"),
            body=(
                piece(
                    "Good news about {item}: {new_price_cents} now. And we add {offer}.",
                    "Good news about what you liked: a better price. And we add {offer}.",
                ),
                piece("Take your time: whether and when to buy is up to you."),
            ),
            cta="See the item",
            angle="with an offer",
        ),
        minutes=10,
        offers=(OFFER,),
        score=3.9,
    ),
)

SAMPLES = (
    *PRICE_SMS_EN,
    *DELAY_SMS_RU,
    *CART_PUSH_KK,
    *INACTIVE_IN_APP_RU,
    *DROP_WHATSAPP_RU,
    *LETTER_EN,
)


def put_samples(shelf: VariantShelf, samples: Sequence[StoredVariant] = SAMPLES) -> None:
    """Lay variants on a shelf, with the scores that they have."""
    shelf.add([replace(one, score=None) for one in samples], by="opportune copy draft")
    for one in samples:
        if one.score is not None:
            shelf.score(one.variant_id, score=one.score, by="judge", at=one.created_at)
