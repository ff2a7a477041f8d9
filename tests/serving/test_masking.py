"""Personal data are found by their form, whatever stands between their parts."""

import pytest

from serving.copywriter.quotes import mask_quotes
from serving.masking import mask_personal_data


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("write to anna . k @ shop . kz", "write to anna . [email]"),
        ("a.b@c.kz. Жарко", "[email]. Жарко"),
        ("see evil.example or ftp://x.y/z", "see [link] or [link]"),
        ("душно.дышать нечем", "душно.дышать нечем"),
        ("сайт.рф и салон.дети", "[link] и [link]"),
        ("see душно.путь/а", "see [link]"),
        ("order 12-34-56", "order [number]"),
        ("id 3f2a1b4c5d", "id [number]"),
        ("8701\x00123\x0045 67", "[phone]"),
        ("8\u00ad701\u200b1234567", "[phone]"),
        ("было 35 градусов, ждала 40 минут", "было 35 градусов, ждала 40 минут"),
        ("в 18:30 или в 19.15", "в 18:30 или в 19.15"),
        ("\uff18\uff17\uff10\uff11 123 45 67", "[phone]"),
    ],
)
def test_masks_find_what_has_a_form(text: str, masked: str) -> None:
    assert mask_personal_data(text) == masked


def test_a_mask_is_not_masked_again() -> None:
    text = "a@b.kz, +7 701 123 45 67, KZ86125KZT5004100100, 4400 4301 2345 6789, @me, www.x.kz"
    once = mask_personal_data(text)
    assert once == "[email], [phone], [account], [card], [handle], [link]"
    assert mask_personal_data(once) == once


def test_quotes_are_masked_by_the_same_rules() -> None:
    text = "ИИН 900101300123, счёт KZ86125KZT5004100100"
    assert mask_quotes([text]) == (mask_personal_data(text),)


@pytest.mark.parametrize("text", ["a" * 50_000, "1 " * 25_000, "a." * 25_000, "a1" * 25_000])
def test_long_texts_are_masked_in_no_time(text: str) -> None:
    assert len(mask_personal_data(text)) <= len(text) + 20
