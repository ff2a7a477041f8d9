"""Facts packed for the store, and facts as tables."""

import json
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import numpy as np
import pandas as pd

from features.checks.coercion import AnySeries
from features.contracts import CONTRACTS, DTYPES, EVENT_ID, KNOWN_AT, Kind
from features.tables import empty_table
from serving.online.cells import Cell, Row
from serving.online.facts import Fact
from serving.store.kept import LoggedFact

_TIMES: Final = (Kind.TIME, Kind.DATE)
_NO_TIME: Final = np.iinfo(np.int64).min
_QUICK: Final = 1  # level of compression: rows repeat themselves, more effort gains little


def pack_facts(facts: Iterable[Fact]) -> bytes:
    """Facts as bytes for the store."""
    rows = [[fact.table, fact.row, fact.known_us] for fact in facts]
    return zlib.compress(json.dumps(rows, ensure_ascii=False).encode(), _QUICK)


def unpack_facts(packed: bytes) -> list[Fact]:
    """What `pack_facts` packed."""
    rows: list[tuple[str, Row, int | None]] = json.loads(zlib.decompress(packed))
    return [Fact(table, row, known_us) for table, row, known_us in rows]


def read_logged(logged: Iterable[LoggedFact]) -> list[Fact]:
    """Facts of the log."""
    return [Fact(f.table, json.loads(f.row), f.known_us, f.event_id) for f in logged]


def facts_of(frame: pd.DataFrame, name: str) -> Iterator[Fact]:
    """Every row of a conformed frame as a fact, in its order."""
    columns = {
        c.name: _cells(frame[c.name], c.kind) for c in CONTRACTS[name].columns if c.name in frame
    }
    for values in zip(*columns.values(), strict=True):
        row = {c: v for c, v in zip(columns, values, strict=True) if v is not None}
        known = row.pop(KNOWN_AT, None)
        yield Fact(name, row, None if known is None else int(known))


def _cells(values: AnySeries, kind: Kind) -> list[Cell | None]:
    """The cells of a column as the log keeps them."""
    if kind in _TIMES:
        cells: list[Cell | None] = [*values.astype("int64")]
    else:
        cells = values.astype("object").tolist()
    if values.isna().any():
        return [None if is_null else c for c, is_null in zip(cells, values.isna(), strict=True)]
    return cells


def tables_of(facts: Sequence[Fact], *, names: Iterable[str]) -> dict[str, pd.DataFrame]:
    """Facts as conformed frames; the tables named are there even without rows."""
    by_table: dict[str, list[Fact]] = {}
    for fact in facts:
        by_table.setdefault(fact.table, []).append(fact)
    wanted = [name for name in CONTRACTS if name in by_table or name in set(names)]
    return {name: _frame_of(name, by_table.get(name, [])) for name in wanted}


def _frame_of(name: str, facts: Sequence[Fact]) -> pd.DataFrame:
    if not facts:
        return empty_table(name)
    columns: dict[str, AnySeries] = {}
    for column in CONTRACTS[name].columns:
        if column.name == KNOWN_AT:
            values: list[object] = [fact.known_us for fact in facts]
        else:
            values = [fact.row.get(column.name) for fact in facts]
        columns[column.name] = _series(values, column.kind)
    return pd.DataFrame(columns)


def _series(values: list[object], kind: Kind) -> AnySeries:
    if kind in _TIMES:
        micros = np.array([_NO_TIME if value is None else value for value in values], np.int64)
        return pd.Series(micros.view("datetime64[us]")).dt.tz_localize("UTC")
    return pd.Series(values, dtype=pd.api.types.pandas_dtype(DTYPES[kind]))


def merge_facts(history: Sequence[Fact], log: Sequence[Fact]) -> list[Fact]:
    """History and log together: what the log says of a row that the tables hold is said once.

    Versions of a key stay all, since repeating one changes nothing. Of rows without a key, one with
    an `event_id` that is in the tables is that row; one without is the row of the tables that says
    the same to the microsecond, each taken for one.
    """
    has_key = {name for name, contract in CONTRACTS.items() if contract.key}
    events = {(f.table, f.row[EVENT_ID]) for f in history if EVENT_ID in f.row}
    said = Counter(f.digest for f in history if f.table not in has_key and EVENT_ID not in f.row)
    merged = list(history)
    for fact in log:
        if fact.table in has_key:
            merged.append(fact)
        elif EVENT_ID in fact.row:
            if (fact.table, fact.row[EVENT_ID]) not in events:
                merged.append(fact)
        elif said[fact.digest] > 0:
            said[fact.digest] -= 1
        else:
            merged.append(fact)
    return merged
