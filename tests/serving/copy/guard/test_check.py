"""The two checks as a whole: what they take, and what they never do."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.errors import BadInputError
from features.vocabulary import Channel, Trigger
from serving.benchmarks.labelled_copy import list_slots
from serving.copy.brief import Brand, Brief, Offer, OfferKind
from serving.copy.content import Content
from serving.copy.draft import Draft
from serving.copy.guard.check import check_draft, check_text
from serving.copy.guard.faults import Fault, FaultCode
from serving.copy.guard.grounds import Grounds
from serving.copy.guard.marker import ai_marker
from serving.copy.letter import Letter, Link
from serving.copy.library import default_library
from serving.copy.wordings import Piece

_OFFER = Offer(
    offer_id="ten",
    kind=OfferKind.PERCENT_OFF,
    words={"ru": "скидка 10 %"},
    approved_by="owner",
)


def draft_of(text: str, *, channel: Channel = Channel.SMS, language: str = "ru") -> Draft:
    piece = Piece(facts=text, plain=text)
    return Draft(trigger=Trigger.CHURN_RISK, channel=channel, language=language, body=(piece,))


def brief_of(
    draft: Draft, *, brand: Brand, offers: tuple[Offer, ...] = (), language: str | None = None
) -> Brief:
    return Brief(
        trigger=draft.trigger,
        channel=draft.channel,
        language=language or draft.language,
        brand=brand,
        slots=list_slots(
            draft.trigger, draft.channel, language=draft.language, library=default_library()
        ),
        offers=offers,
    )


def codes_of(faults: tuple[Fault, ...]) -> set[FaultCode]:
    return {fault.code for fault in faults}


def test_check_draft_refuses_a_language_without_a_lexicon(brand: Brand) -> None:
    draft = draft_of("{greeting}wie geht es?", language="ru")
    faults = check_draft(draft, brief=brief_of(draft, brand=brand, language="de"))
    assert [(fault.code, fault.found) for fault in faults] == [(FaultCode.LANGUAGE, "de")]


def test_check_draft_takes_no_draft_of_another_trigger(brand: Brand) -> None:
    draft = draft_of("{greeting}как вам у нас?")
    brief = brief_of(draft, brand=brand).model_copy(update={"trigger": Trigger.INACTIVITY})
    with pytest.raises(BadInputError, match=r"draft\.trigger: .*churn_risk.*inactivity"):
        check_draft(draft, brief=brief)


def test_check_draft_lets_an_offer_be_said_only_through_its_slot(brand: Brand) -> None:
    through = draft_of("{greeting}для вас {offer}. Скидка на любой заказ.")
    assert check_draft(through, brief=brief_of(through, brand=brand, offers=(_OFFER,))) == ()
    literal = draft_of("{greeting}для вас скидка 10 %.")
    faults = check_draft(literal, brief=brief_of(literal, brand=brand, offers=(_OFFER,)))
    assert {FaultCode.PROMISE, FaultCode.PERCENT} <= codes_of(faults)
    assert FaultCode.SLOT in codes_of(check_draft(through, brief=brief_of(through, brand=brand)))


def test_check_draft_counts_segments_with_the_longest_facts(brand: Brand) -> None:
    piece = Piece(
        facts="{greeting}новости об инциденте, который вас касается: {incident}. {update} "
        "Как обстоят дела сейчас, всегда видно на странице статуса, загляните туда.",
        plain="{greeting}есть новости об инциденте. Они на странице статуса.",
    )
    draft = Draft(
        trigger=Trigger.INCIDENT_UPDATE, channel=Channel.SMS, language="ru", body=(piece,)
    )
    faults = check_draft(draft, brief=brief_of(draft, brand=brand))
    assert FaultCode.SEGMENTS in codes_of(faults)
    assert any(fault.found.startswith("with the longest facts: ") for fault in faults)
    assert not any("draft" in fault.found for fault in faults)


def test_a_brief_may_ask_for_a_single_segment(brand: Brand) -> None:
    draft = draft_of("{greeting}как вам у нас? Если что-то не так, напишите, хотим помочь.")
    brief = brief_of(draft, brand=brand)
    assert check_draft(draft, brief=brief) == ()
    assert check_draft(draft, brief=brief.model_copy(update={"max_segments": 1})) == ()
    longer = draft_of(
        "{greeting}как вам у нас? Если вам что-то мешает, напишите, мы хотим понять и помочь."
    )
    two, one = (
        brief_of(longer, brand=brand).model_copy(update={"max_segments": n}) for n in (3, 1)
    )
    assert FaultCode.SEGMENTS not in codes_of(check_draft(longer, brief=two))
    assert FaultCode.SEGMENTS in codes_of(check_draft(longer, brief=one))


def test_check_text_takes_amounts_and_days_in_other_words(grounds: Grounds) -> None:
    said = replace(grounds, facts=("14 990\u00a0₸", "26 ноября", "3 дня", "87\u00a0%", "18:30"))
    good = "Цена 14 990 тенге, ждём 26 ноября к 18:30, на три дня позже, это 87 процентов."
    assert check_text(Content(body=good, language="ru", n_segments=2), grounds=said) == ()
    for wrong in (
        "Цена 14 991 тенге.",
        "Цена 14 990 рублей.",
        "Ждём 26 декабря.",
        "Ждём 27 ноября.",
        "Ждём к 18:31.",
        "На четыре дня позже.",
        "Это 88 процентов.",
        "Это 14 990 процентов.",
    ):
        assert check_text(Content(body=wrong, language="ru"), grounds=said), wrong


def test_check_text_does_not_take_a_longer_figure_for_a_fact(grounds: Grounds) -> None:
    said = replace(grounds, facts=("3 товара", "990 ₸", "7"))
    for wrong in ("В корзине 13 товара.", "Цена 14 990 ₸.", "Меньше на 7 %.", "Цена 990 ₸5."):
        assert check_text(Content(body=wrong, language="ru"), grounds=said), wrong


def test_a_confirmed_fact_makes_its_own_words_legal_and_an_item_none(grounds: Grounds) -> None:
    said = replace(grounds, facts=("Мы компенсируем визит из-за жары.",))
    fine = Content(body="Да, компенсируем. Это из-за жары в зале.", language="ru")
    assert check_text(fine, grounds=said) == ()
    item = "Гантель Бесплатно Плюс"
    named = replace(grounds, facts=(item,), named=(item,))
    free = Content(body=f"«{item}» доставим бесплатно.", language="ru")
    assert codes_of(check_text(free, grounds=named)) == {FaultCode.PROMISE}


def test_links_of_a_final_text_lead_to_allowed_hosts_and_a_draft_holds_none(
    grounds: Grounds, brand: Brand
) -> None:
    body = "Расскажите нам: {}"
    for link, is_fine in (
        ("https://teal.example/x", True),
        ("teal.example/x", True),
        ("http://teal.example/x", False),
        ("teal.example.kz", False),
        ("t\u0435al.example", False),
    ):
        faults = check_text(Content(body=body.format(link), language="ru"), grounds=grounds)
        assert (not faults) == is_fine, (link, faults)
    draft = draft_of(body.format("teal.example"))
    assert codes_of(check_draft(draft, brief=brief_of(draft, brand=brand))) == {FaultCode.LINK}


@pytest.mark.parametrize("name", ["{brand}", "Teal"])
def test_a_name_before_a_dot_makes_a_host(brand: Brand, grounds: Grounds, name: str) -> None:
    draft = draft_of(f"{{greeting}}расскажите нам: {name}.kz")
    assert codes_of(check_draft(draft, brief=brief_of(draft, brand=brand))) == {FaultCode.LINK}
    button = replace(grounds, channel=Channel.WHATSAPP)
    for host in ("Teal.evil.example", "https://teal.example.evil.example"):
        content = Content(
            body=f"Расскажите нам: {host}",
            cta="Рассказать",
            cta_url="https://teal.example",
            language="ru",
        )
        assert codes_of(check_text(content, grounds=button)) == {FaultCode.LINK}, host


def test_a_service_email_may_have_a_preheader_and_is_read_without_it(grounds: Grounds) -> None:
    letter = Letter(
        language="ru",
        paragraphs=("Здравствуйте!", "Ваш заказ в пути.", "Мы следим за ним. Ждать не нужно."),
        button=Link("Открыть заказ", "https://teal.example/x"),
        sign_off="Teal",
        reason="Вы получили это письмо о вашем заказе.",
        unsubscribe=None,
        preheader="Он едет к вам",
    )
    asked = replace(grounds, channel=Channel.EMAIL, is_service=True, trigger=Trigger.ORDER_SHIPPED)

    def check(letter: Letter, asked: Grounds = asked) -> set[FaultCode]:
        content = Content(
            subject="Ваш заказ",
            body=letter.to_html(),
            plain_text=letter.to_text(),
            cta=letter.button.label,
            cta_url=letter.button.url,
            language="ru",
        )
        return codes_of(check_text(content, grounds=asked))

    assert check(letter) == set()
    assert check(replace(letter, preheader="Доставим бесплатно")) == {FaultCode.PROMISE}
    # What only the mailbox shows names no item and marks nothing.
    named = replace(asked, facts=("Чайник",), named=("Чайник",))
    assert check(replace(letter, preheader="Чайник"), named) == {FaultCode.SLOT}


def test_check_text_wants_the_marker_where_it_is_asked_for(grounds: Grounds) -> None:
    asked = replace(grounds, channel=Channel.WHATSAPP, needs_marker=True)
    bare = Content(body="Мы прочитали ваше письмо.", language="ru")
    assert codes_of(check_text(bare, grounds=asked)) == {FaultCode.MARKER}
    marked = bare.model_copy(update={"body": f"{bare.body} {ai_marker('ru')}"})
    assert check_text(marked, grounds=asked) == ()


def test_marker_of_an_unknown_language_is_refused() -> None:
    with pytest.raises(BadInputError, match="no marker is written in it, only in en, kk, ru"):
        ai_marker("de")


def test_forbidden_words_are_found_in_any_case(grounds: Grounds) -> None:
    brand = grounds.brand.model_copy(update={"forbidden": ("Личный Кабинет",)})
    content = Content(body="Загляните в личный  кабинет.", language="ru")
    asked = replace(grounds, brand=brand)
    assert codes_of(check_text(content, grounds=asked)) == {FaultCode.FORBIDDEN}
    fine = Content(body="Загляните в кабинет.", language="ru")
    assert check_text(fine, grounds=asked) == ()


def test_emoji_pass_where_the_brand_allows_them(grounds: Grounds) -> None:
    content = Content(body="Как вам у нас? 🙂", language="ru")
    assert codes_of(check_text(content, grounds=grounds)) == {FaultCode.TONE}
    brand = grounds.brand.model_copy(update={"emoji": True})
    assert check_text(content, grounds=replace(grounds, brand=brand)) == ()


def test_faults_say_where_what_and_what_was_expected(brand: Brand) -> None:
    draft = draft_of("{greeting}скидка ждёт вас.")
    (fault,) = check_draft(draft, brief=brief_of(draft, brand=brand))
    assert str(fault) == (
        "body.0.facts: promise: 'скидка', expected a promise only in the words of an approved "
        "offer, through its slot"
    )


_ANYTHING = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cs",)), min_size=1, max_size=80
)


@settings(max_examples=60)
@given(
    text=_ANYTHING,
    channel=st.sampled_from(list(Channel)),
    language=st.sampled_from(["en", "ru", "kk"]),
)
def test_check_text_takes_anything_and_says_the_same_again(
    text: str, channel: Channel, language: str, grounds: Grounds
) -> None:
    asked = replace(grounds, channel=channel, language=language, facts=(text[:10], text[5:]))
    content = Content(subject=text, body=text, plain_text=text, cta=text, language=language)
    assert check_text(content, grounds=asked) == check_text(content, grounds=asked)


@settings(max_examples=60)
@given(text=_ANYTHING, channel=st.sampled_from(list(Channel)))
def test_check_draft_takes_anything(text: str, channel: Channel, brand: Brand) -> None:
    draft = draft_of(text, channel=channel)
    brief = brief_of(draft, brand=brand)
    assert check_draft(draft, brief=brief) == check_draft(draft, brief=brief)


@pytest.mark.parametrize(
    "hidden", ["\u200b", "\u202e", "\u00ad", "\u2028", "\x07", "\U000e0041", "\u0351\u036b\u0343"]
)
def test_nobody_hides_a_character(brand: Brand, grounds: Grounds, hidden: str) -> None:
    clean = draft_of("{greeting}как вам у нас? Расскажите, если не трудно.")
    assert check_draft(clean, brief=brief_of(clean, brand=brand)) == ()
    draft = draft_of(f"{{greeting}}как вам{hidden} у нас? Расскажите, если не трудно.")
    faults = check_draft(draft, brief=brief_of(draft, brand=brand))
    assert FaultCode.MARKUP in codes_of(faults)
    content = Content(body=f"Как вам{hidden} у нас? Расскажите, если не трудно.", language="ru")
    assert FaultCode.MARKUP in codes_of(check_text(content, grounds=grounds))


@pytest.mark.parametrize("item", ["Очень длинное название тов…", "Trail runni..."])
def test_a_value_that_was_cut_ends_no_sentence(grounds: Grounds, item: str) -> None:
    body = f"Тариф «{item}» оплачен не полностью. Мы ждём. Проверьте карту."
    content = Content(body=body, language="ru")
    service = replace(
        grounds,
        channel=Channel.WHATSAPP,
        is_service=True,
        trigger=Trigger.PAYMENT_FAILURE_RISK,
        facts=(item,),
    )
    assert check_text(content, grounds=service) == ()
