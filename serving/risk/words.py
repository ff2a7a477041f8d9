"""The words of reasons, rules and signals, in every language that texts are written in."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Self

import numpy as np
import yaml
from babel.numbers import format_decimal, format_percent
from pydantic import BaseModel, ConfigDict, model_validator

from features.churn import CHURN_FEATURES
from features.churn.factors import FACTORS, default_factors
from features.churn.signals import default_signals
from features.vocabulary import Factor
from serving.copy.languages import Language, choose_language, locale_of
from serving.copy.library import default_library
from serving.copy.settings import CopySettings

_FILE = Path(__file__).with_name("words.yaml")
_UNITS = {feature.name: feature.unit for feature in CHURN_FEATURES.features}
_FEW = 10
"""Below this a number is written with one decimal."""

ByLanguage = Mapping[str, str]


class Lexicon(BaseModel):
    """Every word of a reason, by language.

    Attributes:
        usually: Before the value of the median customer.
        never: Value of a time since something that never was.
        none: Age of something of which there is none.
        unknown: Value of anything else that is null.
        factors: Names of the factors.
        features: A noun phrase for each feature that has a factor, which a number can follow.
        rules: The risk rules in words; one without any is called by its name.
        signals: The signals in words.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    usually: ByLanguage
    never: ByLanguage
    none: ByLanguage
    unknown: ByLanguage
    factors: Mapping[Factor, ByLanguage]
    features: Mapping[str, ByLanguage]
    rules: Mapping[str, ByLanguage]
    signals: Mapping[str, ByLanguage]

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        named = default_factors().factor_of
        faults = _compare("factors", self.factors, wanted=FACTORS)
        faults += _compare("features", self.features, wanted=named)
        faults += _compare("signals", self.signals, wanted=[s.name for s in default_signals()])
        alone = ("usually", "never", "none", "unknown")
        one_by_one: dict[str, ByLanguage] = {name: getattr(self, name) for name in alone}
        for group in (one_by_one, self.factors, self.features, self.rules, self.signals):
            for name, words in group.items():
                if set(words) != set(self.usually):
                    faults.append(f"{name}: {sorted(words)}, expected {sorted(self.usually)}")
        if faults:
            raise ValueError("; ".join(faults))
        return self


@cache
def default_lexicon() -> Lexicon:
    """The words that ship with Opportune.

    >>> default_lexicon().factors[Factor.LOW_USAGE]["kk"]
    'Аз қолданады'
    """
    return Lexicon.model_validate(yaml.safe_load(_FILE.read_text(encoding="utf-8")))


@dataclass(frozen=True)
class Wording:
    """Writes in one language.

    Attributes:
        language: The language and how it writes numbers.
        currency: ISO code of amounts.
    """

    language: Language
    currency: str

    def write_feature(self, name: str, value: float, *, usual: float) -> str:
        """A feature with its value, and that of the median customer where there is one.

        >>> wording = choose_wording("en", settings=CopySettings())
        >>> wording.write_feature("days_since_last_login", 14.2, usual=2.0)
        'days since the last login 14 (usually 2)'
        """
        lexicon, code = default_lexicon(), self.language.code
        words = f"{lexicon.features[name][code]} {self._write_value(name, value)}"
        if np.isnan(usual):
            return words
        return f"{words} ({lexicon.usually[code]} {self._write_value(name, usual)})"

    def write_factor(self, factor: Factor, details: Iterable[str]) -> str:
        """A factor and what speaks for it."""
        return f"{default_lexicon().factors[factor][self.language.code]}: {'; '.join(details)}"

    def write_rule(self, name: str) -> str:
        """A risk rule; one that does not ship with Opportune has only its name."""
        return default_lexicon().rules.get(name, {}).get(self.language.code, name)

    def write_signal(self, name: str) -> str:
        """A signal."""
        return default_lexicon().signals[name][self.language.code]

    def _write_value(self, name: str, value: float) -> str:
        code, unit = self.language.code, _UNITS[name]
        if np.isnan(value):
            return self._write_null(name)
        if "cents" in unit:
            return self.language.write_money(round(value), currency=self.currency)
        if unit in ("share", "ratio"):
            return str(format_percent(Decimal(str(round(value, 2))), locale=locale_of(code)))
        shown = round(value, 1) if abs(value) < _FEW else round(value)
        return str(format_decimal(Decimal(str(shown)).normalize(), locale=locale_of(code)))

    def _write_null(self, name: str) -> str:
        """What null says: of a time since, of an age, of anything else."""
        lexicon = default_lexicon()
        if name.startswith("days_since_"):
            return lexicon.never[self.language.code]
        words = lexicon.none if name.startswith("oldest_") else lexicon.unknown
        return words[self.language.code]


def choose_wording(asked: str, *, settings: CopySettings) -> Wording:
    """The wording in that language, or in the one that stands in for it."""
    code = choose_language(
        asked, available=default_lexicon().usually, fallbacks=settings.language_fallbacks
    )
    return Wording(default_library().languages[code], settings.currency)


def _compare(what: str, given: Iterable[str], *, wanted: Iterable[str]) -> list[str]:
    found, needed = set(given), set(wanted)
    faults = [f"{what}: {name} has no words" for name in sorted(needed - found)]
    return faults + [f"{what}: {name} is not known" for name in sorted(found - needed)]
