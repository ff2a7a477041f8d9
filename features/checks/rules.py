"""What can be wrong with a table, and what each kind of column should hold, in words."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from features.contracts import Kind


class Rule(StrEnum):
    """The rule of the contract that is broken."""

    MISSING_TABLE = "missing_table"
    MISSING_COLUMN = "missing_column"
    DUPLICATE_COLUMN = "duplicate_column"
    WRONG_TYPE = "wrong_type"
    NAIVE_TIME = "naive_time"
    UNLIKELY_TIME = "unlikely_time"
    STRAY_BLANKS = "stray_blanks"
    NULL_VALUE = "null_value"
    DUPLICATE_KEY = "duplicate_key"
    MOVED_ROW = "moved_row"
    CHANGED_EVENT = "changed_event"
    NEGATIVE_MONEY = "negative_money"
    OUT_OF_RANGE = "out_of_range"
    UNKNOWN_VALUE = "unknown_value"
    UNKNOWN_TIME_ZONE = "unknown_time_zone"
    UNKNOWN_REFERENCE = "unknown_reference"
    OUT_OF_ORDER = "out_of_order"
    FUTURE_ROW = "future_row"


EXPECTED: Mapping[Kind, str] = MappingProxyType(
    {
        Kind.ID: "text, never empty",
        Kind.TEXT: "text",
        Kind.ZONE: "an IANA time zone such as Asia/Almaty",
        Kind.TIME: "a time with its zone",
        Kind.DATE: "a date without time of day",
        Kind.CENTS: "whole cents",
        Kind.COUNT: "a whole number",
        Kind.NUMBER: "a finite number",
        Kind.FLAG: "true or false",
        Kind.CONSENT: "true, false or null (unknown, which is no consent)",
        Kind.HOUR: "a whole hour of the day",
    }
)
"""What a column of each kind should hold, in words."""
