"""The words of a mapping: which column of theirs is which of ours, and how its cells are read."""

from collections.abc import Mapping as Map
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from types import MappingProxyType
from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from features.contracts import Kind
from features.time_zones import TimezoneName

Scalar: TypeAlias = str | int | float | bool
"""A constant of the mapping."""


def _column_of(written: object) -> object:
    """`order_id: id` is short for `order_id: {from: id}`."""
    return {"from": written} if isinstance(written, str) else written


def _keys_as_text(written: object) -> object:
    """Their words are compared as text, whatever YAML made of them."""
    if isinstance(written, dict):
        return {
            str(key).lower() if isinstance(key, bool) else str(key): value
            for key, value in written.items()
        }
    return written


def _rates_of(written: object) -> object:
    """Days as days and rates as exact decimals, however YAML read them."""
    if not isinstance(written, dict):
        return written
    return {
        currency: {_day_of(day): _rate_of(rate) for day, rate in days.items()}
        if isinstance(days, dict)
        else days
        for currency, days in written.items()
    }


def _day_of(written: object) -> date:
    if isinstance(written, date) and not isinstance(written, datetime):
        return written
    try:
        return date.fromisoformat(str(written))
    except ValueError:
        raise ValueError(f"{written} is no day such as 2026-01-31") from None


def _rate_of(written: object) -> Decimal:
    try:
        rate = Decimal(str(written))
    except InvalidOperation:
        raise ValueError(f"{written} is no rate") from None
    if not rate.is_finite() or rate <= 0:
        raise ValueError(f"{written} is no rate: expected a number above 0")
    return rate


Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
Rates = dict[Currency, dict[date, Decimal]]


class _Words(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


def _currency_of(written: object) -> object:
    """`currency: USD` is short for `currency: {value: USD}`."""
    return {"value": written} if isinstance(written, str) else written


class CurrencyMapping(_Words):
    """The currency of amounts, three capital letters: one for all, or a column of theirs."""

    value: Currency | None = None
    source: str | None = Field(default=None, alias="from")


class ColumnMapping(_Words):
    """Where one column of ours comes from.

    Attributes:
        source: Their column.
        value: A constant instead.
        values: Their words to ours; words that are not listed stay.
        missing: What an empty cell means.
        has: A list such as "email,sms" names this word: true, else false.
        zone: The zone of times that have none.
        unit: Times are numbers of this unit since 1970.
        format: How times or dates are written, as in `strptime`.
        end_of_day: A time without a clock stands for the last moment of its day.
        money: Amounts are in whole units or in cents.
        currency: Their currency, or the column that names it.
        decimal: The mark between whole and parts.
        thousands: The mark between thousands.
    """

    source: str | None = Field(default=None, alias="from")
    value: Scalar | None = None
    values: Annotated[dict[str, Scalar | None], BeforeValidator(_keys_as_text)] | None = None
    missing: Scalar | None = None
    has: str | None = None
    zone: TimezoneName | None = None
    unit: Literal["seconds", "milliseconds", "microseconds", "nanoseconds"] | None = None
    format: str | None = None
    end_of_day: bool = False
    money: Literal["units", "cents"] | None = None
    currency: Annotated[CurrencyMapping, BeforeValidator(_currency_of)] | None = None
    decimal: Literal[".", ","] = "."
    thousands: Literal["", " ", ",", ".", "'"] = ""


Column = Annotated[ColumnMapping, BeforeValidator(_column_of)]


class TableMapping(_Words):
    """Where one table of ours comes from.

    Attributes:
        source: Their table; of the same name when not given.
        zone: The zone of its times that have none.
        currency: The currency of its amounts.
        columns: Our columns; one that is not named comes from theirs of the same name.
        ended_at: Of subscriptions: when a row of theirs ended, which makes a canceled row of ours.
    """

    source: str | None = Field(default=None, alias="from")
    zone: TimezoneName | None = None
    currency: Currency | None = None
    columns: dict[str, Column] = Field(default_factory=dict)
    ended_at: Column | None = None


class Mapping(_Words):
    """Their tables in our words.

    Attributes:
        zone: The zone of times that have none, in all tables.
        currency: The currency that our cents are in.
        rates: What one of another currency is worth in ours from a day on. The file may name a CSV
            file beside it instead, with the columns currency, day and rate.
        rates_hold_days: For how many days a rate holds until there must be a new one.
        tables: Our tables.
    """

    zone: TimezoneName | None = None
    currency: Currency | None = None
    rates: Annotated[Rates, BeforeValidator(_rates_of)] = Field(default_factory=dict)
    rates_hold_days: int = Field(default=7, ge=0)
    tables: dict[str, TableMapping] = Field(default_factory=dict)


_ALWAYS = frozenset({"source", "value", "values", "missing"})
_NUMBERS = frozenset({"decimal", "thousands"})

WORDS_OF_KIND: Map[Kind, frozenset[str]] = MappingProxyType(
    {
        Kind.ID: _ALWAYS,
        Kind.TEXT: _ALWAYS,
        Kind.ZONE: _ALWAYS,
        Kind.TIME: _ALWAYS | {"zone", "unit", "format", "end_of_day"},
        Kind.DATE: _ALWAYS | {"format"},
        Kind.CENTS: _ALWAYS | _NUMBERS | {"money", "currency"},
        Kind.COUNT: _ALWAYS | _NUMBERS,
        Kind.NUMBER: _ALWAYS | _NUMBERS,
        Kind.HOUR: _ALWAYS | _NUMBERS,
        Kind.FLAG: _ALWAYS | {"has"},
        Kind.CONSENT: _ALWAYS | {"has"},
    }
)
"""Which words a column may have, by what it holds."""
