"""What stands between base relations and features: the rows of a table, and when each one held.

A text of this module reads `base_<table>` and gives every column of it and three more, in UTC
microseconds: `t`, the row's own moment; `k`, when the row became known, never before `t`; and `x`,
when another row took its place, null where none did. At a moment `c` a row holds when `k < c` and
`x` is null or `x >= c`. The texts mean the same on every engine.

Where an engine says that nothing came late (`Relations.late`), `k` is `t` and `x` is null, and
readers may leave both out.
"""

from typing import Final

from features.contracts import CONTRACTS, EVENT_ID, KNOWN_AT, TableContract
from features.engines.engine import base_column

NEVER: Final = "CAST(NULL AS BIGINT)"


def select_rows(name: str, *, late: bool) -> str:
    """The rows of a table with t, k and x; of outcomes, only what people did (see below).

    Outcomes are what people did, each kind once per message: the first one that no machine made, at
    or after its message, known when both are; with customer_id, channel and about of the message.
    Where an earlier one becomes known later, it takes the place of the one that stood there.

    Args:
        name: The table; `outcomes` reads `base_messages` too.
        late: Whether rows may have become known later than their moment, or come again.
    """
    contract = CONTRACTS[name]
    if name == "outcomes":
        return _LATE_OUTCOMES if late else _OUTCOMES
    if not contract.moment:
        return f"SELECT b.* FROM base_{name} b"
    if not late:
        return (
            f"SELECT b.*, b.{contract.moment} AS t, b.{contract.moment} AS k, {NEVER} AS x"
            f" FROM base_{name} b"
        )
    if contract.corrected:
        return _select_versions(contract)
    return _select_first(contract) if EVENT_ID in contract.identity else _told(contract)


def select_known(name: str, *, late: bool, before: int) -> str:
    """The rows of a table that hold at one moment, times of later events null again.

    Args:
        name: See `select_rows`.
        late: See `select_rows`.
        before: The moment, in UTC microseconds.
    """
    contract = CONTRACTS[name]
    rows = select_rows(name, late=late)
    if not contract.moment:
        return rows
    columns = ", ".join(
        f"CASE WHEN r.{column} < {before} THEN r.{column} END AS {column}"
        if column in contract.revised
        else f"r.{column}"
        for column in _columns(name)
    )
    return f"SELECT {columns}, r.t, r.k FROM ({rows}) r WHERE {holds('r', late=late, at=before)}"


def holds(row: str, *, late: bool, at: int | str) -> str:
    """The condition that a row holds at a moment: known before it and not yet superseded."""
    if not late:
        return f"{row}.t < {at}"
    return f"{row}.k < {at} AND ({row}.x IS NULL OR {row}.x >= {at})"


def _columns(name: str) -> list[str]:
    if name == "outcomes":
        return ["message_id", "customer_id", "channel", "about", "outcome"]
    return [base_column(column.name) for column in CONTRACTS[name].columns]


def _told(contract: TableContract) -> str:
    """Rows with t and k, all of them, none superseded."""
    t = f"b.{contract.moment}"
    known = f"GREATEST({t}, COALESCE(b.{KNOWN_AT}, {t}))"
    return f"SELECT b.*, {t} AS t, {known} AS k, {NEVER} AS x FROM base_{contract.name} b"


def _order(contract: TableContract) -> str:
    """In which order rows of one identity became known; contradictory ones by what they say."""
    columns = [KNOWN_AT, *(c.name for c in contract.columns if c.name != KNOWN_AT)]
    told = (f"n.{base_column(name)} NULLS FIRST" for name in columns)
    return ", ".join(("n.k", *told))


def _select_versions(contract: TableContract) -> str:
    """Every version of every key; one holds until the next becomes known."""
    keys = ", ".join(f"n.{name}" for name in contract.key)
    columns = ", ".join(f"n.{name}" for name in (*_columns(contract.name), "t", "k"))
    return (
        f"SELECT {columns}, LEAD(n.k) OVER (PARTITION BY {keys} ORDER BY {_order(contract)}) AS x"
        f" FROM ({_told(contract)}) n"
    )


def _select_first(contract: TableContract) -> str:
    """Rows with an event_id once, as they first became known; the others as they are.

    Apart, because rows without one would all be one partition.
    """
    columns = ", ".join(f"n.{name}" for name in (*_columns(contract.name), "t", "k", "x"))
    told = _told(contract)
    return (
        f"SELECT {columns} FROM ({told} WHERE b.{EVENT_ID} IS NULL) n"
        f" UNION ALL SELECT {columns} FROM (SELECT n.*, ROW_NUMBER() OVER ("
        f"PARTITION BY n.{EVENT_ID} ORDER BY {_order(contract)}) AS place"
        f" FROM ({told} WHERE b.{EVENT_ID} IS NOT NULL) n) n WHERE n.place = 1"
    )


_OUTCOMES: Final = """
SELECT f.*, f.t AS k, CAST(NULL AS BIGINT) AS x FROM (
    SELECT m.message_id, m.customer_id, m.channel, m.about, o.outcome,
        MIN(GREATEST(o.at, m.sent_at)) AS t
    FROM base_outcomes o JOIN base_messages m ON m.message_id = o.message_id
    WHERE NOT o.machine
    GROUP BY m.message_id, m.customer_id, m.channel, m.about, o.outcome
) f
"""

_LATE_OUTCOMES: Final = """
SELECT e.message_id, e.customer_id, e.channel, e.about, e.outcome, e.t, e.k,
    LEAD(e.k) OVER (PARTITION BY e.message_id, e.outcome ORDER BY e.k) AS x
FROM (
    SELECT n.*, MIN(n.t) OVER (
        PARTITION BY n.message_id, n.outcome ORDER BY n.k, n.t
        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    ) AS earlier
    FROM (
        SELECT m.message_id, m.customer_id, m.channel, m.about, o.outcome,
            GREATEST(o.at, m.sent_at) AS t,
            GREATEST(o.at, m.sent_at, COALESCE(o.known_at, o.at)) AS k
        FROM base_outcomes o JOIN base_messages m ON m.message_id = o.message_id
        WHERE NOT o.machine
    ) n
) e
WHERE e.earlier IS NULL OR e.t < e.earlier
"""
