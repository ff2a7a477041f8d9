"""Rendering: greetings, fallbacks, hostile facts and refusals."""

import re
from html.parser import HTMLParser

import pytest
from pydantic import ValidationError

from features.evidence import Evidence
from features.vocabulary import Channel, Trigger
from serving.copy.content import Content, Unrenderable
from serving.copy.library import default_library
from serving.copy.render import CopySettings, render
from serving.copy.sizes import LIMITS

DELAY = {
    "order_id": "48213-07",
    "promised_on": "2026-11-23",
    "estimated_on": "2026-11-26",
    "delay_days": 3,
    "urgency": "moderate",
}
SETTINGS = CopySettings(currency="KZT")
HOSTILE = [
    "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "Kettle https://evil.example/pay?x=1 www.evil.example evil.example/x a@evil.example",
    "{first_name} {item} {greeting} {0.__class__} %s ${x} {{x}}",
    "Kettle\r\nBcc: everyone@evil.example\n\n# Win\n- now",
    "\u202eelttek\u2066\u200b\ufeff\x00\x1b[31m",
    "[free](javascript:alert(1)) **now** `x` ![i](https://evil.example/i.png)",
    "W" * 10_000,
    "щ" * 10_000,
    "\U0001f6d2" * 10_000,
    "\u0301" * 300,
    '"><a href="https://evil.example">x</a>',
    '&lt;b&gt; &amp; AT&T\'s "best"',
]


