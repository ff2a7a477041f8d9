import math
from typing import Any

import pytest
from pydantic import ValidationError

from features.churn.factors import default_factors
from features.churn.risk import default_rules
from features.churn.signals import default_signals
from features.vocabulary import Factor
from serving.copy.settings import CopySettings
from serving.risk.words import Lexicon, choose_wording, default_lexicon

SETTINGS = CopySettings(currency="KZT")
NULL = float("nan")


@pytest.mark.parametrize(
    ("asked", "name", "value", "usual", "words"),
    [
        ("en", "days_since_last_login", 14.3, 2.0, "days since the last login 14 (usually 2)"),
        ("ru", "days_since_last_login", 14.3, 2.0, "дней с последнего входа 14 (обычно 2)"),
        ("kk", "days_since_last_login", 14.3, 2.0, "соңғы кіруден бері өткен күн 14 (әдетте 2)"),
        ("ru", "logins_30d", 0.0, 7.5, "входов за 30 дней 0 (обычно 7,5)"),
        ("en", "order_cents_30d", 1_234_500.0, NULL, "ordered in 30 days KZT 12,345"),
        ("ru", "mrr_change_90d", -50_000.0, 0.0, "-500 ₸ (обычно 0 ₸)"),
        ("en", "session_trend", 0.29, 1.0, "sessions of 30 days against before 29% (usually 100%)"),
        ("en", "days_since_last_login", NULL, 2.0, "days since the last login never (usually 2)"),
        ("ru", "oldest_open_ticket_days", NULL, 3.0, "нет (обычно 3)"),
        ("kk", "nps", NULL, 8.0, "белгісіз (әдетте 8)"),
        ("fr", "nps", 3.0, NULL, "readiness to recommend, 0 to 10 3"),
        ("kk-KZ", "tickets_open", 2.0, NULL, "ашық өтініш 2"),
    ],
)
def test_a_feature_is_told_with_its_number(
    asked: str, name: str, value: float, usual: float, words: str
) -> None:
    told = choose_wording(asked, settings=SETTINGS).write_feature(name, value, usual=usual)

    assert words in told.replace("\u00a0", " ")


@pytest.mark.parametrize("asked", ["en", "ru", "kk"])
def test_everything_has_words_in_every_language(asked: str) -> None:
    wording = choose_wording(asked, settings=SETTINGS)
    features = [wording.write_feature(n, 1.0, usual=2.0) for n in default_factors().factor_of]
    factors = [wording.write_factor(factor, ["x"]) for factor in Factor]
    signals = [wording.write_signal(signal.name) for signal in default_signals()]
    rules = [wording.write_rule(rule.name) for rule in default_rules().rules]

    assert wording.language.code == asked
    for group in (features, factors, signals, rules):
        assert len(set(group)) == len(group)
        assert all(words.strip() for words in group)
    if asked != "en":
        cyrillic = [any("а" <= c <= "я" for c in words.lower()) for words in features + signals]
        assert all(cyrillic)


def test_a_lexicon_that_lacks_words_is_refused_with_every_fault() -> None:
    given: dict[str, Any] = default_lexicon().model_dump(mode="json")
    del given["features"]["nps"]
    del given["signals"]["downgraded"]["kk"]
    given["factors"]["low_usage"]["de"] = "Wenig Nutzung"
    given["features"]["horoscope"] = given["never"]

    with pytest.raises(ValidationError) as refusal:
        Lexicon.model_validate(given)

    text = str(refusal.value)
    for words in ("nps has no words", "horoscope is not known", "downgraded", "low_usage"):
        assert words in text


def test_a_rule_of_ones_own_is_called_by_its_name() -> None:
    assert choose_wording("ru", settings=SETTINGS).write_rule("our_own_rule") == "our_own_rule"


def test_nothing_is_written_as_not_a_number() -> None:
    wording = choose_wording("en", settings=SETTINGS)
    for name in default_factors().factor_of:
        assert "nan" not in wording.write_feature(name, math.nan, usual=math.nan).split()
