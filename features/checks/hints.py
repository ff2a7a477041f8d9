"""The obvious cause of a fault, where the broken cells show one."""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import TypeAlias
from zoneinfo import available_timezones

import numpy as np

from features.checks.names import closest_name
from features.checks.rules import Rule
from features.contracts import Column, Kind

Cells: TypeAlias = Sequence[object]
"""Some of the broken cells, none of them null."""

_Guess: TypeAlias = Callable[[Column, Cells], str]

_NULL_WORDS = frozenset({"nan", "null", "none", "n/a", "na", "-", "#n/a", "undefined", "\\n"})
_FLAG_WORDS = frozenset({"0", "1", "0.0", "1.0", "yes", "no", "y", "n", "t", "f", "true", "false"})
_TIMES = (Kind.TIME, Kind.DATE)
_NUMBERS = (Kind.CENTS, Kind.COUNT, Kind.NUMBER, Kind.HOUR)
_TEXTS = (Kind.ID, Kind.TEXT, Kind.ZONE)
_FLAGS = (Kind.FLAG, Kind.CONSENT)

# How many of a unit of time since 1970 make a moment of the years 1990 to 2100.
_SECONDS = (631_152_000, 4_102_444_800)
_UNITS = {"seconds": 1, "milliseconds": 10**3, "microseconds": 10**6, "nanoseconds": 10**9}
_SPREADSHEET_DAYS = (30_000, 60_000)
_LOCAL_DATE = re.compile(r"^\d{1,2}([./-])\d{1,2}\1\d{4}")
_DECIMAL_COMMA = re.compile(r"^-?[\d. \u00a0]*,\d{1,2}$")
_CURRENCY = re.compile(r"[$€£₽₸¥]|\b[A-Z]{3}\b")
_OFFSET = re.compile(r"^(?:UTC|GMT)?\s*([+-])0?(\d{1,2})(?::?00)?$")
_UNPRICED = re.compile(r"^\S+ ([A-Z]{3}) of (\d{4}-\d\d-\d\d)$")
_LARGEST = 2**63


def find_hint(rule: Rule, column: Column, cells: Cells) -> str:
    """What may have gone wrong, in one sentence; empty where nothing is obvious.

    Args:
        rule: The rule that is broken.
        column: Where.
        cells: Some of the cells that break it; nulls are left out.
    """
    if not cells:
        return ""
    for guess in _GUESSES.get(rule, ()):
        hint = guess(column, cells)
        if hint:
            return hint
    return _ALWAYS.get(rule, "")


def _number_of(cell: object) -> float | None:
    if isinstance(cell, bool | np.bool_):
        return None
    if isinstance(cell, int | float | np.integer | np.floating | Decimal | str):
        try:
            return float(cell)
        except (ValueError, OverflowError):
            return None
    return None


def _numbers_of(cells: Cells) -> list[float]:
    return [number for cell in cells if (number := _number_of(cell)) is not None]


def _texts_of(cells: Cells) -> list[str]:
    return [cell.strip() for cell in cells if isinstance(cell, str)]


def _null_word(_column: Column, cells: Cells) -> str:
    word = next((text for text in _texts_of(cells) if text.casefold() in _NULL_WORDS), None)
    return f"leave what is unknown empty instead of {word}" if word else ""


def _since_1970(column: Column, cells: Cells) -> str:
    if column.kind not in _TIMES:
        return ""
    low, high = _SECONDS
    for number in _numbers_of(cells):
        for unit, per_second in _UNITS.items():
            if low * per_second <= number < high * per_second:
                moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=number // per_second)
                return (
                    f"{number:.0f} is {moment.isoformat()} in {unit} since 1970: "
                    f"a mapping says `unit: {unit}`"
                )
    return ""


def _spreadsheet_day(column: Column, cells: Cells) -> str:
    low, high = _SPREADSHEET_DAYS
    if column.kind in _TIMES and any(low <= number < high for number in _numbers_of(cells)):
        return "perhaps days as a spreadsheet counts them: export times as ISO 8601"
    return ""


def _local_date(column: Column, cells: Cells) -> str:
    if column.kind not in _TIMES:
        return ""
    written = next((text for text in _texts_of(cells) if _LOCAL_DATE.match(text)), None)
    return f"{written}: a mapping says how it is read, `format: '%d.%m.%Y'`" if written else ""


def _fractional_id(column: Column, cells: Cells) -> str:
    if column.kind is Kind.ID and any(isinstance(cell, float | np.floating) for cell in cells):
        return "ids were read as numbers with a fraction (1.0): keep them as text, or map them"
    return ""


