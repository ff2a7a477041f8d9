"""How each language writes dates, money, counts and shares."""

from zoneinfo import ZoneInfo

import pytest

from serving.copy.languages import choose_language
from serving.copy.library import Library

FALLBACKS = {"kk": ("ru",)}


@pytest.mark.parametrize(
    ("code", "n", "written"),
    [
        ("en", 1, "1 day"),
        ("en", 2, "2 days"),
        ("en", 0, "0 days"),
        ("ru", 1, "1 день"),
        ("ru", 2, "2 дня"),
        ("ru", 5, "5 дней"),
        ("ru", 11, "11 дней"),
        ("ru", 21, "21 день"),
        ("ru", 112, "112 дней"),
        ("ru", 1003, "1\u00a0003 дня"),
        ("kk", 1, "1 күн"),
        ("kk", 5, "5 күн"),
    ],
)
def test_write_count_chooses_the_plural_form(
    library: Library, code: str, n: int, written: str
) -> None:
    assert library.languages[code].write_count(n, name="delay_days") == written


def test_write_count_without_a_noun_groups_digits(library: Library) -> None:
    assert library.languages["en"].write_count(12345, name="used") == "12,345"
    assert library.languages["ru"].write_count(12345, name="used") == "12\u00a0345"


@pytest.mark.parametrize(
    ("code", "cents", "currency", "written"),
    [
        ("en", 1999, "USD", "$19.99"),
        ("en", 120000, "USD", "$1,200"),
        ("en", 1199000, "KZT", "KZT\u00a011,990"),
        ("ru", 1199000, "KZT", "11\u00a0990\u00a0₸"),
        ("ru", 1199050, "KZT", "11\u00a0990,50\u00a0₸"),
        ("ru", 1999, "RUB", "19,99\u00a0₽"),
        ("kk", 1199000, "KZT", "11\u00a0990\u00a0₸"),
        ("kk", 1999, "USD", "19,99\u00a0$"),
        ("en", 0, "USD", "$0"),
    ],
)
def test_write_money_drops_cents_only_where_there_are_none(
    library: Library, code: str, cents: int, currency: str, written: str
) -> None:
    assert library.languages[code].write_money(cents, currency=currency) == written


def test_write_percent_never_rounds_up_to_all(library: Library) -> None:
    assert library.languages["en"].write_percent(99.9) == "99%"
    assert library.languages["ru"].write_percent(87.0) == "87\u00a0%"
    assert library.languages["kk"].write_percent(87.4) == "87%"


def test_write_date_in_each_language(library: Library) -> None:
    written = {code: one.write_date("2026-03-05") for code, one in library.languages.items()}
    assert written == {"en": "March 5", "ru": "5 марта", "kk": "5 наурыз"}


def test_write_moment_is_on_the_customers_clock_or_names_utc(library: Library) -> None:
    moment = "2026-11-23T22:05:00+03:00"
    almaty = ZoneInfo("Asia/Almaty")
    ours = {code: one.write_moment(moment, zone=almaty) for code, one in library.languages.items()}
    utc = {code: one.write_moment(moment, zone=None) for code, one in library.languages.items()}
    assert ours == {
        "en": "12:05 AM on November 24",
        "ru": "00:05 24 ноября",
        "kk": "24 қараша, 00:05",
    }
    assert utc == {
        "en": "7:05 PM UTC on November 23",
        "ru": "19:05 UTC 23 ноября",
        "kk": "23 қараша, 19:05 UTC",
    }


@pytest.mark.parametrize(
    ("asked", "available", "chosen"),
    [
        ("kk", {"en", "ru", "kk"}, "kk"),
        ("kk", {"en", "ru"}, "ru"),
        ("kk", {"en"}, "en"),
        ("ru", {"en", "kk"}, "en"),
        ("RU-ru", {"en", "ru"}, "ru"),
        ("kk_KZ", {"en", "kk"}, "kk"),
        ("fr", {"en", "ru", "kk"}, "en"),
        ("", {"en", "ru"}, "en"),
    ],
)
def test_choose_language_falls_back_in_order(asked: str, available: set[str], chosen: str) -> None:
    languages = dict.fromkeys(available)
    assert choose_language(asked, available=languages, fallbacks=FALLBACKS) == chosen
