"""Languages of short texts."""

import csv
import io
import re
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.errors import BadInputError
from features.language import LANGUAGES, identify_language


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("В зале очень жарко", "ru"),
        ("Залда өте ыстық", "kk"),
        ("кондиционер жок па, терлеп кеттик", "kk"),
        ("ЖАКСЫ ЕМЕС", "kk"),
        ("it is boiling in here", "en"),
        ("мы были в Өскемене, там всё было хорошо и чисто", "ru"),
    ],
)
def test_language_is_identified(text: str, language: str) -> None:
    guess = identify_language(text)
    assert guess.language == language
    assert guess.p >= 0.75


@pytest.mark.parametrize(
    "text", ["", "👎👎", "12:30", "https://example.kz/abc", "+7 701 123 45 67"]
)
def test_language_is_none_without_words(text: str) -> None:
    assert identify_language(text).language is None
    assert identify_language(text).p == 0.0


def test_language_is_none_below_the_confidence_asked_for() -> None:
    assert identify_language("ок", sure_from=1.0).language is None


def test_language_is_held_to_those_in_question() -> None:
    assert identify_language("залда ыстық", among=("ru", "en")).language != "kk"
    assert identify_language("anything", among=()).language is None


def test_a_language_that_nobody_can_tell_is_named() -> None:
    with pytest.raises(BadInputError, match=r"languages ru, xx: .*'xx'"):
        identify_language("очень жарко", among=("xx", "ru"))


@given(text=st.text(max_size=60))
def test_language_never_fails(text: str) -> None:
    guess = identify_language(text)
    assert guess.language is None or guess.language in LANGUAGES
    assert 0.0 <= guess.p <= 1.0


@pytest.mark.parametrize(
    ("language", "kind", "least"),
    [("ru", "sentences", 0.99), ("kk", "sentences", 0.99), ("en", "sentences", 0.99),
     ("ru", "word-pairs", 0.97), ("kk", "word-pairs", 0.95)],
)  # fmt: skip
def test_language_of_news(shared_data: Path, language: str, kind: str, least: float) -> None:
    path = shared_data / "langid_testdata" / kind / f"{language}.txt"
    texts = [line for line in path.read_text(encoding="utf-8").splitlines() if line][:400]
    right = sum(identify_language(text).language == language for text in texts)
    assert right / len(texts) >= least


def test_language_of_kazakh_reviews_without_kazakh_letters(shared_data: Path) -> None:
    with zipfile.ZipFile(shared_data / "kazsandra" / "04_pc_valid.zip") as archive:
        name = next(name for name in archive.namelist() if name.endswith(".csv"))
        rows = csv.DictReader(io.StringIO(archive.read(name).decode("utf-8")))
        texts = [row["text"] for row in rows]
    bare = [
        text
        for text in texts
        if not re.search("[әғқңөұүһі]", text.casefold()) and re.search("[а-я]", text.casefold())
    ][:1500]
    found = [identify_language(text).language for text in bare]
    assert len(bare) == 1500
    assert found.count("kk") / len(bare) >= 0.82  # py3langid alone: .74
    assert found.count("ru") / len(bare) <= 0.08
