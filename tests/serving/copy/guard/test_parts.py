"""Parts of the checks: figures, links, markup, headers, languages, lexicons, phrases."""

import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from features.errors import ConfigurationError
from features.vocabulary import Channel, Trigger
from serving.copy.content import Content
from serving.copy.guard.check import check_text
from serving.copy.guard.faults import FaultCode
from serving.copy.guard.figures import find_figures
from serving.copy.guard.grounds import Grounds
from serving.copy.guard.headers import check_headers, make_unsubscribe_headers
from serving.copy.guard.language import find_foreign
from serving.copy.guard.lexicon import default_lexicons, load_lexicons
from serving.copy.guard.links import find_links, is_allowed
from serving.copy.guard.marker import ai_marker
from serving.copy.guard.markup import read_html, read_markdown, sanitise_html
from serving.copy.guard.phrases import PhraseBook
from serving.copy.guard.reading import GAP
from serving.copy.settings import CopySettings

_LEXICONS = Path(__file__).parents[4] / "serving" / "copy" / "guard" / "lexicons"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("14 990 ₸", [("money", "14990", "KZT")]),
        ("$1,499.90", [("money", "1499.9", "USD")]),
        ("12,5 %", [("percent", "12.5", None)]),
        ("18:30", [("date", "1830", None)]),
        ("2:05 PM", [("date", "205", None)]),
        ("26.11.2026", [("date", "26112026", None)]),
        ("rated 4.9", [("number", "4.9", None)]),
        ("between 9 and 5", [("date", "95", None)]),
        ("+7 701 234 56 78", [("contact", "77012345678", None)]),
        ("SUMMER20", [("contact", "20", None)]),
        ("пусто %", [("percent", "", None)]),
        ("nothing", []),
    ],
)
def test_find_figures_tells_kinds_apart(
    text: str, expected: list[tuple[str, str, str | None]]
) -> None:
    found = [(figure.code.value, figure.value, figure.currency) for figure in find_figures(text)]
    assert found == expected


@pytest.mark.parametrize(
    "text",
    [
        "see teal.kz",
        "see teal。kz",
        "bit.ly/x",
        "evil[.]museum",
        "evil (dot) example",
        "ойын{нүкте}алаң",
        "https://teal.example/x",
        "www.teal",
        "hxxps://x.example",
        "javascript:alert(1)",
        "teal dot com",
        "teal(.)kz",
        "тил.рф",
        "конец.Начало",
        f"{GAP}.kz",
        f"https://{GAP}.evil.example",
        f"{GAP}.evil.example/x",
    ],
)
def test_find_links_finds_whatever_a_phone_would(text: str) -> None:
    assert list(find_links(text))


@pytest.mark.parametrize(
    "text", ["e.g. this", "т.е. так", "Да. Нет.", "1.5", "a...b", "p.m.", f"{GAP}. Да"]
)
def test_find_links_takes_no_abbreviation_for_a_host(text: str) -> None:
    assert not list(find_links(text))


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        ("https://teal.example/x?a=1", True),
        ("https://m.teal.example", True),
        ("https://teal.example:443/", True),
        ("http://teal.example", False),
        ("https://teal.example.evil.com", False),
        ("https://evilteal.example", False),
        ("https://teal.example@evil.com", False),
        ("https://user@teal.example", False),
        ("https://teal.example:8443", False),
        ("https://te\u0430l.example", False),
        ("https://teal.example\\@evil.com", False),
        ("https://[::1", False),
        ("teal.example", False),
    ],
)
def test_is_allowed_takes_only_the_hosts_over_https(link: str, expected: bool) -> None:
    assert is_allowed(link, hosts=("teal.example",)) is expected


@pytest.mark.parametrize(
    "html",
    [
        "<p>x</p><script>y()</script>",
        "<SCRIPT>y()</SCRIPT>",
        '<p onclick="y()">x</p>',
        "<img src=x onerror=y()>",
        '<p style="background:url(https://x.example)">x</p>',
        "<iframe></iframe>",
        "<form></form>",
        "<p>x",
        "<p>x</b>",
        "<p><b>x</p></b>",
        "<p>1 < 2</p>",
        "<!-- x --><p>x</p>",
        "<p title='x'>x</p>",
        '<a href="javascript:y()">x</a>',
        "<svg/onload=y()>",
    ],
)
def test_read_html_refuses_what_runs_or_is_not_closed(html: str) -> None:
    _, faults = read_html(html)
    assert faults
    assert {fault.code for fault in faults} == {FaultCode.MARKUP}


