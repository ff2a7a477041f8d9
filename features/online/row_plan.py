"""Which tables are kept row by row, and what of each row.

Tables with a key are: a later version may replace a row, and conditions such as "not yet" change
with the moment. Of a row its time is kept, a hash of its key, one bit (a *mark*) for every set of
conditions that no moment changes, and the few columns (*slots*) that are read with the moment.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from features.conditions import WEEK_HOUR
from features.contracts import CONTRACTS, Kind
from features.declarations import read_kinds
from features.histograms import HourSource
from features.online.measures import (
    Demand,
    Take,
    Where,
    is_of_the_moment,
    static_of,
    wheres_of,
)

OUTCOMES, MESSAGES = "outcomes", "messages"

_TEXTS = frozenset({Kind.ID, Kind.TEXT})
_LATEST = frozenset({Take.LAST, Take.VALUE, Take.HOLDS})


class Encoding(StrEnum):
    """How a column becomes a float."""

    NUMBER = "number"  # times, numbers and flags as they are
    CODE = "code"  # the place in the closed set of its values
    HASH = "hash"  # 52 bits that stand for the text


@dataclass(frozen=True)
class Slot:
    """A column that is kept of every row.

    Attributes:
        column: Its name.
        encoding: How it becomes a float.
        choices: The closed set of a CODE.
    """

    column: str
    encoding: Encoding
    choices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Forgetting:
    """When rows of a table can never matter again.

    A row that lies before every window is out of sight for good, and a later version of it would
    come as a row of its own. Where a window is open, only its latest row is read, of any kind, and
    the key holds the time: then no version moves or removes that row, and older ones cannot return.

    Attributes:
        reach_days: Rows from `midnight - reach_days` on stay.
        open_ends: For each open window, how many days before midnight it ends; its latest row
            stays.
    """

    reach_days: int
    open_ends: tuple[int, ...]


@dataclass(frozen=True)
class RowTable:
    """How the rows of one table are kept.

    Attributes:
        name: The table.
        number: Its place among the tables that are kept so.
        key: Columns that identify a row.
        moment: Column with the row's own moment.
        corrected: A later version takes the place of an earlier one.
        marks: Static conditions, and the bit that says whether a row fulfils them.
        asked: Columns that the marks ask for.
        slots: Columns that are kept.
        hour_bit: The mark of rows that count in the histogram of hours; None where none do.
        forgetting: When rows may be dropped; None where never.
    """

    name: str
    number: int
    key: tuple[str, ...]
    moment: str
    corrected: bool
    marks: Mapping[Where, int]
    asked: tuple[str, ...]
    slots: tuple[Slot, ...]
    hour_bit: int | None
    forgetting: Forgetting | None

    def slot_of(self, column: str) -> int:
        """The place of a column among the slots."""
        return next(n for n, slot in enumerate(self.slots) if slot.column == column)

    @property
    def hour_slot(self) -> int:
        """The place of the hour of the week, where rows count in the histogram."""
        return self.slot_of(WEEK_HOUR)


@dataclass(frozen=True)
class RowPlan:
    """All tables that are kept row by row, and their demands.

    Attributes:
        tables: By name.
        demands: What is read of them.
        n_marks: Bits of a row.
        n_slots: Slots of a row; tables with fewer leave the rest empty.
    """

    tables: Mapping[str, RowTable]
    demands: tuple[Demand, ...]
    n_marks: int
    n_slots: int


def plan_rows(
    demands: Iterable[Demand], *, sources: Iterable[HourSource], names: Iterable[str]
) -> RowPlan:
    """Plan the tables of these names.

    Args:
        demands: What is read of them.
        sources: What counts in the histogram of hours.
        names: Tables; messages among them where outcomes are.
    """
    demands = tuple(demands)
    hours = {source.table: source for source in sources}
    tables: dict[str, RowTable] = {}
    n_marks = 0
    for number, name in enumerate(names):
        own = [demand for demand in demands if demand.measure.table == name]
        wheres = dict.fromkeys(
            static_of(where) for demand in own for where in wheres_of(demand.measure)
        )
        source = hours.get(name)
        if source is not None:
            wheres.setdefault(source.where)
        marks = {where: n_marks + n for n, where in enumerate(wheres)}
        n_marks += len(marks)
        columns = list(dict.fromkeys(_columns(own)))
        if source is not None:
            columns.append(WEEK_HOUR)
        if name == MESSAGES:
            columns += [c for c in _lent(demands) if c not in columns]
        contract = CONTRACTS[name]
        key = ("message_id", "outcome") if name == OUTCOMES else contract.key
        tables[name] = RowTable(
            name=name,
            number=number,
            key=key,
            moment=contract.moment,
            corrected=contract.corrected,
            marks=marks,
            asked=tuple(sorted({c.column for where in marks for c in where})),
            slots=tuple(_slot(name, column) for column in columns),
            hour_bit=None if source is None else marks[source.where],
            forgetting=_forgetting(name, own, is_source=source is not None),
        )
    n_slots = max((len(table.slots) for table in tables.values()), default=0)
    return RowPlan(tables, demands, n_marks, n_slots)


def _columns(demands: Iterable[Demand]) -> Iterable[str]:
    """Columns that are read with the moment."""
    for demand in demands:
        for where in wheres_of(demand.measure):
            for condition in filter(is_of_the_moment, where):
                yield condition.column
                yield from condition.other_columns
        if demand.measure.value is not None:
            yield demand.measure.value


def _lent(demands: Iterable[Demand]) -> list[str]:
    """Columns of a message that its outcomes are asked for."""
    asked = {
        condition.column
        for demand in demands
        if demand.measure.table == OUTCOMES
        for where in wheres_of(demand.measure)
        for condition in where
    }
    asked |= {d.measure.value or "" for d in demands if d.measure.table == OUTCOMES}
    return sorted(asked & {"channel", "trigger"})


def _slot(table: str, column: str) -> Slot:
    if column == WEEK_HOUR or read_kinds(table)[column] not in _TEXTS:
        return Slot(column, Encoding.NUMBER)
    owner = MESSAGES if table == OUTCOMES and column in ("channel", "trigger") else table
    choices = () if column == "customer_id" else CONTRACTS[owner].column(column).choices
    return Slot(column, Encoding.CODE if choices else Encoding.HASH, choices)


def _forgetting(name: str, demands: list[Demand], *, is_source: bool) -> Forgetting | None:
    if is_source or name in (MESSAGES, OUTCOMES) or not demands:
        return None  # an outcome may come at any time, and asks for its message
    lenses = [demand.lens for demand in demands]
    open_ends = {lens.ends_days_ago for lens in lenses if lens.window_days is None}
    if open_ends:
        contract = CONTRACTS[name]
        reads_latest = all(
            demand.measure.take in _LATEST and not demand.measure.where
            for demand in demands
            if demand.lens.window_days is None
        )
        if contract.moment not in contract.key or not reads_latest:
            return None
    return Forgetting(max(lens.reach_days for lens in lenses), tuple(sorted(open_ends)))
