"""Rules between the columns of a row, between rows and between tables.

Each is one query for the numbers of the rows that break it, over frames and files alike. Nulls
break none of these: where a value is required, a null is reported on its own.
"""

from dataclasses import dataclass
from datetime import datetime

from features.checks.names import did_you_mean
from features.checks.rows import ROW, FoundRows, Rows
from features.checks.rules import Rule
from features.checks.violations import Note, Violation, violation_of
from features.contracts import CONTRACTS, EVENT_ID, KNOWN_AT, Column, TableContract


@dataclass(frozen=True)
class _Sequence:
    """Two times of a row, of which the second cannot come first."""

    table: str
    earlier: str
    later: str


REQUIRED_TABLE = "customers"

_SEQUENCES = (
    _Sequence("orders", "ordered_at", "delivered_at"),
    _Sequence("invoices", "issued_at", "paid_at"),
    _Sequence("tickets", "opened_at", "resolved_at"),
    _Sequence("disruptions", "starts_at", "ends_at"),
)
_HOURS_OF_ZONES = 14  # the widest difference between a local time and UTC


@dataclass(frozen=True)
class Relations:
    """What was found between rows and tables.

    Attributes:
        violations: What is wrong.
        notes: What is worth knowing.
    """

    violations: tuple[Violation, ...]
    notes: tuple[Note, ...]


def check_relations(
    rows: Rows, *, as_of: datetime | None, others: tuple[str, ...] = ()
) -> Relations:
    """Missing tables, keys, corrections, references to nobody, disorder in time, future rows.

    Args:
        rows: The tables.
        as_of: Aware moment after which nothing can be known yet; None leaves the future out.
        others: Names of tables that are there and no contract knows.
    """
    violations = _find_missing_tables(rows, others)
    notes: list[Note] = []
    for name, n_rows in rows.sizes.items():
        contract = CONTRACTS[name]
        if not n_rows:
            continue
        violations += _find_duplicate_keys(rows, contract)
        violations += _find_moved_rows(rows, contract)
        events = _check_events(rows, contract)
        violations += events.violations
        notes += events.notes
        violations += _find_unknown_references(rows, contract)
        violations += _find_future_rows(rows, contract, as_of)
    for sequence in _SEQUENCES:
        violations += _find_disorder(rows, sequence)
    return Relations((*violations, *_find_early_outcomes(rows)), tuple(notes))


def _violations(
    found: FoundRows | None,
    contract: TableContract,
    column: str,
    rule: Rule,
    *,
    expected: str,
    hint: str = "",
) -> list[Violation]:
    if found is None:
        return []
    return [
        violation_of(
            found.shown,
            numbers=found.numbers,
            n_rows=found.n_rows,
            contract=contract,
            column=column,
            rule=rule,
            expected=expected,
            hint=hint,
        )
    ]


def _find_missing_tables(rows: Rows, others: tuple[str, ...]) -> list[Violation]:
    """The required table, and those that rows of another table refer to."""
    needed = {REQUIRED_TABLE: "this table, which is always required"}
    for name, n_rows in rows.sizes.items():
        for column in CONTRACTS[name].columns:
            if column.refers_to is not None and n_rows:
                needed.setdefault(column.refers_to, f"this table, which {name} refers to")
    return [
        Violation(name, "", Rule.MISSING_TABLE, 0, (), expected, hint=did_you_mean(name, others))
        for name, expected in needed.items()
        if name not in rows.sizes
    ]


def _find_duplicate_keys(rows: Rows, contract: TableContract) -> list[Violation]:
    """Rows of one key that nothing tells apart: known at the same moment, or at none."""
    if not contract.key:
        return []
    identity = (*contract.key, KNOWN_AT) if contract.corrected else contract.key
    repeated = _repeated(contract.name, identity)
    if not rows.count(f"SELECT count(*) FROM ({repeated})"):
        return []
    same = " AND ".join(f'a."{column}" IS NOT DISTINCT FROM b."{column}"' for column in identity)
    found = rows.find(
        contract.name,
        f"""
        WITH numbered AS (
            SELECT a.{ROW}, row_number() OVER (PARTITION BY {_listed(identity, "a")}
                ORDER BY a.{ROW}) AS nth
            FROM "{contract.name}" a JOIN ({repeated}) b ON {same}
            WHERE {_all_present(contract.key, "a")}
        )
        SELECT {ROW} FROM numbered WHERE nth > 1
        """,
    )
    per = " and ".join(contract.key)
    if found is not None and contract.corrected and found.shown[KNOWN_AT].notna().all():
        per = f"{per} known at one moment"
    return _violations(
        found,
        contract,
        contract.key[0],
        Rule.DUPLICATE_KEY,
        expected=f"one row for each {per}",
        hint="" if contract.corrected else "each has one row and no corrections",
    )


