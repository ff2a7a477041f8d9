"""Languages: what all texts of one share, and how it writes dates, money and counts.

The data are in `languages.yaml`; CLDR, through Babel, knows the rest.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache, lru_cache
from math import floor
from typing import Annotated
from zoneinfo import ZoneInfo

from babel import Locale, UnknownLocaleError
from babel.dates import parse_pattern
from babel.numbers import format_currency, format_decimal, format_percent, get_currency_symbol
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from serving.copy.template import find_template_faults

LAST_RESORT = "en"
"""The language of whoever reads none of the others."""

_N_REMEMBERED = 8192  # written values


def _naming(*slots: str) -> AfterValidator:
    """A text that names exactly these slots."""

    def check(text: str) -> str:
        faults = find_template_faults(text, slots=frozenset(slots), may_greet=False)
        faults += [f"slot {slot!r} is missing" for slot in slots if f"{{{slot}}}" not in text]
        if faults:
            raise ValueError("; ".join(faults))
        return text

    return AfterValidator(check)


_Plain = Annotated[str, _naming()]
_Named = Annotated[str, _naming("first_name")]
_Branded = Annotated[str, _naming("brand")]
_Counted = Annotated[str, _naming("n")]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Salutation(_Frozen):
    """A greeting that stands alone, with a name and without."""

    named: _Named
    unnamed: _Plain

    def greet(self, first_name: str | None) -> str:
        """The greeting for someone whose name is known or not."""
        return self.unnamed if first_name is None else put_name(self.named, first_name)


class Greetings(_Frozen):
    """How a customer is addressed.

    Attributes:
        inline: Opens a short text that goes on in lower case; left out without a name.
        whatsapp: Sentence before a WhatsApp text.
        email: First paragraph of an e-mail.
    """

    inline: Annotated[str, Field(pattern=r"^\S*\{first_name\}.*\s$")]
    whatsapp: Salutation
    email: Salutation


class Footer(_Frozen):
    """Why an e-mail was sent, by kind of trigger, and the label of the unsubscribe link."""

    service: _Branded
    marketing: _Branded
    unsubscribe: _Plain


class Language(_Frozen):
    """One language that texts are written in.

    Attributes:
        code: Two letters, as in `customers.language`; a locale that CLDR knows.
        date: CLDR pattern of a date.
        moment: CLDR pattern of a moment in the customer's own zone.
        moment_utc: The same where that zone is not known.
        greetings: How a customer is addressed.
        sign_off: Last line of an e-mail.
        footer: Small print of an e-mail.
        plurals: Forms of a counted fact by CLDR plural category.
        currency_symbols: Symbols that CLDR does not give for this language, by ISO code.
    """

    code: str
    date: str
    moment: str
    moment_utc: str
    greetings: Greetings
    sign_off: _Branded
    footer: Footer
    plurals: Mapping[str, Mapping[str, _Counted]]
    currency_symbols: Mapping[str, str] = {}

    @model_validator(mode="after")
    def _plurals_are_complete(self) -> "Language":
        try:
            rule = locale_of(self.code).plural_form
        except (UnknownLocaleError, ValueError) as error:
            raise ValueError(f"CLDR knows no language {self.code!r}") from error
        needed = {rule(n) for n in range(201)}
        faults = [
            f"plurals.{name}: has {sorted(forms)}, expected {sorted(needed)}"
            for name, forms in self.plurals.items()
            if set(forms) != needed
        ]
        if faults:
            raise ValueError("; ".join(faults))
        return self

    def write_date(self, value: str) -> str:
        """A date of the form `YYYY-MM-DD`."""
        return _write_date(self.code, self.date, value)

    def write_moment(self, value: str, *, zone: ZoneInfo | None) -> str:
        """A moment in ISO 8601 with offset, on the clock of the zone, or of UTC, named."""
        pattern = self.moment_utc if zone is None else self.moment
        return _write_moment(self.code, pattern, value, zone)

    def write_count(self, value: int, *, name: str) -> str:
        """A count, with its noun where the language has forms for the fact."""
        number = _write_number(self.code, value)
        forms = self.plurals.get(name)
        if forms is None:
            return number
        return forms[locale_of(self.code).plural_form(value)].replace("{n}", number)

    def write_percent(self, value: float) -> str:
        """A share of 0..100; rounded down, so that 99.6 of a limit is not called all of it."""
        return _write_percent(self.code, floor(value))

    def write_money(self, cents: int, *, currency: str) -> str:
        """An amount; its cents are shown only where there are any."""
        text = _write_money(self.code, cents, currency)
        own_symbol = self.currency_symbols.get(currency)
        if own_symbol is None:
            return text
        return text.replace(get_currency_symbol(currency, locale=locale_of(self.code)), own_symbol)


def put_name(greeting: str, first_name: str) -> str:
    """A greeting with its name; the name is cleaned before, so it holds no braces."""
    return greeting.replace("{first_name}", first_name)


def choose_language(
    asked: str, *, available: Mapping[str, object], fallbacks: Mapping[str, tuple[str, ...]]
) -> str:
    """The language to write in: the one asked for, else its fallbacks in order, else English.

    >>> choose_language("kk-KZ", available={"ru": 1, "en": 1}, fallbacks={"kk": ("ru",)})
    'ru'
    >>> choose_language("fr", available={"ru": 1, "en": 1}, fallbacks={"kk": ("ru",)})
    'en'
    """
    code = asked.replace("_", "-").split("-")[0].lower()
    candidates = (code, *fallbacks.get(code, ()))
    return next((candidate for candidate in candidates if candidate in available), LAST_RESORT)


@cache
def locale_of(code: str) -> Locale:
    """What CLDR knows of a language."""
    return Locale.parse(code)


@lru_cache(_N_REMEMBERED)
def _write_date(code: str, pattern: str, value: str) -> str:
    return str(parse_pattern(pattern).apply(date.fromisoformat(value), locale_of(code)))


@lru_cache(_N_REMEMBERED)
def _write_moment(code: str, pattern: str, value: str, zone: ZoneInfo | None) -> str:
    moment = datetime.fromisoformat(value).astimezone(zone or UTC)
    return str(parse_pattern(pattern).apply(moment, locale_of(code)))


@lru_cache(_N_REMEMBERED)
def _write_number(code: str, value: int) -> str:
    return str(format_decimal(value, locale=locale_of(code)))


@lru_cache(_N_REMEMBERED)
def _write_percent(code: str, value: int) -> str:
    return str(format_percent(Decimal(value) / 100, locale=locale_of(code)))


@lru_cache(_N_REMEMBERED)
def _write_money(code: str, cents: int, currency: str) -> str:
    locale = locale_of(code)
    pattern = locale.currency_formats["standard"].pattern
    if cents % 100 == 0:
        pattern = pattern.replace(".00", "")
    if get_currency_symbol(currency, locale=locale).isalpha():
        pattern = pattern.replace("¤#", "¤\u00a0#")  # KZT 100, not KZT100
    amount = Decimal(cents) / 100
    return str(format_currency(amount, currency, pattern, locale=locale, currency_digits=False))
