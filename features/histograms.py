"""When in their own week customers were there, as data: a histogram of 168 hours."""

import hashlib
import json
from dataclasses import dataclass

from features.conditions import Condition, Is
from features.declarations import find_table_faults, read_kinds
from features.errors import BadInputError


@dataclass(frozen=True)
class HourSource:
    """Rows that say that a customer was there.

    Attributes:
        table: Table about customers.
        where: Conditions on a row that do not depend on the moment.
    """

    table: str
    where: tuple[Condition, ...] = ()


@dataclass(frozen=True)
class HourHistogram:
    """How often something happened in each of the 168 hours of the customer's own week.

    A row counts in the hour of its moment (see `features.conditions.WEEK_HOUR`) with the weight
    `2^-(era of the moment - era of the row)`, where eras of `half_life_days` follow one another
    from 1970 on: weights are powers of two, so that sums are exact in any order.

    Attributes:
        name: What it counts.
        sources: Rows that count.
        half_life_days: Length of an era; None counts every row as 1.
        description: One line for the catalogue.
    """

    name: str
    sources: tuple[HourSource, ...]
    half_life_days: int | None
    description: str

    def __post_init__(self) -> None:
        faults = [f for source in self.sources for f in _find_source_faults(source)]
        if self.half_life_days is not None and self.half_life_days < 1:
            faults.append(f"a half-life has at least 1 day, not {self.half_life_days}")
        if faults:
            raise BadInputError(f"histogram {self.name}: " + "; ".join(faults))

    @property
    def digest(self) -> str:
        """16 hexadecimal digits of SHA-256 over what counts and how long."""
        sources = [
            (s.table, [(c.column, c.test.name, c.operands) for c in s.where]) for s in self.sources
        ]
        text = json.dumps([sources, self.half_life_days], separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def tables(self) -> frozenset[str]:
        """Tables that it reads."""
        tables = {source.table for source in self.sources} | {"customers"}
        return frozenset(tables | ({"messages"} if "outcomes" in tables else set()))


def _find_source_faults(source: HourSource) -> list[str]:
    if faults := find_table_faults(source.table):
        return faults
    if source.table == "customers":
        return ["table customers has no hours of the week"]
    kinds = read_kinds(source.table)
    faults = [fault for c in source.where for fault in c.find_faults(kinds)]
    return faults + [
        f"condition '{c}' is not one of the row alone"
        for c in source.where
        if c.is_of_the_moment or c.test is Is.IN_HOURS
    ]
