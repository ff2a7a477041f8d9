"""A fact: one row of a table as it comes in, and when it was told."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final, TypeAlias

from features.contracts import CONTRACTS, KNOWN_AT

Cell: TypeAlias = str | int | float | bool
"""A value of a row; times and dates are UTC microseconds."""

_RANK: Final = {name: rank for rank, name in enumerate(("customers", "messages"))}
"""Told in one microsecond, these come first: others are read in their light."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One row of a table, checked already.

    Attributes:
        table: Its table.
        row: Its cells by the columns of the contract; a column that is missing is null.
        known_us: When it was told, in UTC microseconds; None where it is known from its own moment.
    """

    table: str
    row: Mapping[str, Cell | None]
    known_us: int | None = None

    @property
    def t_us(self) -> int:
        """The row's own moment."""
        return int(self.row[CONTRACTS[self.table].moment] or 0)

    @property
    def told_us(self) -> int:
        """When it was told: facts come in this order."""
        return self.t_us if self.known_us is None else self.known_us

    @property
    def k_us(self) -> int:
        """When it became known: when it was told, or at its own moment if that is later."""
        return max(self.t_us, self.told_us)


def is_known(fact: Fact, *, before: int) -> bool:
    """Whether the fact may be used at a moment: it was known strictly before it."""
    return fact.k_us < before


def order_of(fact: Fact) -> tuple[object, ...]:
    """In which order facts became known; contradictory ones by what they say, nulls first."""
    cells = [fact.known_us, *(fact.row.get(name) for name in _other_columns(fact.table))]
    said = tuple((cell is not None, cell) for cell in cells)
    return (fact.k_us, _RANK.get(fact.table, len(_RANK)), fact.table, *said)


def hash_text(text: str) -> int:
    """64 bits that stand for a text, the same everywhere."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


@cache
def _other_columns(table: str) -> tuple[str, ...]:
    return tuple(c.name for c in CONTRACTS[table].columns if c.name != KNOWN_AT)
