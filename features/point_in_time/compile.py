"""One SQL text from declarations; it runs unchanged on DuckDB and on Spark SQL.

The text reads a relation `spine` (row_id, customer_id, c) and one relation per table, where the
moment a row became known is `t`. All times are int64 UTC microseconds. It keeps to a closed set of
constructs whose meaning is the same everywhere: `%`, `-`, comparisons, CASE, COALESCE, COUNT, SUM,
MIN, MAX, COUNT DISTINCT, ROUND, CAST to BIGINT, equality joins, and literals such as 5.5e0 (a plain
5.5 is a DECIMAL in Spark). MAX_BY is left out on purpose: engines differ on nulls and on ties.
Numbers with a fraction are summed as integer millionths, so that the order of rows cannot change
the last bit.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from features.conditions import Condition, Is
from features.contracts import CONTRACTS, Kind
from features.declarations import Aggregate, Combination, Derived, Feature, FeatureSet
from features.point_in_time.spine import MICROS_PER_DAY

_DAY = f"{MICROS_PER_DAY}e0"
_MOMENTS = (
    "moments AS (SELECT row_id, customer_id, c,"
    f" c - ((c % {MICROS_PER_DAY}) + {MICROS_PER_DAY}) % {MICROS_PER_DAY} AS midnight FROM spine)"
)


@dataclass(frozen=True)
class _Pass:
    """One walk over a table.

    Attributes:
        relation: Name of the relation it ends in: row_id and a column per feature.
        steps: Common table expressions, the last of which is that relation.
        features: Features that are its columns.
    """

    relation: str
    steps: tuple[str, ...]
    features: tuple[Feature, ...]


def compile_features(features: FeatureSet, *, present: Collection[str]) -> str:
    """The SQL text of a feature set: row_id and one DOUBLE per feature, ordered by row_id.

    Args:
        features: What to compute.
        present: Tables that exist as relations; features of other tables are null.
    """
    readable = [feature for feature in features.plain if feature.table in present]
    passes = [*_walk_windows(readable), *_walk_latest(readable)]
    columns = {f.name: _finish(f, relation=p.relation) for p in passes for f in p.features}
    absent = "CAST(NULL AS DOUBLE)"
    plain = [f"{columns.get(f.name, absent)} AS {f.name}" for f in features.plain]
    joins = [f"LEFT JOIN {p.relation} ON {p.relation}.row_id = s.row_id" for p in passes]
    steps = [
        _MOMENTS,
        *(step for p in passes for step in p.steps),
        _step("plain", ["s.row_id", *plain], tail="\n".join(["FROM moments s", *joins])),
    ]
    final = ["row_id", *(_combine(f) for f in features.features)]
    text = ",\n".join(steps)
    return f"WITH {text}\nSELECT {_list(final)}\nFROM plain ORDER BY row_id"


def write_double(number: float) -> str:
    """A literal that is a DOUBLE to every engine.

    >>> write_double(0.8), write_double(1e-7)
    ('0.8e0', '1e-07')
    """
    text = repr(float(number))
    return text if "e" in text else f"{text}e0"


def _walk_windows(features: Iterable[Feature]) -> Iterator[_Pass]:
    """One pass per table for everything but the latest row."""
    tables: dict[str, list[Feature]] = {}
    for feature in features:
        if not feature.aggregate.reads_latest:
            tables.setdefault(feature.table, []).append(feature)
    for table, members in tables.items():
        relation = f"{table}_windows"
        columns = ["s.row_id", *(f"{_aggregate(f)} AS {f.name}" for f in members)]
        tail = f"FROM moments s JOIN {table} e ON {_known(members)}\nGROUP BY s.row_id"
        yield _Pass(relation, (_step(relation, columns, tail=tail),), tuple(members))


def _walk_latest(features: Iterable[Feature]) -> Iterator[_Pass]:
    """Two steps per group of features that share their latest row: when it was, what it says."""
    groups: dict[tuple[str, tuple[str, ...]], list[Feature]] = {}
    for feature in features:
        if feature.aggregate.reads_latest:
            rows = _rows(feature, where=feature.aggregate is not Aggregate.HOLDS)
            groups.setdefault((feature.table, rows), []).append(feature)
    for n, ((table, rows), members) in enumerate(groups.items(), start=1):
        latest, relation = f"{table}_latest_{n}", f"{table}_last_{n}"
        known = " AND ".join((_known(members), *rows))
        when = _step(
            latest,
            ["s.row_id", "s.customer_id", "s.c", "MAX(e.t) AS t"],
            tail=f"FROM moments s JOIN {table} e ON {known}\nGROUP BY s.row_id, s.customer_id, s.c",
        )
        what = _step(
            relation,
            ["s.row_id", *(f"{_read_latest(f)} AS {f.name}" for f in members)],
            tail=f"FROM {latest} s JOIN {table} e ON e.customer_id = s.customer_id AND e.t = s.t\n"
            "GROUP BY s.row_id",
        )
        yield _Pass(relation, (when, what), tuple(members))


def _step(name: str, columns: Iterable[str], *, tail: str) -> str:
    return f"{name} AS (\nSELECT {_list(columns)}\n{tail})"


def _list(columns: Iterable[str]) -> str:
    return ",\n  ".join(columns)


def _known(members: Iterable[Feature]) -> str:
    """The join of a moment with the rows known before it, back to the longest window."""
    join = "e.customer_id = s.customer_id AND e.t < s.c"
    reaches = [(f.window_days, f.ends_days_ago) for f in members]
    if any(window is None for window, _ in reaches):
        return join
    longest = max((window or 0) + ends for window, ends in reaches)
    return f"{join} AND e.t >= s.midnight - {longest * MICROS_PER_DAY}"


def _rows(feature: Feature, *, where: bool = True) -> tuple[str, ...]:
    """Conditions on a row: inside the feature's window, and fulfilling its `where`."""
    rows = []
    if feature.window_days is not None:
        begin = (feature.window_days + feature.ends_days_ago) * MICROS_PER_DAY
        rows.append(f"e.t >= s.midnight - {begin}")
    if feature.ends_days_ago:
        rows.append(f"e.t < s.midnight - {feature.ends_days_ago * MICROS_PER_DAY}")
    if where:
        rows += [_ask(condition, table=feature.table) for condition in feature.where]
    return tuple(rows)