def _find_moved_rows(rows: Rows, contract: TableContract) -> list[Violation]:
    """Corrections that give somebody's row to somebody else."""
    owner = "customer_id"
    if not contract.corrected or owner in contract.key or not _has(contract, owner):
        return []
    if not rows.count(f'SELECT count("{KNOWN_AT}") FROM "{contract.name}"'):
        return []  # nothing is said to be a correction
    key, known = _listed(contract.key), f'greatest("{contract.moment}", "{KNOWN_AT}")'
    found = rows.find(
        contract.name,
        f"""
        WITH again AS (
            SELECT {key} FROM "{contract.name}" WHERE {_all_present(contract.key)}
            GROUP BY {key} HAVING min("{owner}") <> max("{owner}")
        ), owned AS (
            SELECT {ROW}, "{owner}", "{KNOWN_AT}", first_value("{owner}" IGNORE NULLS) OVER (
                PARTITION BY {key} ORDER BY {known}, "{KNOWN_AT}" NULLS FIRST, {ROW}
                ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS first_owner
            FROM "{contract.name}" SEMI JOIN again USING ({key})
        )
        SELECT {ROW} FROM owned WHERE "{owner}" <> first_owner AND "{KNOWN_AT}" IS NOT NULL
        """,
    )
    return _violations(
        found,
        contract,
        owner,
        Rule.MOVED_ROW,
        expected=f"the {owner} that {' and '.join(contract.key)} had before: "
        "a correction changes a row, not whose it is",
    )


def _check_events(rows: Rows, contract: TableContract) -> Relations:
    """Rows with the `event_id` of an earlier one: told again, or telling something else."""
    if contract.identity != (EVENT_ID,):
        return Relations((), ())
    if not rows.count(f'SELECT count("{EVENT_ID}") FROM "{contract.name}"'):
        return Relations((), ())
    repeated = _repeated(contract.name, (EVENT_ID,))
    n = rows.count(
        f'SELECT count(*) - count(DISTINCT "{EVENT_ID}") FROM "{contract.name}" '
        f'SEMI JOIN ({repeated}) USING ("{EVENT_ID}")'
    )
    if not n:
        return Relations((), ())
    told = [c.name for c in contract.columns if c.name not in (EVENT_ID, KNOWN_AT)]
    found = rows.find(
        contract.name,
        f"""
        WITH compared AS (
            SELECT {ROW}, row({_listed(told)}) AS told, first_value(row({_listed(told)})) OVER (
                PARTITION BY "{EVENT_ID}" ORDER BY {ROW}) AS told_first
            FROM "{contract.name}" SEMI JOIN ({repeated}) USING ("{EVENT_ID}")
        )
        SELECT {ROW} FROM compared WHERE told IS DISTINCT FROM told_first
        """,
    )
    changed = _violations(
        found,
        contract,
        EVENT_ID,
        Rule.CHANGED_EVENT,
        expected="the same event again, or an event_id of its own",
    )
    text = f"{n:,} row{'s' * (n != 1)} with the event_id of another, each event counts once"
    return Relations(tuple(changed), (Note(contract.name, text=text),))


def _repeated(table: str, columns: tuple[str, ...]) -> str:
    """Values of these columns that more than one row has, nulls among them.

    Hashes are grouped first: they are small, and few are there twice.
    """
    listed = _listed(columns)
    return (
        f'SELECT {listed} FROM "{table}" WHERE {_all_present(columns[:1])} AND hash({listed}) IN '
        f'(SELECT hash({listed}) FROM "{table}" WHERE {_all_present(columns[:1])} '
        f"GROUP BY 1 HAVING count(*) > 1) GROUP BY {listed} HAVING count(*) > 1"
    )


