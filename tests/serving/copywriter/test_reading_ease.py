import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.copywriter.reading_ease import (
    ReadingScale,
    count_sentences,
    find_first_end,
    list_words,
    measure_reading,
)


def test_flesch_is_flesch() -> None:
    found = measure_reading("The cat sat on the mat.", language="en")
    assert found is not None
    assert found.scale is ReadingScale.FLESCH
    assert found.value == pytest.approx(206.835 - 1.015 * 6 - 84.6)


def test_russian_syllables_are_vowels() -> None:
    found = measure_reading("Мама мыла раму.", language="ru")
    assert found is not None
    assert found.scale is ReadingScale.OBORNEVA
    assert found.value == pytest.approx(206.835 - 1.52 * 3 - 65.14 * 2)


def test_other_languages_get_lix() -> None:
    found = measure_reading("Тапсырысыңыз кешігіп жатыр. Кешіріңіз.", language="kk")
    assert found is not None
    assert found.scale is ReadingScale.LIX
    assert found.value == pytest.approx(4 / 2 + 100 * 3 / 4)


@pytest.mark.parametrize(
    ("language", "easy", "hard"),
    [
        (
            "en",
            "Your order is late. We are sorry. It will come on Friday.",
            "Notwithstanding operational considerations, fulfilment of it necessitates approval.",
        ),
        (
            "ru",
            "Заказ задержится. Извините. Он придёт в среду.",
            "Настоящим уведомляем о необходимости корректировки периодичности осуществления.",
        ),
    ],
)
def test_easy_texts_are_easier_than_officialese(language: str, easy: str, hard: str) -> None:
    one, other = (measure_reading(text, language=language) for text in (easy, hard))
    assert one is not None
    assert other is not None
    assert one.value > other.value + 50


def test_what_holds_no_words_has_no_reading() -> None:
    assert measure_reading("", language="en") is None
    assert measure_reading("123 !!", language="ru") is None


@pytest.mark.parametrize(
    ("text", "n"),
    [("One. Two! Three?", 3), ("Wait… what?!", 2), ("at 3.5 km", 1), ("no end", 1), ("...", 0)],
)
def test_sentences_are_counted(text: str, n: int) -> None:
    assert count_sentences(text) == n


@given(st.text(max_size=80))
def test_any_text_can_be_measured(text: str) -> None:
    for language in ("en", "ru", "kk"):
        found = measure_reading(text, language=language)
        assert (found is None) is not (bool(list_words(text)) and count_sentences(text) > 0)
    assert 0 <= find_first_end(text) <= len(text)