def _number_as_text(column: Column, cells: Cells) -> str:
    if column.kind not in _NUMBERS:
        return ""
    texts = _texts_of(cells)
    if any(_DECIMAL_COMMA.match(text) for text in texts):
        return "a decimal comma: a mapping says `decimal: ','`"
    if any(_CURRENCY.search(text) for text in texts):
        return "amounts are numbers, without the sign of a currency"
    if any(_number_of(text) is not None for text in texts) and column.kind is not Kind.CENTS:
        return "numbers kept as text: a mapping reads them"
    return ""


def _units_of_money(column: Column, cells: Cells) -> str:
    if column.kind is not Kind.CENTS:
        return ""
    numbers = [number for number in _numbers_of(cells) if math.isfinite(number)]
    if any(number != math.floor(number) for number in numbers):
        return "perhaps whole units of money, not cents: a mapping says `money: units`"
    return "numbers kept as text: a mapping reads them" if _numbers_of(_texts_of(cells)) else ""


def _infinite(column: Column, cells: Cells) -> str:
    if column.kind in _NUMBERS and any(math.isinf(number) for number in _numbers_of(cells)):
        return "nothing is infinite: leave what is unknown empty"
    return ""


def _without_rate(column: Column, cells: Cells) -> str:
    if column.kind is not Kind.CENTS:
        return ""
    amount = next((found for text in _texts_of(cells) if (found := _UNPRICED.match(text))), None)
    return f"the mapping's rates have none for {amount[1]} on {amount[2]}" if amount else ""


def _too_large(column: Column, cells: Cells) -> str:
    numbers = _numbers_of(cells)
    if column.kind in _NUMBERS and any(abs(number) >= _LARGEST for number in numbers):
        return "larger than a whole number of 64 bits"
    return ""


def _written_flag(column: Column, cells: Cells) -> str:
    if column.kind in _FLAGS and any(str(cell).strip().lower() in _FLAG_WORDS for cell in cells):
        return "a mapping reads 0 and 1, yes and no"
    return ""


def _number_for_text(column: Column, cells: Cells) -> str:
    if column.kind in _TEXTS and any(not isinstance(cell, str) for cell in cells):
        return "keep it as text, or map it"
    return ""


def _other_spelling(column: Column, cells: Cells) -> str:
    for text in _texts_of(cells):
        meant = closest_name(text, column.choices)
        if meant is not None:
            return f"perhaps {meant}: a mapping says `values: {{{text}: {meant}}}`"
    return "a mapping says what their values mean, `values: {theirs: ours}`"


def _other_zone(_column: Column, cells: Cells) -> str:
    zones = sorted(available_timezones())
    for text in _texts_of(cells):
        offset = _OFFSET.match(text)
        if offset is not None:
            sign = "-" if offset[1] == "+" else "+"
            return f"{text} is an offset; the zone without summer time is Etc/GMT{sign}{offset[2]}"
        plain = text.casefold().replace(" ", "_")
        for zone in zones:
            if plain in (zone.casefold(), zone.casefold().rsplit("/", 1)[-1]):
                return f"perhaps {zone}"
    return ""


def _wrong_range(column: Column, cells: Cells) -> str:
    numbers = _numbers_of(cells)
    if column.kind is Kind.HOUR and 24 in numbers:
        return "midnight is hour 0"
    if column.name in ("latitude", "longitude"):
        return "degrees; are latitude and longitude the wrong way round?"
    if column.name == "propensity" and max(numbers) > 1:
        return "a share, not percent"
    return ""


def _unlikely(_column: Column, cells: Cells) -> str:
    if any(getattr(cell, "year", 0) > 2000 for cell in cells):
        return "leave the time of what has not happened empty"
    return "0, or seconds read as milliseconds, give times of 1970: leave unknown times empty"


_ALWAYS: Mapping[Rule, str] = MappingProxyType(
    {
        Rule.NAIVE_TIME: "a mapping names the zone of such times, `zone: Asia/Almaty`",
        Rule.NEGATIVE_MONEY: "money that flows back has no place here: leave such rows out",
        Rule.STRAY_BLANKS: "a mapping drops blanks around ids",
        Rule.DUPLICATE_KEY: "where a later row corrects an earlier one, known_at says when it "
        "became known",
    }
)
"""Hints that do not depend on the cells."""

_GUESSES: Mapping[Rule, tuple[_Guess, ...]] = MappingProxyType(
    {
        Rule.WRONG_TYPE: (
            _null_word,
            _since_1970,
            _spreadsheet_day,
            _local_date,
            _fractional_id,
            _infinite,
            _too_large,
            _without_rate,
            _units_of_money,
            _number_as_text,
            _written_flag,
            _number_for_text,
        ),
        Rule.UNKNOWN_VALUE: (_other_spelling,),
        Rule.UNKNOWN_TIME_ZONE: (_other_zone,),
        Rule.OUT_OF_RANGE: (_wrong_range,),
        Rule.UNLIKELY_TIME: (_unlikely,),
    }
)
"""The first guess that fits is the hint."""
