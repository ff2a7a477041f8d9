"""From a declaration to what is said of one row `e` at one moment `s`, and of all rows together.

A condition, a value and an aggregate of a feature, each as SQL that keeps to the constructs named
in `features.point_in_time.compile`.
"""

from collections.abc import Iterable

from features.codes import write_code
from features.conditions import WEEK_HOUR, Condition, Is
from features.contracts import CONTRACTS
from features.declarations import Aggregate, Combination, Derived, Feature
from features.engines.engine import base_column
from features.point_in_time.spine import MICROS_PER_DAY

_DAY = f"{MICROS_PER_DAY}e0"


def write_double(number: float) -> str:
    """A literal that is a DOUBLE to every engine.

    >>> write_double(0.8), write_double(1e-7)
    ('0.8e0', '1e-07')
    """
    text = repr(float(number))
    return text if "e" in text else f"{text}e0"


def ask(condition: Condition, *, table: str) -> str:
    """Whether the row fulfils the condition."""
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
        case Is.IN_HOURS:
            first_day, last_day, first_hour, last_hour = condition.operands
            days = f"{column} >= {24 * int(first_day)} AND {column} < {24 * (int(last_day) + 1)}"
            return f"{days} AND {column} % 24 >= {first_hour} AND {column} % 24 <= {last_hour}"


def ask_rows(feature: Feature, *, where: bool = True) -> tuple[str, ...]:
    """Conditions on a row: inside the feature's window, and fulfilling its `where`."""
    rows = []
    if feature.window_days is not None:
        begin = (feature.window_days + feature.ends_days_ago) * MICROS_PER_DAY
        rows.append(f"e.t >= s.midnight - {begin}")
    if feature.ends_days_ago or feature.aggregate is Aggregate.SLOPE:
        rows.append(f"e.t < s.midnight - {feature.ends_days_ago * MICROS_PER_DAY}")
    if where:
        rows += [ask(condition, table=feature.table) for condition in feature.where]
    return tuple(rows)


def aggregate(feature: Feature) -> str:
    """The column of a pass over a window: an integer, or null, wherever it can be."""
    rows = " AND ".join(ask_rows(feature))
    value = "1" if feature.aggregate is Aggregate.COUNT else _value(feature)
    x = f"CASE WHEN {rows} THEN {value} END" if rows else value
    match feature.aggregate:
        case Aggregate.SUM | Aggregate.SLOPE:
            return f"SUM({x})"
        case Aggregate.MEAN:
            return f"1e0 * SUM({x}) / COUNT({x})"
        case Aggregate.DAYS_SINCE_LAST:
            return f"MAX({x})"
        case Aggregate.DAYS_SINCE_FIRST | Aggregate.MIN:
            return f"MIN({x})"
        case Aggregate.MEAN_GAP_DAYS:
            gaps = f"(COUNT({x}) - 1)"
            return f"CASE WHEN {gaps} > 0 THEN (MAX({x}) - MIN({x})) / ({_DAY} * {gaps}) END"
        case _:
            return f"COUNT({x})"


def ask_values(feature: Feature) -> str:
    """The rows whose different values count."""
    column = _column(feature.value or "", table=feature.table)
    return " AND ".join((*ask_rows(feature), f"{column} IS NOT NULL"))


def ask_any(features: Iterable[Feature]) -> tuple[str, ...]:
    """What every row that tells any of these features fulfils, whatever the moment, if anything."""
    alternatives = []
    for feature in features:
        asked = [
            ask(condition, table=feature.table)
            for condition in feature.where
            if not condition.is_of_the_moment
        ]
        if not asked:
            return ()
        alternatives.append(" AND ".join(asked))
    different = [f"({asked})" for asked in dict.fromkeys(alternatives)]
    return (f"({' OR '.join(different)})",)


def read_latest(feature: Feature) -> str:
    """The column of a pass over the latest rows; the largest value where several are latest."""
    conditions = [ask(condition, table=feature.table) for condition in feature.where]
    fulfilled = " AND ".join(conditions)
    if feature.aggregate is Aggregate.HOLDS:
        return f"MAX(CASE WHEN {fulfilled} THEN 1 ELSE 0 END)"
    value = _value(feature)
    return f"MAX(CASE WHEN {fulfilled} THEN {value} END)" if fulfilled else f"MAX({value})"


def finish(feature: Feature, *, relation: str) -> str:
    """From the column of its pass to the feature's number."""
    column = f"{relation}.{feature.name}"
    if feature.aggregate.is_zero_without_rows:
        column = f"COALESCE({column}, 0)"
    match feature.aggregate:
        case Aggregate.DAYS_SINCE_LAST | Aggregate.DAYS_SINCE_FIRST:
            return f"(s.c - {column}) / {_DAY}"
        case Aggregate.DAYS_UNTIL:
            return f"({column} - s.c) / {_DAY}"
        case Aggregate.SLOPE:
            n = feature.n_buckets
            slope = f"1e0 * {column} / {n * (n - 1) * (n + 1) // 6}e0"
            return f"{slope} / 1e6" if feature.in_millionths else slope
        case _:
            return f"{column} / 1e6" if feature.in_millionths else f"1e0 * {column}"


def combine(feature: Feature | Derived) -> str:
    """The final column: a plain feature as it is, a derived one from its two."""
    if isinstance(feature, Feature):
        return feature.name
    scale = write_double(feature.scale)
    if feature.combination is Combination.DIFFERENCE:
        return f"{scale} * ({feature.left} - {feature.right}) AS {feature.name}"
    right = feature.right
    if feature.floor is not None:
        floor = write_double(feature.floor)
        right = f"(CASE WHEN {right} < {floor} THEN {floor} ELSE {right} END)"
    ratio = f"{scale} * {feature.left} / {right}"
    if feature.combination is Combination.SHARE:
        ratio = f"CASE WHEN {ratio} > 1e0 THEN 1e0 ELSE {ratio} END"
    return f"CASE WHEN {right} <> 0e0 THEN {ratio} END AS {feature.name}"


def _column(name: str, *, table: str) -> str:
    if name == WEEK_HOUR:
        return "e.week_hour"
    return "e.t" if name == CONTRACTS[table].moment else f"e.{base_column(name)}"


def _value(feature: Feature) -> str:
    """What is aggregated: times of later events are null before them, fractions are millionths."""
    if feature.aggregate is Aggregate.SLOPE:
        return _weigh(feature)
    name = feature.value or CONTRACTS[feature.table].moment
    column = _column(name, table=feature.table)
    if feature.aggregate is Aggregate.CODE:
        return write_code(column)
    if name in CONTRACTS[feature.table].revised:
        return f"CASE WHEN {column} < s.c THEN {column} END"
    return _read_number(feature) if feature.in_millionths else column


def _read_number(feature: Feature) -> str:
    column = _column(feature.value or "", table=feature.table)
    return f"CAST(ROUND(1e6 * {column}) AS BIGINT)" if feature.in_millionths else column


def _weigh(feature: Feature) -> str:
    """The row's part of a slope: twice the distance of its bucket from the middle, an integer."""
    bucket = (feature.bucket_days or 1) * MICROS_PER_DAY
    begin = ((feature.window_days or 0) + feature.ends_days_ago) * MICROS_PER_DAY
    # Exact: a microsecond before the next bucket is further from it than doubles are apart.
    number = f"CAST(FLOOR((e.t - s.midnight + {begin}) / {bucket}e0) AS BIGINT)"
    weight = f"(2 * {number} - {feature.n_buckets - 1})"
    return weight if feature.value is None else f"{weight} * {_read_number(feature)}"
