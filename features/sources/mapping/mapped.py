"""A source of theirs that answers in our words."""

from collections.abc import Iterator
from datetime import date, datetime
from typing import Any, TypeAlias

import pandas as pd

from features.checks.names import did_you_mean
from features.contracts import CONTRACTS, Column, Kind, TableContract
from features.errors import SourceUnreadableError
from features.sources.mapping.cells import plain_numbers, read_cells
from features.sources.mapping.model import ColumnMapping, CurrencyMapping, Mapping, TableMapping
from features.sources.mapping.money import RateTable, cents_of
from features.sources.mapping.subscriptions import cancel_ended
from features.sources.protocol import Source

_Column: TypeAlias = "pd.Series[Any]"

_CENTS_PER = {"units": 100, "cents": 1, None: 1}


class MappedSource:
    """The tables of another source through a mapping; tables it does not name stay as they are.

    Attributes:
        name: The place of the other source.
    """

    def __init__(self, source: Source, mapping: Mapping, *, until: datetime | None) -> None:
        self.name = source.name
        self._source = source
        self._mapping = mapping
        self._until = until
        self._rates = RateTable(mapping.currency or "", mapping.rates, mapping.rates_hold_days)
        self._require_names()

    def table_names(self) -> tuple[str, ...]:
        """Ours that the mapping names, and theirs that it does not use."""
        used = {table.source for table in self._mapping.tables.values()}
        others = [name for name in self._source.table_names() if name not in used]
        return tuple(dict.fromkeys([*self._mapping.tables, *others]))

    def column_names(self, table: str) -> tuple[str, ...]:
        """Ours of a mapped table; theirs of any other."""
        if table not in self._mapping.tables:
            return self._source.column_names(table)
        return tuple(column.name for column in CONTRACTS[table].columns)

    def read(self, table: str, *, as_text: bool = False) -> pd.DataFrame:
        """One table in our words; raises SourceUnreadableError where theirs cannot be read."""
        how = self._mapping.tables.get(table)
        if how is None:
            return self._source.read(table, as_text=as_text)
        theirs = self._source.read(how.source or table, as_text=True)
        return self._translate(theirs, how, CONTRACTS[table])

    def read_batches(self, table: str, *, as_text: bool = False) -> Iterator[pd.DataFrame]:
        """The same in parts; subscriptions with ends come whole, as they look at each other."""
        how = self._mapping.tables.get(table)
        if how is None:
            yield from self._source.read_batches(table, as_text=as_text)
        elif how.ended_at is not None:
            yield self.read(table)
        else:
            for theirs in self._source.read_batches(how.source or table, as_text=True):
                yield self._translate(theirs, how, CONTRACTS[table])

    def _translate(
        self, theirs: pd.DataFrame, how: TableMapping, contract: TableContract
    ) -> pd.DataFrame:
        zone = how.zone or self._mapping.zone
        used: set[str] = set()
        ours: dict[str, _Column] = {}
        money: list[tuple[Column, ColumnMapping, _Column]] = []
        for column in contract.columns:
            words = _words_for(column.name, how, theirs)
            if words is None:
                continue
            cells = _cells_of(theirs, words)
            used |= {words.source} if words.source else set()
            if column.kind is Kind.CENTS and _is_money(words, how):
                money.append((column, words, cells))
                ours[column.name] = cells  # keeps its place
            else:
                ours[column.name] = read_cells(cells, column.kind, words, zone=zone)
        for column, words, cells in money:
            ours[column.name] = self._read_money(
                cells, words, how, theirs, ours.get(contract.moment)
            )
        if how.ended_at is not None and how.ended_at.source:
            used.add(how.ended_at.source)
        extra: dict[str, _Column] = {
            str(name): theirs.iloc[:, place]
            for place, name in enumerate(theirs.columns)
            if name not in used and name not in ours
        }
        frame = pd.DataFrame({**ours, **extra}, index=theirs.index)
        if how.ended_at is None or not {"customer_id", "valid_from"} <= set(frame):
            return frame
        ends = read_cells(_cells_of(theirs, how.ended_at), Kind.TIME, how.ended_at, zone=zone)
        return cancel_ended(frame, ends, until=self._until)

    def _read_money(
        self,
        cells: _Column,
        words: ColumnMapping,
        how: TableMapping,
        theirs: pd.DataFrame,
        moments: "pd.Series[Any] | None",
    ) -> _Column:
        named = words.currency or CurrencyMapping(value=how.currency or self._rates.ours or None)
        if named.source is not None:
            currencies = theirs[named.source].astype("object")
            currencies = currencies.map(lambda cell: str(cell).strip(), na_action="ignore")
        else:
            currencies = pd.Series(named.value or "", index=theirs.index, dtype="object")
        return cents_of(
            plain_numbers(cells, words),
            per_unit=_CENTS_PER[words.money],
            currencies=currencies,
            days=_days_of(moments, theirs.index),
            table=self._rates,
        )

    def _require_names(self) -> None:
        faults = [
            fault
            for table, how in self._mapping.tables.items()
            for fault in self._name_faults(table, how)
        ]
        if faults:
            listed = "\n".join(f"  {fault}" for fault in faults)
            raise SourceUnreadableError(
                f"{self.name}: the mapping speaks of what is not there:\n{listed}"
            )

    def _name_faults(self, table: str, how: TableMapping) -> Iterator[str]:
        names = self._source.table_names()
        theirs = how.source or table
        if theirs not in names:
            hint = did_you_mean(theirs, names) or f"there is {', '.join(names) or 'nothing'}"
            yield f"tables.{table}: no table {theirs}; {hint}"
            return
        columns = self._source.column_names(theirs)
        wanted = {f"columns.{ours}": words for ours, words in how.columns.items()}
        if how.ended_at is not None:
            wanted["ended_at"] = how.ended_at
        for place, words in wanted.items():
            asked = [words.source]
            if words.currency is not None:
                asked.append(words.currency.source)
            for name in asked:
                if name is not None and name not in columns:
                    hint = did_you_mean(name, columns) or f"there is {', '.join(columns)}"
                    yield f"tables.{table}.{place}: {theirs} has no column {name}; {hint}"


def _words_for(name: str, how: TableMapping, theirs: pd.DataFrame) -> ColumnMapping | None:
    """The words of one of our columns; theirs of the same name where there are none."""
    if name in how.columns:
        return how.columns[name]
    return ColumnMapping(source=name) if name in theirs.columns else None


def _cells_of(theirs: pd.DataFrame, words: ColumnMapping) -> _Column:
    if words.source is None:
        return pd.Series([words.value] * len(theirs), index=theirs.index)
    return theirs.iloc[:, list(theirs.columns).index(words.source)]


def _is_money(words: ColumnMapping, how: TableMapping) -> bool:
    return bool(words.money or words.currency or how.currency)


def _days_of(moments: "pd.Series[Any] | None", index: pd.Index) -> _Column:
    """The UTC day of each moment."""
    if moments is None:
        return pd.Series(None, index=index, dtype="object")
    times = pd.to_datetime(moments, utc=True, errors="coerce")
    days: list[date | None] = [None if pd.isna(time) else time.date() for time in times]
    return pd.Series(days, index=index, dtype="object")