def _find_unknown_references(rows: Rows, contract: TableContract) -> list[Violation]:
    violations: list[Violation] = []
    for column in contract.columns:
        if column.refers_to is None or column.refers_to not in rows.sizes:
            continue
        key = CONTRACTS[column.refers_to].key[0]
        known = f'SELECT "{key}" FROM "{column.refers_to}" WHERE "{key}" IS NOT NULL'
        found = rows.find(
            contract.name,
            f'SELECT {ROW} FROM "{contract.name}" '
            f'WHERE "{column.name}" IS NOT NULL AND "{column.name}" NOT IN ({known})',
        )
        violations += _violations(
            found,
            contract,
            column.name,
            Rule.UNKNOWN_REFERENCE,
            expected=f"a {key} of table {column.refers_to}",
            hint=_known_in_other_letters(rows, column, key, found),
        )
    return violations


def _known_in_other_letters(rows: Rows, column: Column, key: str, found: FoundRows | None) -> str:
    """Whether the first of the unknown ids differs from a known one by case or zeros only."""
    if found is None:
        return ""
    unknown = str(found.shown[column.name].iloc[0])
    for folded, difference in (
        ("lower({})", "capital letters"),
        ("ltrim({}, '0')", "zeros in front"),
    ):
        left, right = folded.format(f'"{key}"'), folded.format("?")
        query = f'SELECT count(*) FROM "{column.refers_to}" WHERE {left} = {right}'
        if rows.count(query, unknown):
            return f"{unknown} differs from a known one only by {difference}"
    return ""


def _find_future_rows(
    rows: Rows, contract: TableContract, as_of: datetime | None
) -> list[Violation]:
    if as_of is None or not contract.moment:
        return []
    violations: list[Violation] = []
    for column in (contract.moment, KNOWN_AT):
        if not _has(contract, column):
            continue
        found = rows.find(
            contract.name,
            f'SELECT {ROW} FROM "{contract.name}" WHERE "{column}" > $as_of',
            as_of=as_of,
        )
        violations += _violations(
            found,
            contract,
            column,
            Rule.FUTURE_ROW,
            expected=f"nothing later than {as_of.isoformat()}",
            hint=_ahead_by_hours(found, column, as_of),
        )
    return violations


def _ahead_by_hours(found: FoundRows | None, column: str, as_of: datetime) -> str:
    if found is None:
        return ""
    hours = (found.shown[column] - as_of).dt.total_seconds().max() / 3600
    return "hours ahead: local times given out as UTC?" if hours <= _HOURS_OF_ZONES else ""


def _find_disorder(rows: Rows, sequence: _Sequence) -> list[Violation]:
    if sequence.table not in rows.sizes:
        return []
    found = rows.find(
        sequence.table,
        f'SELECT {ROW} FROM "{sequence.table}" WHERE "{sequence.later}" < "{sequence.earlier}"',
    )
    return _violations(
        found,
        CONTRACTS[sequence.table],
        sequence.later,
        Rule.OUT_OF_ORDER,
        expected=f"a time not before {sequence.earlier}",
        hint=_apart_by_hours(found, sequence),
    )


def _apart_by_hours(found: FoundRows | None, sequence: _Sequence) -> str:
    if found is None:
        return ""
    apart = found.shown[sequence.earlier] - found.shown[sequence.later]
    if apart.dt.total_seconds().max() / 3600 <= _HOURS_OF_ZONES:
        return f"by hours only: is {sequence.later} in the zone of {sequence.earlier}?"
    return ""


def _find_early_outcomes(rows: Rows) -> list[Violation]:
    if "outcomes" not in rows.sizes or "messages" not in rows.sizes:
        return []
    found = rows.find(
        "outcomes",
        f"""
        SELECT o.{ROW} FROM "outcomes" o JOIN (
            SELECT "message_id", min("sent_at") AS first_sent_at FROM "messages" GROUP BY 1
        ) m ON o."message_id" = m."message_id" WHERE o."at" < m.first_sent_at
        """,
    )
    return _violations(
        found,
        CONTRACTS["outcomes"],
        "at",
        Rule.OUT_OF_ORDER,
        expected="a time not before sent_at of its message",
    )


def _has(contract: TableContract, name: str) -> bool:
    return any(column.name == name for column in contract.columns)


def _listed(columns: tuple[str, ...] | list[str], of: str = "") -> str:
    return ", ".join(f'{of}{"." * bool(of)}"{column}"' for column in columns)


def _all_present(columns: tuple[str, ...], of: str = "") -> str:
    return " AND ".join(f'{of}{"." * bool(of)}"{column}" IS NOT NULL' for column in columns)
