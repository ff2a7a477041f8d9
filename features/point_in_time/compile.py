"""One SQL text from declarations; it runs unchanged on DuckDB and on Spark SQL.

The text reads a relation `spine` (row_id, customer_id, c) and one relation per table, with the
times `t`, `k` and `x` of `features.point_in_time.relations`. All times are int64 UTC microseconds.
It keeps to a closed set of constructs whose meaning is the same everywhere: `%`, `-`, comparisons,
CASE, COALESCE, COUNT, SUM, MIN, MAX, COUNT DISTINCT, ROUND, CAST to BIGINT, MD5, SUBSTR, INSTR,
equality joins, and literals such as 5.5e0 (a plain 5.5 is a DECIMAL in Spark). MAX_BY is left out
on purpose: engines differ on nulls and on ties. Numbers with a fraction are summed as integer
millionths, so that the order of rows cannot change the last bit.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from features.declarations import Aggregate, Feature, FeatureSet
from features.engines.engine import base_column
from features.point_in_time.expressions import (
    aggregate,
    ask_any,
    ask_rows,
    ask_values,
    combine,
    finish,
    read_latest,
)
from features.point_in_time.relations import holds
from features.point_in_time.spine import MICROS_PER_DAY
from features.point_in_time.zones import CLOCK_OF_ROW, WEEK_HOUR_OF_ROW

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


def compile_features(
    features: FeatureSet, *, present: Collection[str], late: Collection[str] = ()
) -> str:
    """The SQL text of a feature set: row_id, customer_id, c and one DOUBLE per feature.

    It reads the relation `clock` of `features.point_in_time.zones` where a feature asks for hours.

    Args:
        features: What to compute.
        present: Tables that exist as relations; features of other tables are null.
        late: Those of them whose rows may come late or again.
    """
    readable = [feature for feature in features.plain if feature.tables <= set(present)]
    passes = [
        *_walk_windows(readable, late=late),
        *_walk_distinct(readable, late=late),
        *_walk_latest(readable, late=late),
    ]
    columns = {f.name: finish(f, relation=p.relation) for p in passes for f in p.features}
    absent = "CAST(NULL AS DOUBLE)"
    plain = [f"{columns.get(f.name, absent)} AS {f.name}" for f in features.plain]
    joins = [f"LEFT JOIN {p.relation} ON {p.relation}.row_id = s.row_id" for p in passes]
    spine = ["s.row_id", "s.customer_id", "s.c"]
    steps = [
        _MOMENTS,
        *(step for p in passes for step in p.steps),
        _step("plain", [*spine, *plain], tail="\n".join(["FROM moments s", *joins])),
    ]
    final = ["row_id", "customer_id", "c", *(combine(f) for f in features.features)]
    text = ",\n".join(steps)
    return f"WITH {text}\nSELECT {_list(final)}\nFROM plain"


def _walk_windows(features: Iterable[Feature], *, late: Collection[str]) -> Iterator[_Pass]:
    """One pass per table for everything that looks at all rows of a window."""
    groups: dict[str, list[Feature]] = {}
    for feature in features:
        if not feature.aggregate.reads_latest and feature.aggregate is not Aggregate.DISTINCT:
            groups.setdefault(feature.table, []).append(feature)
    for table, members in groups.items():
        relation = f"{table}_windows"
        columns = ["s.row_id", *(f"{aggregate(f)} AS {f.name}" for f in members)]
        tail = f"{_join(members, late=late)}\nGROUP BY s.row_id"
        yield _Pass(relation, (_step(relation, columns, tail=tail),), tuple(members))


def _walk_distinct(features: Iterable[Feature], *, late: Collection[str]) -> Iterator[_Pass]:
    """Two steps per feature: its different values, and how many they are.

    COUNT(DISTINCT) beside other aggregates costs more: DuckDB keeps a set for every group, Spark
    walks the table once for each.
    """
    for feature in features:
        if feature.aggregate is not Aggregate.DISTINCT:
            continue
        values, relation = f"{feature.name}_values", f"{feature.name}_count"
        each = _step(
            values,
            [f"DISTINCT s.row_id, e.{base_column(feature.value or '')} AS v"],
            tail=f"{_join([feature], late=late)}\nWHERE {ask_values(feature)}",
        )
        count = _step(
            relation,
            ["v.row_id", f"COUNT(v.v) AS {feature.name}"],
            tail=f"FROM {values} v\nGROUP BY v.row_id",
        )
        yield _Pass(relation, (each, count), (feature,))


def _walk_latest(features: Iterable[Feature], *, late: Collection[str]) -> Iterator[_Pass]:
    """Two steps per group of features that share their latest row: when it was, what it says."""
    groups: dict[tuple[str, tuple[str, ...]], list[Feature]] = {}
    for feature in features:
        if feature.aggregate.reads_latest:
            rows = ask_rows(feature, where=feature.aggregate is not Aggregate.HOLDS)
            groups.setdefault((feature.table, rows), []).append(feature)
    for n, ((table, rows), members) in enumerate(groups.items(), start=1):
        latest, relation = f"{table}_latest_{n}", f"{table}_last_{n}"
        spine = ["s.row_id", "s.customer_id", "s.c", "s.midnight"]
        source = _source(table, members)
        known = " AND ".join((_known(members, late=table in late), *rows))
        when = _step(
            latest,
            [*spine, "MAX(e.t) AS t"],
            tail=f"FROM moments s JOIN {source} e ON {known}\nGROUP BY {', '.join(spine)}",
        )
        same = ["e.customer_id = s.customer_id", "e.t = s.t", *rows]
        if table in late:  # another version of that moment may be known later
            same.append(holds("e", late=True, at="s.c"))
        what = _step(
            relation,
            ["s.row_id", *(f"{read_latest(f)} AS {f.name}" for f in members)],
            tail=f"FROM {latest} s JOIN {source} e ON {' AND '.join(same)}\nGROUP BY s.row_id",
        )
        yield _Pass(relation, (when, what), tuple(members))


def _join(members: Sequence[Feature], *, late: Collection[str]) -> str:
    """Moments with the rows of their table known before them that tell any of the features."""
    table = members[0].table
    known = _known(members, late=table in late)
    on = " AND ".join((known, *ask_any(members)))
    return f"FROM moments s JOIN {_source(table, members)} e ON {on}"


def _source(table: str, members: Iterable[Feature]) -> str:
    """The table, with the hour of the week where a feature asks for it."""
    if not any(feature.reads_hours for feature in members):
        return table
    return f"(SELECT e.*, {WEEK_HOUR_OF_ROW} AS week_hour FROM {table} e {CLOCK_OF_ROW})"


def _step(name: str, columns: Iterable[str], *, tail: str) -> str:
    return f"{name} AS (\nSELECT {_list(columns)}\n{tail})"


def _list(columns: Iterable[str]) -> str:
    return ",\n  ".join(columns)


def _known(members: Iterable[Feature], *, late: bool) -> str:
    """The join of a moment with the rows known before it, back to the longest window."""
    join = f"e.customer_id = s.customer_id AND {holds('e', late=late, at='s.c')}"
    reaches = [(f.window_days, f.ends_days_ago) for f in members]
    if any(window is None for window, _ in reaches):
        return join
    longest = max((window or 0) + ends for window, ends in reaches)
    return f"{join} AND e.t >= s.midnight - {longest * MICROS_PER_DAY}"