def _ask(condition: Condition, *, table: str) -> str:
    column = _column(condition.column, table=table)
    match condition.test:
        case Is.ONE_OF:
            values = ", ".join(f"'{value}'" for value in condition.operands)
            return f"{column} IN ({values})"
        case Is.TRUE:
            return column
        case Is.FALSE:
            return f"NOT {column}"
        case Is.PASSED:
            return f"{column} < s.c"
        case Is.NOT_YET:
            return f"({column} IS NULL OR {column} >= s.c)"
        case Is.AFTER_OR_NOT_YET:
            other = _column(condition.operands[0], table=table)
            return f"({column} IS NULL OR {column} >= s.c OR {column} > {other})"


def _column(name: str, *, table: str) -> str:
    return "e.t" if name == CONTRACTS[table].moment else f"e.{name}"


def _value(feature: Feature) -> str:
    """What is aggregated: times of later events are null before them, fractions are millionths."""
    name = feature.value or CONTRACTS[feature.table].moment
    column = _column(name, table=feature.table)
    if name in CONTRACTS[feature.table].revised:
        return f"CASE WHEN {column} < s.c THEN {column} END"
    return f"CAST(ROUND(1e6 * {column}) AS BIGINT)" if _in_millionths(feature) else column


def _in_millionths(feature: Feature) -> bool:
    if feature.value is None or feature.aggregate not in (Aggregate.SUM, Aggregate.MEAN):
        return False
    return CONTRACTS[feature.table].column(feature.value).kind is Kind.NUMBER


def _aggregate(feature: Feature) -> str:
    rows = " AND ".join(_rows(feature))
    value = "1" if feature.aggregate is Aggregate.COUNT else _value(feature)
    x = f"CASE WHEN {rows} THEN {value} END" if rows else value
    match feature.aggregate:
        case Aggregate.SUM:
            return f"SUM({x})"
        case Aggregate.MEAN:
            return f"1e0 * SUM({x}) / COUNT({x})"
        case Aggregate.DISTINCT:
            return f"COUNT(DISTINCT {x})"
        case Aggregate.DAYS_SINCE_LAST:
            return f"MAX({x})"
        case Aggregate.DAYS_SINCE_FIRST:
            return f"MIN({x})"
        case Aggregate.MEAN_GAP_DAYS:
            gaps = f"(COUNT({x}) - 1)"
            return f"CASE WHEN {gaps} > 0 THEN (MAX({x}) - MIN({x})) / ({_DAY} * {gaps}) END"
        case _:
            return f"COUNT({x})"


def _read_latest(feature: Feature) -> str:
    conditions = [_ask(condition, table=feature.table) for condition in feature.where]
    fulfilled = " AND ".join(conditions)
    if feature.aggregate is Aggregate.HOLDS:
        return f"MAX(CASE WHEN {fulfilled} THEN 1 ELSE 0 END)"
    value = _value(feature)
    return f"MAX(CASE WHEN {fulfilled} THEN {value} END)" if fulfilled else f"MAX({value})"


def _finish(feature: Feature, *, relation: str) -> str:
    """From the column of its pass to the feature's number."""
    column = f"{relation}.{feature.name}"
    if feature.aggregate.is_zero_without_rows:
        column = f"COALESCE({column}, 0)"
    match feature.aggregate:
        case Aggregate.DAYS_SINCE_LAST | Aggregate.DAYS_SINCE_FIRST:
            return f"(s.c - {column}) / {_DAY}"
        case Aggregate.DAYS_UNTIL:
            return f"({column} - s.c) / {_DAY}"
        case _:
            return f"{column} / 1e6" if _in_millionths(feature) else f"1e0 * {column}"


def _combine(feature: Feature | Derived) -> str:
    """The final column: a plain feature as it is, a derived one from its two."""
    if isinstance(feature, Feature):
        return feature.name
    scale = write_double(feature.scale)
    if feature.combination is Combination.DIFFERENCE:
        return f"{scale} * ({feature.left} - {feature.right}) AS {feature.name}"
    ratio = f"{scale} * {feature.left} / {feature.right}"
    return f"CASE WHEN {feature.right} <> 0e0 THEN {ratio} END AS {feature.name}"