def test_read_html_reads_paragraphs_links_and_buttons() -> None:
    page, faults = read_html(
        '<!doctype html><html lang="en"><head><meta charset="utf-8"></head><body style="color:red">'
        '<p>A &amp; B</p><p><a href="https://x.example/?a=1&amp;b=2">Go</a></p></body></html>'
    )
    assert not faults
    assert page.blocks == ("A & B", "Go")
    assert page.links == ("https://x.example/?a=1&b=2",)


def test_read_html_tells_the_preheader_from_the_text() -> None:
    page, faults = read_html('<body><div style="display:none">A &lt; B</div><p>C</p></body>')
    assert not faults
    assert (page.preheader, page.blocks) == ("A < B", ("C",))


def test_sanitise_html_keeps_words_and_drops_what_runs() -> None:
    dirty = '<p>Hi <b>you</b><script>x()</script><img src="https://x.example/p.png"></p>'
    assert sanitise_html(dirty) == "<p>Hi <b>you</b></p>"


@pytest.mark.parametrize(
    ("text", "is_fine"),
    [
        ("Плейн **важно** и \\*звезда\\*", True),
        ("# Заголовок", False),
        ("![x](https://x.example)", False),
        ("<b>x</b>", False),
        ("<https://x.example>", False),
        ("**не закрыто", False),
        ("```код```", False),
    ],
)
def test_read_markdown_takes_emphasis_only(text: str, is_fine: bool) -> None:
    _, _, faults = read_markdown(text)
    assert (not faults) == is_fine


def test_read_markdown_lists_links_and_unescapes_values() -> None:
    text, links, faults = read_markdown("See [it](https://x.example/a) in 5\\* \\[hotel\\]")
    assert (text, links, faults) == ("See it in 5* [hotel]", ("https://x.example/a",), ())


def test_marketing_headers_hold_both_ways_out() -> None:
    headers = make_unsubscribe_headers(CopySettings())
    assert check_headers(headers, is_service=False) == ()
    assert check_headers({}, is_service=True) == ()
    faults = check_headers({}, is_service=False)
    assert [fault.place for fault in faults] == [
        "headers.List-Unsubscribe",
        "headers.List-Unsubscribe-Post",
    ]


@pytest.mark.parametrize(
    "headers",
    [
        {"List-Unsubscribe": "<mailto:x@teal.example>"},
        {"List-Unsubscribe": "<http://teal.example>"},
        {"List-Unsubscribe-Post": "yes"},
        {"X-Note": "a\r\nBcc: x@evil.example"},
    ],
)
def test_check_headers_refuses_broken_ones(headers: dict[str, str]) -> None:
    whole = {**make_unsubscribe_headers(CopySettings()), **headers}
    assert {fault.code for fault in check_headers(whole, is_service=False)} == {
        FaultCode.UNSUBSCRIBE
    }


@pytest.mark.parametrize(
    ("language", "text", "is_foreign"),
    [
        ("ru", "Ваш тур всё ещё ждёт в корзине", False),
        ("ru", "Себетіңізде тауар қалды", True),
        ("ru", "Сізге көмектесеміз", True),
        ("ru", "Залда тауар калды, ашып кориниз бизге жазыныз", True),
        ("ru", "Якщо чогось не вистачило, розкажіть нам", True),
        ("ru", "Ваш order в пути", True),
        ("ru", "Оплатите через Kaspi или Apple Pay", False),
        ("kk", "Тапсырыс жолда, карта қабылданады", False),
        ("kk", "Ваша корзина ждёт", True),
        ("kk", "Тапсырысыныз жолда, бизге жазып жиберсениз болады", True),
        ("en", "Wir möchten gern wissen, ob alles gut ist", True),
        ("en", "Siparişiniz yolda, bir sorunuz varsa lütfen bize hemen yazın", True),
        ("en", "Your order is on its way to you", False),
        ("en", "OK", False),
    ],
)
def test_find_foreign_knows_its_neighbours(language: str, text: str, is_foreign: bool) -> None:
    assert bool(find_foreign(text, lexicon=default_lexicons()[language])) == is_foreign


def test_phrases_match_words_stems_choices_and_gaps() -> None:
    book = PhraseBook([("last chance*|hope", 1), ("due to .. snow", 2), ("a|b c", 3)])
    words = ["the", "last", "chances", "due", "to", "the", "very", "heavy", "snow", "b", "c"]
    assert [(found.what, found.start, found.stop) for found in book.find(words)] == [
        (1, 1, 3),
        (2, 3, 9),
        (3, 9, 11),
    ]
    assert not list(book.find(["due", "to", "one", "two", "three", "four", "snow"]))


