"""Tables as DuckDB relations in which every time is an integer: UTC microseconds.

Here, and nowhere in the compiled text, stands what differs between engines: how a source becomes
`facts`. A relation has the name of its table; the moment a row became known is its column `t`.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import duckdb

from features.contracts import CONTRACTS, Kind, TableContract
from features.tables import Tables, empty_table

_TIMES = (Kind.TIME, Kind.DATE)


@contextmanager
def connect() -> Iterator[duckdb.DuckDBPyConnection]:
    """A DuckDB of its own in memory, closed at the end."""
    connection = duckdb.connect(":memory:")
    try:
        connection.execute("SET TimeZone = 'UTC'")
        yield connection
    finally:
        connection.close()


@contextmanager
def open_facts(tables: Tables, *, names: Iterable[str]) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection with the relations of these tables, all rows and all revisions in them.

    `outcomes` are what people did, each kind once per message: the first one that no machine made,
    with its message's customer, channel and trigger, known when both are.

    Args:
        tables: Conformed frames by name.
        names: Tables wanted; `outcomes` needs `messages` too. All must be present.
    """
    with connect() as facts:
        for name in names:
            _register(facts, tables=tables, name=name)
            if name == "outcomes":
                _register(facts, tables=tables, name="messages")
                facts.execute(f"CREATE TEMP VIEW outcomes AS {_FIRST_HUMAN_OUTCOMES}")
            else:
                facts.execute(f"CREATE TEMP VIEW {name} AS {_select_facts(CONTRACTS[name])}")
        yield facts


@contextmanager
def open_known_facts(
    tables: Tables, *, names: Iterable[str], before: int
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection with these tables as they were known before one moment.

    Rows known at or after it are not there, later revisions are null, absent tables are empty.

    Args:
        tables: Conformed frames by name.
        names: Tables wanted.
        before: The moment, in UTC microseconds.
    """
    with connect() as facts:
        for name in names:
            _register(facts, tables=tables, name=name)
            select = _select_facts(CONTRACTS[name], before=before)
            facts.execute(f"CREATE TEMP TABLE {name} AS {select}")
        yield facts


def _register(facts: duckdb.DuckDBPyConnection, *, tables: Tables, name: str) -> None:
    frame = tables[name] if name in tables else empty_table(name)
    columns = [column.name for column in CONTRACTS[name].columns]
    facts.register(f"raw_{name}", frame[columns])


def _select_facts(contract: TableContract, *, before: int | None = None) -> str:
    columns = [f"{_micros(contract.moment)} AS t"]
    for column in contract.columns:
        if column.kind not in _TIMES:
            columns.append(f'"{column.name}"')
        elif before is not None and column.name in contract.revised:
            columns.append(f'{_known_value(column.name, before=before)} AS "{column.name}"')
        elif column.name != contract.moment:
            columns.append(f'{_micros(column.name)} AS "{column.name}"')
    rows = "" if before is None else f" WHERE {_known_rows(contract, before=before)}"
    return f"SELECT {', '.join(columns)} FROM raw_{contract.name}{rows}"


def _known_rows(contract: TableContract, *, before: int) -> str:
    return f"{_micros(contract.moment)} < {before}"


def _known_value(column: str, *, before: int) -> str:
    return f"CASE WHEN {_micros(column)} < {before} THEN {_micros(column)} END"


def _micros(column: str) -> str:
    return f'epoch_us("{column}")'


_FIRST_HUMAN_OUTCOMES = """
SELECT m.customer_id, m.channel, m."trigger", o.outcome,
    MIN(epoch_us(CASE WHEN o."at" < m.sent_at THEN m.sent_at ELSE o."at" END)) AS t
FROM raw_outcomes o JOIN raw_messages m ON m.message_id = o.message_id
WHERE NOT o.machine
GROUP BY m.message_id, m.customer_id, m.channel, m."trigger", o.outcome
"""
