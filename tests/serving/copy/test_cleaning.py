"""Values that others wrote."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.copy.cleaning import clean_first_name, clean_value, escape_markdown, shorten


@pytest.mark.parametrize(
    ("raw", "cleaned"),
    [
        ("Trail running shoes", "Trail running shoes"),
        ("Чай «Ассам» №5, 1.5 л", "Чай «Ассам» №5, 1.5 л"),
        ("AC/DC T-shirt 50/50", "AC/DC T-shirt 50/50"),
        ("a\nb\r\n\tc\x00d\x1b[31m", "a b cd[31m"),
        ("pay \u202eesrever\u2066 \u200bhere\ufeff", "pay esrever here"),
        ("soft\u00adhyphen and\u00a0space", "softhyphen and space"),
        ("see https://evil.example/x?y=1 now", "see now"),
        ("see HTTP://EVIL.EXAMPLE now", "see now"),
        ("see www.evil.example", "see"),
        ("bit.ly/abc", ""),
        ("evil.com:8080/x", ""),
        ("evil.com?x=1", ""),
        ("javascript:alert(1)", ""),
        ("(mailto:a@evil.com)", ""),
        ("write to a@evil.com", "write to"),
        ("evil.com", "evil. com"),
        ("ev\u200bil.com", "evil. com"),
        ("ｅｖｉｌ．ｃｏｍ／ｘ", ""),
        ("evil\u3002com", "evil. com"),
        ("ev\u0131l\u2024com", "ev\u0131l. com"),
        ("Data: none", "Data: none"),
        ("pay at 10.20.30.40:80/x or 10.20.30.40", "pay at or"),
        ("call +7 (701) 555-12-12 or 8 701 555 12 12", "call or"),
        ("order 84821307155, size +5, 1.5 l", "order 84821307155, size +5, 1.5 l"),
        ("<<b>script>a < b</script><!-- c -->", "< script>a < b"),
        ("z\u0351\u036b\u0343\u036aalgo", "z\u0351\u036balgo"),
        ("   ", ""),
    ],
)
def test_clean_value_keeps_words_and_drops_links_and_controls(raw: str, cleaned: str) -> None:
    assert clean_value(raw) == cleaned


@given(st.text(max_size=300))
def test_clean_value_is_one_visible_line(raw: str) -> None:
    cleaned = clean_value(raw)
    assert cleaned == " ".join(cleaned.split())
    assert all(unicodedata.category(character)[0] != "C" for character in cleaned)


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        ("Anna", "Anna"),
        (" anna ", "Anna"),
        ("Жан-Жак", "Жан-Жак"),
        ("Нұрсұлтан", "Нұрсұлтан"),
        ("D'Arcy", "D'Arcy"),
        ("Mary Ann", "Mary Ann"),
        ("И\u0306ван", "Йван"),
        ("प्रिया", "प्रिया"),
        (None, None),
        ("", None),
        ("   ", None),
        ("null", None),
        ("N/A", None),
        ("-Anna", None),
        ("Anna1", None),
        ("evil.com", None),
        ("<b>Anna</b>", None),
        ("{first_name}", None),
        ("An\u202ena", None),
        ("A" * 21, None),
        ("A" * 100_000, None),
    ],
)
def test_clean_first_name_takes_only_names(raw: str | None, name: str | None) -> None:
    assert clean_first_name(raw) == name


@given(st.text(max_size=60), st.integers(4, 40))
def test_shorten_stays_within_its_room(text: str, cap: int) -> None:
    shortened = shorten(text, cap=cap, width=len, ellipsis="…")
    assert len(shortened) <= cap
    assert shortened == text if len(text) <= cap else shortened.endswith("…")


def test_escape_markdown_leaves_no_markup() -> None:
    escaped = escape_markdown("[x](y) **b** `c` <i> &copy; #1 ~~s~~ a_b \\")
    assert escaped == (
        "\\[x\\](y) \\*\\*b\\*\\* \\`c\\` \\<i\\> \\&copy; \\#1 \\~\\~s\\~\\~ a\\_b \\\\"
    )
