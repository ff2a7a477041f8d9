"""What a row must fulfil to count towards a feature: a closed set of questions, as data.

>>> print(one_of("kind", "login", "session"))
kind is one of login or session
>>> print(not_yet("resolved_at"))
resolved_at has not happened
>>> print(in_week_hours(days=(0, 4), hours=(9, 17)))
week_hour is within Monday to Friday, 9:00 to 17:59
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from features.contracts import Kind
from features.errors import BadInputError

WEEK_HOUR: Final = "week_hour"
"""Pseudo-column of every table about customers but `customers`: the hour of the week, 0 (Monday
0:00) to 167, on the customer's own clock at the row's moment; in the time zone that was known when
the row became known, and null where none was."""

N_WEEK_HOURS: Final = 168

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_LITERAL = re.compile(r"[A-Za-z0-9_ .-]+")
_FLAGS = frozenset({Kind.FLAG, Kind.CONSENT})
_TEXTS = frozenset({Kind.ID, Kind.TEXT})
_TIMES = frozenset({Kind.TIME, Kind.DATE})


class Is(StrEnum):
    """What a condition asks of a column, as of the moment."""

    ONE_OF = "is one of"
    TRUE = "is true"
    FALSE = "is false"
    NOT_YET = "has not happened"
    PASSED = "has passed"
    AFTER_OR_NOT_YET = "has not happened or is after"
    IN_HOURS = "is within"


_ASKED_OF = {
    Is.ONE_OF: _TEXTS,
    Is.TRUE: _FLAGS,
    Is.FALSE: _FLAGS,
    Is.NOT_YET: _TIMES,
    Is.PASSED: _TIMES,
    Is.AFTER_OR_NOT_YET: _TIMES,
    Is.IN_HOURS: frozenset({Kind.HOUR}),
}


@dataclass(frozen=True)
class Condition:
    """One thing that a row must fulfil; made by `one_of`, `is_true` and their like.

    Attributes:
        column: Column of the table.
        test: What is asked of it.
        operands: The allowed values of ONE_OF; the other column of AFTER_OR_NOT_YET; of IN_HOURS
            the first and last day (0 is Monday) and the first and last hour, in digits.
    """

    column: str
    test: Is
    operands: tuple[str, ...] = ()

    @property
    def other_columns(self) -> tuple[str, ...]:
        """Columns that the column is compared with."""
        return self.operands if self.test is Is.AFTER_OR_NOT_YET else ()

    @property
    def is_of_the_moment(self) -> bool:
        """Whether the answer for one row changes from moment to moment."""
        return self.test in (Is.NOT_YET, Is.PASSED, Is.AFTER_OR_NOT_YET)

    @property
    def week_hours(self) -> frozenset[int]:
        """The hours of the week that IN_HOURS allows; none of any other test."""
        if self.test is not Is.IN_HOURS:
            return frozenset()
        first_day, last_day, first_hour, last_hour = map(int, self.operands)
        days, hours = range(first_day, last_day + 1), range(first_hour, last_hour + 1)
        return frozenset(24 * day + hour for day in days for hour in hours)

    def find_faults(self, kinds: Mapping[str, Kind]) -> list[str]:
        """What is wrong with it on a table with these kinds of columns, in words."""
        fitting = _ASKED_OF[self.test]
        return [
            f"condition '{self}' cannot be asked of {name}, which holds {kinds.get(name)}"
            for name in (self.column, *self.other_columns)
            if kinds.get(name) not in fitting
        ]

    def __str__(self) -> str:
        """The condition in words."""
        if self.test is Is.IN_HOURS:
            first_day, last_day, first_hour, last_hour = map(int, self.operands)
            days = f"{_DAYS[first_day]} to {_DAYS[last_day]}"
            return f"{self.column} {self.test} {days}, {first_hour}:00 to {last_hour}:59"
        test = "is" if self.test is Is.ONE_OF and len(self.operands) == 1 else self.test
        return " ".join(filter(None, (self.column, test, " or ".join(self.operands))))


def one_of(column: str, *values: str) -> Condition:
    """The text is one of these values (letters, digits, `_`, `.`, `-` and blanks)."""
    wrong = [value for value in values if not _LITERAL.fullmatch(value)]
    if wrong or not values:
        raise BadInputError(f"condition on {column}: cannot compare with {wrong or 'nothing'}")
    return Condition(column, Is.ONE_OF, values)


def is_true(column: str) -> Condition:
    """The flag is set; null is not."""
    return Condition(column, Is.TRUE)


def is_false(column: str) -> Condition:
    """The flag is not set; null is neither."""
    return Condition(column, Is.FALSE)


def not_yet(column: str) -> Condition:
    """The time is null, or at or after the moment."""
    return Condition(column, Is.NOT_YET)


def passed(column: str) -> Condition:
    """The time is before the moment."""
    return Condition(column, Is.PASSED)


def after_or_not_yet(column: str, other: str) -> Condition:
    """The time has not come, or came after that of the other column."""
    return Condition(column, Is.AFTER_OR_NOT_YET, (other,))


def in_week_hours(*, days: tuple[int, int] = (0, 6), hours: tuple[int, int] = (0, 23)) -> Condition:
    """The row's moment lies in these hours on the customer's clock, first and last included.

    Args:
        days: First and last day of the week; 0 is Monday, 6 Sunday.
        hours: First and last hour of each of these days, 0 to 23.
    """
    for name, (first, last), most in (("days", days, 6), ("hours", hours, 23)):
        if not 0 <= first <= last <= most:
            raise BadInputError(
                f"in_week_hours: {name} {first} to {last}; expected 0 <= first <= last <= {most}"
            )
    return Condition(WEEK_HOUR, Is.IN_HOURS, tuple(map(str, (*days, *hours))))


EVENING: Final = in_week_hours(hours=(18, 23))
WEEKEND: Final = in_week_hours(days=(5, 6))
