"""What a row must fulfil to count towards a feature: a closed set of questions, as data.

>>> print(one_of("kind", "login", "session"))
kind is one of login or session
>>> print(not_yet("resolved_at"))
resolved_at has not happened
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from features.contracts import Kind
from features.errors import BadInputError

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


_ASKED_OF = {
    Is.ONE_OF: _TEXTS,
    Is.TRUE: _FLAGS,
    Is.FALSE: _FLAGS,
    Is.NOT_YET: _TIMES,
    Is.PASSED: _TIMES,
    Is.AFTER_OR_NOT_YET: _TIMES,
}


@dataclass(frozen=True)
class Condition:
    """One thing that a row must fulfil; made by `one_of`, `is_true` and their like.

    Attributes:
        column: Column of the table.
        test: What is asked of it.
        operands: The allowed values of ONE_OF; the other column of AFTER_OR_NOT_YET.
    """

    column: str
    test: Is
    operands: tuple[str, ...] = ()

    @property
    def other_columns(self) -> tuple[str, ...]:
        """Columns that the column is compared with."""
        return self.operands if self.test is Is.AFTER_OR_NOT_YET else ()

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