class Tags(HTMLParser):
    """Collects what a mail reader would build."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []
        self.links: list[str | None] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self.links += [value for name, value in attrs if name == "href"]


def write(
    variant_id: str,
    evidence: Evidence,
    *,
    language: str = "en",
    first_name: str | None = None,
    timezone: str | None = None,
    settings: CopySettings = SETTINGS,
) -> Content:
    """Render what must come out."""
    content = render(
        default_library().variant(variant_id),
        language=language,
        evidence=evidence,
        first_name=first_name,
        settings=settings,
        timezone=timezone,
    )
    assert isinstance(content, Content), content
    return content


def refuse(variant_id: str, evidence: Evidence, *, timezone: str | None = None) -> str:
    """Render what must not come out, and say why not."""
    content = render(
        default_library().variant(variant_id),
        language="en",
        evidence=evidence,
        first_name="Anna",
        settings=CopySettings(),
        timezone=timezone,
    )
    assert isinstance(content, Unrenderable), content
    return content.reason


def test_render_writes_the_facts() -> None:
    assert write("delivery_delay.sms.clear", DELAY, first_name="Anna") == Content(
        body="Anna, your order is running late: we now expect it on November 26 instead of "
        "November 23. You don't need to do anything.",
        language="en",
    )
    email = write("delivery_delay.email.clear", DELAY, language="ru", first_name="Анна")
    assert email.subject == "Заказ 48213-07: ждём 26 ноября"
    assert email.plain_text == (
        "Здравствуйте, Анна!\n\n"
        "Заказ 48213-07 задерживается: мы ждём его 26 ноября, на 3 дня позже обещанного.\n\n"
        "Мы следим за доставкой, а на странице заказа видна актуальная дата. "
        "Делать ничего не нужно.\n\n"
        "Отследить заказ: https://example.com/orders\n\n"
        "Команда Opportune\n\n"
        "Вы получили это письмо, потому что оно касается вашего заказа или аккаунта в Opportune."
    )


def test_render_opens_in_upper_case_with_and_without_a_name() -> None:
    assert write("inactivity.sms.warm", {}).body.startswith("We haven't")
    assert write("inactivity.sms.warm", {}, first_name="anna").body.startswith("Anna, we haven't")
    assert write("inactivity.whatsapp.warm", {}).body.startswith("Hello! We haven't")
    assert write("inactivity.whatsapp.warm", {}, first_name="Anna").body.startswith(
        "Hi Anna! We haven't"
    )
    email = write("inactivity.email.warm", {}, language="kk").plain_text
    assert email is not None
    assert email.startswith("Сәлеметсіз бе!\n\nСізді көрмегелі")


def test_render_drops_the_name_rather_than_pay_a_second_segment() -> None:
    short = write("abandoned_cart.sms.clear", {}, language="ru", first_name="Анна")
    long = write("abandoned_cart.sms.clear", {}, language="ru", first_name="Константин")
    assert (short.body[:6], short.n_segments) == ("Анна, ", 1)
    assert (long.body[:9], long.n_segments) == ("В корзине", 1)
    # In English the same name costs nothing but makes Latin text UCS-2.
    latin = write("abandoned_cart.sms.clear", {}, first_name="Константин")
    assert (latin.body[:8], latin.n_segments) == ("You have", 1)


def test_render_drops_the_name_rather_than_break_a_push() -> None:
    content = write(
        "payment_failure_risk.push.clear",
        {"card_expires_on": "2026-09-30", "plan": "Pro"},
        first_name="Maximiliana",
    )
    assert content.body.startswith("It is valid until September 30.")


@pytest.mark.parametrize(
    ("asked", "used"), [("kk", "kk"), ("kk-KZ", "kk"), ("RU", "ru"), ("de", "en"), ("", "en")]
)
def test_render_says_which_language_it_used(asked: str, used: str) -> None:
    assert write("price_drop.push.clear", {}, language=asked).language == used


def test_render_puts_moments_on_the_customers_clock() -> None:
    evidence = {"location": "Oslo", "login_at": "2026-11-23T20:30:00+00:00"}
    there = write("account_anomaly.email.clear", evidence, timezone="Asia/Almaty")
    nowhere = write("account_anomaly.email.clear", evidence)
    assert "Oslo, 1:30 AM on November 24." in there.body
    assert "Oslo, 8:30 PM UTC on November 23." in nowhere.body


def test_render_counts_the_segments_that_a_foreign_value_costs() -> None:
    prices = {"old_price_cents": 1499000, "new_price_cents": 1199000}
    latin = write("price_drop.sms.clear", {"item": "Kettle’s “best” pot, №", **prices})
    assert latin.n_segments == 2  # № is in no SMS alphabet
    latin = write("price_drop.sms.clear", {"item": "Kettle’s “best” — 2", **prices})
    assert latin.body == 'Lower price for Kettle\'s "best" - 2: KZT 11,990 instead of KZT 14,990.'
    assert latin.n_segments == 1


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize("channel", list(Channel))
@pytest.mark.parametrize("language", ["en", "ru", "kk"])
def test_render_survives_hostile_items(value: str, channel: Channel, language: str) -> None:
    evidence = {"item": value, "n_items": 2}
    for style in ("clear", "warm"):
        content = write(
            f"abandoned_cart.{channel}.{style}", evidence, language=language, first_name=value
        )
        words = "\n".join((content.subject or "", content.body, content.plain_text or ""))
        assert "evil.example" not in words
        assert "javascript:" not in words
        assert not re.search(r"[\x00-\x08\x0b-\x1f\u200b\u202e\u2066\ufeff]", words)
        assert "\n" not in (content.subject or "")
        if channel is not Channel.EMAIL:
            assert "\n" not in content.body
        assert len(content.body) <= (LIMITS[channel].body or 134)
        assert content.n_segments <= 2


@pytest.mark.parametrize("value", HOSTILE)
def test_render_builds_the_same_html_whatever_the_item(value: str) -> None:
    def parse(item: str) -> Tags:
        tags = Tags()
        tags.feed(write("abandoned_cart.email.clear", {"item": item, "n_items": 2}).body)
        return tags

    hostile, harmless = parse(value), parse("Kettle")
    assert hostile.names == harmless.names
    assert hostile.links == ["https://example.com/cart", "https://example.com/unsubscribe"]


def test_render_reads_no_template_out_of_a_value() -> None:
    content = write("abandoned_cart.sms.clear", {"item": "{first_name} {brand}", "n_items": 1})
    assert content.body.startswith("You left {first_name} {brand} in your cart.")


def test_render_escapes_markdown_in_app_only() -> None:
    evidence = {"item": "**Hot** [x](y) <Co>", "n_items": 1}
    in_app = write("browse_abandonment.in_app.clear", {"item": evidence["item"]}).body
    push = write("browse_abandonment.push.clear", {"item": evidence["item"]}).body
    assert "at \\*\\*Hot\\*\\* \\[x\\](y) \\<Co\\>." in in_app
    assert "find **Hot** [x](y) <Co> under" in push


def test_render_shortens_a_long_item_and_shows_that_it_did() -> None:
    evidence = {"item": "Extraordinarily long trail running shoes", "n_items": 1}
    assert "left Extraordinarily lon... in" in write("abandoned_cart.sms.clear", evidence).body
    assert "left Extraordinarily long trail runn… in" in (
        write("abandoned_cart.push.clear", evidence).body
    )
    assert evidence["item"] in write("abandoned_cart.email.clear", evidence).body


def test_render_never_shortens_what_must_be_whole() -> None:
    evidence = {
        "order_id": "7",
        "tracking_id": "1Z999AA1012345678499",
        "estimated_on": "2026-11-26",
    }
    fits = write("order_shipped.sms.clear", evidence).body
    too_long = write("order_shipped.sms.clear", {**evidence, "tracking_id": "X" * 21}).body
    linked = write("order_shipped.sms.clear", {**evidence, "tracking_id": "evil.example/x"}).body
    assert "1Z999AA1012345678499" in fits
    plain = "Your order is on its way. You can follow it on your order page."
    assert too_long == linked == plain


def test_render_says_plainly_what_has_no_showable_facts() -> None:
    evidence = {"item": "https://evil.example", "n_items": 2}
    assert write("abandoned_cart.sms.clear", evidence) == write("abandoned_cart.sms.clear", {})


@pytest.mark.parametrize(
    ("variant_id", "evidence", "reason"),
    [
        ("inactivity.sms.clear", {"days": 3}, "inactivity knows no such fact"),
        ("inactivity.sms.clear", {"days_inactive": "3"}, "is not a count"),
        (
            "subscription_limit.push.clear",
            {"used": 10**20, "plan_limit": 10**20, "used_percent": 99.0},
            "characters, at most 100",
        ),
        (
            "price_drop.sms.clear",
            {"item": "Kettle", "old_price_cents": 10**40, "new_price_cents": 1},
            "InvalidOperation",
        ),
        (
            "subscription_limit.sms.clear",
            {"used": 1, "plan_limit": 2, "used_percent": float("inf")},
            "cannot convert float infinity",
        ),
        (
            "account_anomaly.email.clear",
            {"location": "Oslo", "login_at": "0001-01-01T00:00:00+14:00"},
            "date value out of range",
        ),
    ],
)
def test_render_refuses_with_a_reason(variant_id: str, evidence: Evidence, reason: str) -> None:
    said = refuse(variant_id, evidence)
    assert said.startswith(variant_id)
    assert reason in said


@pytest.mark.parametrize("zone", ["", "Asia/Nowhere", "Asia", "../../etc/passwd", "A\0B"])
def test_render_refuses_an_unknown_zone(zone: str) -> None:
    reason = refuse("inactivity.sms.clear", {}, timezone=zone)
    assert reason == f"inactivity.sms.clear: {zone!r} is no IANA time zone"


@pytest.mark.parametrize(
    "setting",
    [
        {"cta_base_url": "http://shop.example"},
        {"cta_base_url": 'https://shop.example/"onclick'},
        {"email_unsubscribe_url": "javascript:alert(1)"},
        {"currency": "usd"},
        {"brand": ""},
        {"brand": "Evil https://evil.example"},
        {"brand": "B" * 31},
        {"colour": "teal"},
    ],
)
def test_copy_settings_refuse_what_no_text_can_use(setting: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        CopySettings.model_validate(setting)


def test_render_writes_the_brand_as_text() -> None:
    settings = CopySettings(brand="<T&C>")
    html = write("churn_risk.email.clear", {}, settings=settings).body
    assert "&lt;T&amp;C&gt;" in html
    assert "<T" not in html
    in_app = write("churn_risk.in_app.clear", {}, settings=settings).body
    assert "from \\<T\\&C\\>?" in in_app


def test_render_is_the_same_every_time() -> None:
    for trigger in Trigger:
        variant_id = f"{trigger}.email.warm"
        evidence = default_library().variant(variant_id).cells["kk"].example
        first = write(variant_id, evidence, language="kk", first_name="Әсел")
        assert (
            write(variant_id, dict(reversed(evidence.items())), language="kk", first_name="Әсел")
            == first
        )