def test_a_language_is_added_by_a_file(tmp_path: Path, grounds: Grounds) -> None:
    shutil.copy(_LEXICONS / "en.yaml", tmp_path / "en.yaml")
    data = yaml.safe_load((_LEXICONS / "en.yaml").read_text(encoding="utf-8"))
    german = {
        "script": "latin",
        "rivals": ["en", "nl"],
        "ai_marker": "Mit Hilfe von KI geschrieben.",
        "legal": ["freies wort"],
        "numbers": {2: ["zwei"]},
        "ones": ["ein"],
        "units": ["tag"],
        "time_units": ["tag"],
        "months": {1: ["januar"]},
        "currencies": {"EUR": ["euro"]},
        "percent": ["prozent"],
        "greetings": ["hallo"],
        "calls": {"buy": ["kaufen"]},
        "groups": [{"code": "promise", "expected": "no promise", "words": ["gratis", "rabatt*"]}],
    }
    assert german.keys() <= data.keys() | {"time_units"}
    (tmp_path / "de.yaml").write_text(yaml.safe_dump(german, allow_unicode=True))
    lexicons = load_lexicons(tmp_path)
    asked = replace(grounds, language="de")
    good = Content(body="Wie gefällt es Ihnen bei uns? Schreiben Sie uns einfach.", language="de")
    assert check_text(good, grounds=asked, lexicons=lexicons) == ()
    bad = good.model_copy(update={"body": "Die Lieferung ist gratis."})
    faults = check_text(bad, grounds=asked, lexicons=lexicons)
    assert [(fault.code, fault.found) for fault in faults] == [(FaultCode.PROMISE, "gratis")]
    assert check_text(good, grounds=asked)  # not among those that ship: nothing passes unread


def test_load_lexicons_lists_everything_that_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "xx.yaml").write_text("script: greek\n")
    (tmp_path / "yy.yaml").write_text("{")
    with pytest.raises(ConfigurationError) as refused:
        load_lexicons(tmp_path)
    assert "xx.yaml: script" in str(refused.value)
    assert "yy.yaml" in str(refused.value)
    with pytest.raises(ConfigurationError, match="no file"):
        load_lexicons(tmp_path / "none")


def test_the_marker_is_no_sentence_of_a_service_notice(grounds: Grounds) -> None:
    asked = replace(
        grounds,
        channel=Channel.WHATSAPP,
        is_service=True,
        trigger=Trigger.INCIDENT_UPDATE,
        needs_marker=True,
    )
    body = f"У нас сбой. Мы его чиним. Делать ничего не нужно. {ai_marker('ru')}"
    assert check_text(Content(body=body, language="ru"), grounds=asked) == ()


def test_service_notices_are_short_and_sell_nothing(grounds: Grounds) -> None:
    asked = replace(
        grounds, channel=Channel.WHATSAPP, is_service=True, trigger=Trigger.ORDER_SHIPPED
    )
    for body, is_fine in (
        ("Здравствуйте! Ваш заказ в пути. Делать ничего не нужно.", True),
        ("Здравствуйте! Ваш заказ в пути.", False),
        ("Заказ в пути. Он едет. Мы следим. Ждите.", False),
        ("Ваш заказ в пути. Загляните в наш каталог.", False),
    ):
        faults = check_text(Content(body=body, language="ru"), grounds=asked)
        assert (not faults) == is_fine, (body, [str(fault) for fault in faults])


@pytest.mark.parametrize(
    ("asked", "given", "least"),
    [
        ("ru", "kk", 0.99),
        ("ru", "uk", 0.9),
        ("ru", "en", 0.99),
        ("kk", "ru", 0.85),
        ("kk", "en", 0.99),
        ("en", "ru", 0.99),
        ("en", "tr", 0.9),
    ],
)
def test_news_in_another_language_are_refused(
    asked: str, given: str, least: float, shared_data: Path
) -> None:
    lexicon = default_lexicons()[asked]
    texts = read_news(shared_data, given)
    share = sum(bool(find_foreign(text, lexicon=lexicon)) for text in texts) / len(texts)
    assert share >= least


@pytest.mark.parametrize(("asked", "most"), [("ru", 0.005), ("kk", 0.01), ("en", 0.005)])
def test_news_in_the_language_asked_for_pass(asked: str, most: float, shared_data: Path) -> None:
    """But for words in another alphabet, which are faults of their own."""
    lexicon = default_lexicons()[asked]
    texts = [
        text
        for text in read_news(shared_data, asked)
        if asked == "en" or not any(c.isascii() and c.isalpha() for c in text)
    ]
    assert len(texts) > 300
    share = sum(bool(find_foreign(text, lexicon=lexicon)) for text in texts) / len(texts)
    assert share <= most


def read_news(folder: Path, language: str) -> list[str]:
    """The first eight words of 400 sentences, without figures."""
    path = folder / "langid_testdata" / "sentences" / f"{language}.txt"
    lines = path.read_text(encoding="utf-8").splitlines()[:400]
    return [" ".join(re.sub(r"\d+", "", line).split()[:8]) for line in lines]
