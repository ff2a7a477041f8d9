"""Single sentences, such as models write them: what they claim, and what claims nothing."""

from pathlib import Path

import pytest
import yaml

from features.vocabulary import Channel
from serving.copy.brief import Brand
from serving.copy.guard.faults import Fault
from serving.copy.guard.form import find_call_faults
from serving.copy.guard.grounds import Grounds
from serving.copy.guard.lexicon import default_lexicons
from serving.copy.guard.words import find_word_faults

_SENTENCES = yaml.safe_load((Path(__file__).parent / "sentences.yaml").read_text(encoding="utf-8"))


def find_faults(language: str, kind: str, sentence: str, *, brand: Brand) -> list[Fault]:
    lexicon = default_lexicons()[language]
    grounds = Grounds(
        channel=Channel.PUSH, language=language, brand=brand, is_service=kind == "service"
    )
    return [
        *find_word_faults(sentence, grounds=grounds, lexicon=lexicon, place="body"),
        *find_call_faults(sentence, cta="-", lexicon=lexicon),
    ]


@pytest.mark.parametrize("language", ["en", "ru", "kk"])
def test_sentences_that_claim_are_caught_with_their_code(language: str, brand: Brand) -> None:
    asked = [one for one in _SENTENCES if one[0] == language and one[2] != "ok"]
    assert len(asked) >= 60
    missed = [
        (expected, sentence, [str(fault) for fault in faults])
        for _, kind, expected, sentence in asked
        for faults in [find_faults(language, kind, sentence, brand=brand)]
        if expected not in {fault.code for fault in faults}
    ]
    assert not missed


@pytest.mark.parametrize("language", ["en", "ru", "kk"])
def test_sentences_that_claim_nothing_pass(language: str, brand: Brand) -> None:
    asked = [one for one in _SENTENCES if one[0] == language and one[2] == "ok"]
    assert len(asked) >= 30
    refused = [
        (sentence, [str(fault) for fault in faults])
        for _, kind, _, sentence in asked
        for faults in [find_faults(language, kind, sentence, brand=brand)]
        if faults
    ]
    assert not refused


@pytest.mark.parametrize(
    ("language", "kind", "sentence"),
    [
        ("ru", "marketing", "Ｄоставим бесплатно"),
        ("ru", "marketing", "Cкидкa для вас"),  # Latin C and a
        ("ru", "marketing", "Бес\u200bплатно доставим"),
        ("en", "marketing", "Get it for fr\u0435e"),  # a Cyrillic e
        ("en", "marketing", "Now ２０％ less"),
        ("en", "marketing", "Only ½ of it is left"),
        ("ru", "service", "Ждём ⑤ дней"),
    ],
)
def test_disguised_claims_are_caught(language: str, kind: str, sentence: str, brand: Brand) -> None:
    codes = {fault.code.value for fault in find_faults(language, kind, sentence, brand=brand)}
    assert codes & {"promise", "percent", "number"}, codes
