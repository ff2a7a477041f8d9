"""What the pages show, and that nothing in a text can act."""

import re
from html import unescape
from html.parser import HTMLParser
from urllib.parse import urlencode

import pytest

from features.vocabulary import Channel, Trigger
from serving.copy.draft import Draft
from serving.copy.guard.faults import Fault, FaultCode
from serving.copy.stored import StoredVariant
from tests.serving.console.conftest import NOW, Console
from tests.serving.console.samples import (
    CART_PUSH_KK,
    DELAY_SMS_RU,
    LETTER_EN,
    OFFER,
    PRICE_SMS_EN,
    piece,
    sms_en,
    stored,
)

HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(2)> {{1337*3}} javascript:alert(3)'
SMS_EN = "/cells/price_drop/sms/en"
LETTERS = "/cells/price_drop/email/en"


class _Reader(HTMLParser):
    """Collects what could act on a page: scripts that are not ours, handlers, pictures, links."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = {name: value or "" for name, value in attrs}
        if tag in ("img", "svg", "object", "embed", "style", "b"):
            self.found.append(tag)
        if tag == "script" and told != {"src": "/static/console.js", "defer": ""}:
            self.found.append(f"script {told}")
        self.found += [f"{tag} {name}" for name in told if name.startswith("on")]
        self.found += [
            f"{tag} {name}={value}"
            for name, value in told.items()
            if name in ("href", "src", "action")
            and not value.startswith(("/", "#", "https://teal."))
        ]
        if tag == "iframe" and told.get("sandbox") != "":
            self.found.append("iframe with rights")


def find_active(page: str) -> list[str]:
    reader = _Reader()
    reader.feed(page)
    reader.close()
    return reader.found


def text_of(page: str) -> str:
    """What a reader sees of a page, tags and marks gone."""
    return " ".join(unescape(re.sub(r"<[^>]+>", "", page)).split())


def test_queue_lists_every_cell_those_that_wait_first_best_judged_first(console: Console) -> None:
    for one in DELAY_SMS_RU:
        console.shelf.approve(one.variant_id, by="Marat", at=NOW)

    rows = re.findall(r'<th scope="row"><a href="([^"]+)">', console.read("/"))

    assert len(rows) == 6
    assert rows[0] == SMS_EN
    assert rows[-1] == "/cells/delivery_delay/sms/ru"
    assert "/cells/inactivity/in_app/ru?segment=new" in rows


@pytest.mark.parametrize(
    ("query", "cells"),
    [
        ({"channel": "sms"}, {"price_drop/sms/en", "delivery_delay/sms/ru"}),
        ({"language": "kk", "trigger": ""}, {"abandoned_cart/push/kk"}),
        ({"segment": "new"}, {"inactivity/in_app/ru"}),
        ({"state": "faulty"}, {"price_drop/sms/en"}),
        ({"state": "approved"}, set()),
        ({"trigger": "price_drop", "channel": "email", "segment": "-"}, {"price_drop/email/en"}),
    ],
)
def test_queue_filters(console: Console, query: dict[str, str], cells: set[str]) -> None:
    page = console.read("/", **query)

    assert set(re.findall(r'<a href="/cells/([^"?]+)', page)) == cells
    assert ("No cell fits" in page) == (not cells)


@pytest.mark.parametrize("query", [{"channel": "fax"}, {"page": "0"}, {"state": "lost"}])
def test_queue_refuses_filters_that_do_not_exist(console: Console, query: dict[str, str]) -> None:
    answer = console.http.get("/", params=query)

    assert answer.status_code == 400
    assert next(iter(query)) in text_of(answer.text)


def test_queue_goes_over_several_pages(console: Console) -> None:
    more = [
        stored(replace_segment(PRICE_SMS_EN[0].draft, f"s{n:02d}"), minutes=n) for n in range(60)
    ]
    console.shelf.add(more, by="test")

    first, second = console.read("/"), console.read("/", page="2")

    assert "Page 1 of 2, 66 cells" in first
    assert 'rel="next" href="/?page=2"' in first
    cells = [re.findall(r'<a href="(/cells/[^"]+)', page) for page in (first, second)]
    assert [len(listed) for listed in cells] == [50, 16]
    assert not set(cells[0]) & set(cells[1])
    assert console.read("/", page="99") == second  # there are fewer by now


def replace_segment(draft: Draft, segment: str) -> Draft:
    return draft.model_copy(update={"segment": segment})


@pytest.mark.parametrize(
    "path",
    [
        "/cells/price_drop/sms/kk",  # no variants there
        "/cells/price_drop/fax/en",
        "/cells/nothing/sms/en",
        "/cells/inactivity/in_app/ru",  # only for a segment
        "/variants/price_drop.sms.none",
        f"{LETTERS}/letters/price_drop.email.none",
        f"{SMS_EN}/letters/{PRICE_SMS_EN[0].variant_id}",  # an SMS has no letter
        "/nowhere",
        "/static/../pages.py",
    ],
)
def test_what_is_not_there_is_not_found(console: Console, path: str) -> None:
    assert console.http.get(path).status_code == 404


def test_variant_is_found_by_its_name(console: Console) -> None:
    name = LETTER_EN[1].variant_id

    assert console.http.get(f"/variants/{name}").headers["location"] == f"{LETTERS}#v-{name}"


def test_cell_shows_variants_and_templates_as_they_would_be_sent(console: Console) -> None:
    page = text_of(console.read(SMS_EN))

    assert "Anna, Trail running shoes costs less now: KZT 11,990, it was KZT 14,990." in page
    assert "Anna, lower price for Trail running shoes: KZT 11,990 instead of KZT 14,990." in page
    assert "Template (clear) ships" in page
    assert "1 part, 72 units of GSM-7; 0.04 KZT to send" in page


def test_values_switch_to_the_longest_and_to_none(console: Console) -> None:
    longest = text_of(console.read(SMS_EN, values="longest"))
    without = text_of(console.read(SMS_EN, values="none"))

    assert "Trail running shoes Tr..." not in longest  # an SMS has room for 22 characters
    assert "Trail running shoes..." in longest
    assert "KZT 9,999,999.99" in longest
    assert "Something you looked at costs less now." in without
    assert "Anna" not in without


def test_sms_is_drawn_in_the_parts_it_travels_in(console: Console) -> None:
    page = console.read("/cells/delivery_delay/sms/ru", values="longest", marks="false")

    parts = re.findall(r'<p class="bubble">([^<]*)</p>', page)

    assert len(parts[0]) == 67
    assert (parts[0] + parts[1]).startswith("Владислава-Екатерина, заказ 48213-07")
    assert "part 1 of 2: 67 of 67 units" in page
    assert "0.08 KZT to send" in page


def test_push_shows_where_phones_cut(console: Console) -> None:
    page = console.read("/cells/abandoned_cart/push/kk", marks="false")

    shown = re.search(r"<p>(Жүгіру[^<]*)<span class=\"cut\"", page)

    assert shown is not None
    assert len(shown[1]) == 49
    assert "Android lock screen: cut after 49 characters" in page
    assert "iOS lock screen: all of it is shown" in page


def test_email_stands_in_a_frame_without_any_rights(console: Console) -> None:
    page = console.read(LETTERS)
    frames = re.findall(r"<iframe[^>]*>", page)
    assert len(frames) == 4
    assert all('sandbox=""' in frame for frame in frames)

    source = unescape(re.findall(r'<iframe sandbox="" src="([^"]+)"', page)[1])
    letter = text_of(console.read(source))

    assert "And we add a month of Plus on us." in letter
    assert "KZT 11,990 instead of KZT 14,990" in text_of(page)  # the first one's preheader


def test_marks_are_on_words_that_no_sibling_has(console: Console) -> None:
    marked = console.read(SMS_EN)
    plain = console.read(SMS_EN, marks="false")

    assert "<mark>waits</mark>" in marked
    assert "<mark>shoes</mark>" not in marked
    assert "<mark>" not in plain
    assert text_of(console.read(f"{LETTERS}/letters/{LETTER_EN[0].variant_id}")) == text_of(
        console.read(f"{LETTERS}/letters/{LETTER_EN[0].variant_id}", marks="false")
    )


def test_card_says_where_a_text_comes_from_and_what_is_wrong_with_it(console: Console) -> None:
    page = text_of(console.read(SMS_EN))

    assert "claude, claude-sonnet-5-5" in page
    assert "variants/3" in page
    assert "0.0031 USD" in page
    assert "4.4 of 5" in page
    assert "20 Nov 2026, 06:00 UTC: added by opportune copy draft" in page
    assert "Promise in body.0.facts: free, expected no promise without an offer" in page


def test_slots_are_shown_as_slots(console: Console) -> None:
    page = console.read(SMS_EN)

    assert '<span class="slot">greeting</span><span class="slot">item</span> costs less' in page


def test_text_that_cannot_be_sent_says_why(console: Console) -> None:
    long = stored(sms_en("{item} " + "word " * 80 + "end.", "word " * 80 + "end.", angle="long"))
    console.shelf.add([long], by="test")

    page = text_of(console.read(SMS_EN))

    assert "With these facts it is not sent" in page
    assert "3 SMS segments, at most 2" in page


def test_text_in_a_language_that_is_not_spoken_says_so(console: Console) -> None:
    draft = sms_en("Salom", "Salom", angle="uz").model_copy(update={"language": "uz"})
    console.shelf.add([stored(draft)], by="test")

    page = text_of(console.read("/cells/price_drop/sms/uz"))

    assert "Price drop, SMS, Uzbek" in page
    assert "the library has no texts in 'uz'" in page
    assert "beside them no template that ships" in page


def test_offer_without_words_in_the_language_says_so(console: Console) -> None:
    draft = LETTER_EN[1].draft.model_copy(update={"language": "kk"})
    console.shelf.add([stored(draft, offers=(OFFER,))], by="test")

    page = text_of(console.read("/cells/price_drop/email/kk"))

    assert "offer free-month has no words in kk" in page
    assert "Template (warm)" in page


@pytest.mark.parametrize("channel", list(Channel))
def test_broken_drafts_can_be_looked_at(console: Console, channel: Channel) -> None:
    bodies = ("", "{", "{unknown} there", "}{item}", "{greeting}", "{offer}")
    for body in bodies:
        draft = Draft(
            trigger=Trigger.ABANDONED_CART,
            channel=channel,
            language="en",
            title=None if channel is Channel.SMS else piece("{item}", "{n_items}"),
            body=(piece(body, body), piece("{n_items}")),
        )
        fault = Fault(FaultCode.SLOT, "body.0.facts", body, "a text")
        console.shelf.add([stored(draft, faults=(fault,))], by="test")

    for values in ("example", "longest", "none"):
        page = text_of(console.read(f"/cells/abandoned_cart/{channel}/en", values=values))
        assert page.count("The checks found 1 fault") == len(bodies)
        assert "With these facts it is not sent: nothing fills " in page


def hostile(channel: Channel) -> StoredVariant:
    has_title = channel in (Channel.PUSH, Channel.IN_APP, Channel.EMAIL)
    return stored(
        Draft(
            trigger=Trigger.INACTIVITY,
            channel=channel,
            language="en",
            segment=HOSTILE[:40],
            title=piece(HOSTILE[:36]) if has_title else None,
            preheader=piece(HOSTILE) if channel is Channel.EMAIL else None,
            body=(piece(HOSTILE),),
            cta="" if channel is Channel.SMS else HOSTILE[:20],
            angle=HOSTILE,
        )
    )


@pytest.mark.parametrize("channel", list(Channel))
@pytest.mark.parametrize("marks", ["true", "false"])
def test_hostile_text_is_inert(console: Console, channel: Channel, marks: str) -> None:
    evil = hostile(channel)
    console.shelf.add([evil], by="<b>tester</b>")
    console.shelf.score(evil.variant_id, score=3.0, by="judge", at=NOW, note=HOSTILE)
    query = urlencode({"segment": evil.draft.segment, "marks": marks})
    cell = f"/cells/inactivity/{channel}/en"

    pages = [console.read(f"{cell}?{query}"), console.read("/")]
    if channel is Channel.EMAIL:
        pages.append(console.read(f"{cell}/letters/{evil.variant_id}?{query}"))

    for page in pages:
        assert find_active(page) == []
        assert "4011" not in page
    assert "{{1337*3}}" in text_of(pages[0])


def test_find_active_finds_what_it_is_for() -> None:
    page = (
        '<script>1</script><a href="javascript:1" onclick="x">a</a><img src="https://e.example/">'
    )

    assert len(find_active(page)) == 5


def test_hostile_query_is_inert(console: Console) -> None:
    answer = console.http.get("/", params={"segment": HOSTILE[:50], "channel": HOSTILE})

    assert answer.status_code == 400
    assert find_active(answer.text) == []


def test_near_copies_are_pointed_out(console: Console) -> None:
    draft = PRICE_SMS_EN[0].draft
    words = draft.body[0].facts.replace("now:", "now -")
    console.shelf.add([stored(sms_en(words, draft.body[0].plain, angle="again"))], by="test")

    assert console.read(SMS_EN).count("nearly the same words") == 2


def test_kazakh_texts_are_said_to_be_kazakh(console: Console) -> None:
    page = console.read("/cells/abandoned_cart/push/kk")

    assert page.count('<div class="preview" lang="kk">') == len(CART_PUSH_KK) + 2
    assert '<html lang="en">' in page


def test_order_of_cards_stays_while_they_are_decided(console: Console) -> None:
    before = re.findall(r'<article id="([^"]+)"', console.read(SMS_EN))

    console.shelf.reject(PRICE_SMS_EN[0].variant_id, by="Dana", at=NOW, note="x")

    assert re.findall(r'<article id="([^"]+)"', console.read(SMS_EN)) == before
    assert PRICE_SMS_EN[0].variant_id in before[0]
