"""From rows of `features.triggers.query` to cases: evidence is written for whole columns at once.

`CaseWriter` is plain data that can be pickled: the same function runs over rows in memory, over the
batches of a file, and over the partitions of a cluster.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from features.evidence import FACTS, Fact, FactKind
from features.point_in_time.zones import find_zone
from features.vocabulary import Trigger

CASE_ROWS: Final = pa.schema(
    [
        ("customer_id", pa.string()),
        ("trigger", pa.string()),
        ("found_at", pa.timestamp("us", "UTC")),
        ("subject", pa.string()),
        ("urgency", pa.string()),
        ("evidence", pa.string()),
        ("began_at", pa.timestamp("us", "UTC")),
        ("expires_at", pa.timestamp("us", "UTC")),
        ("key", pa.string()),
    ]
)
"""Cases as Arrow has them; `features.triggers.cases.CASES` as pandas."""

Texts = npt.NDArray[np.object_]
Bools = npt.NDArray[np.bool_]
Micros = npt.NDArray[np.int64]

_TO_BE_ESCAPED = r'["\\\x00-\x1f]'


@dataclass(frozen=True)
class CaseWriter:
    """Writes cases from rows of `write_query`.

    Attributes:
        at: The moment at which they were found, in UTC microseconds.
        whole_days: By trigger, facts that are days as they stand, not in the customer's time zone.
    """

    at: int
    whole_days: Mapping[str, frozenset[str]]

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Batches of rows to batches of cases."""
        for batch in batches:
            cases = self.write(batch.to_pandas())
            columns = [_to_arrow(cases[field.name], field.type) for field in CASE_ROWS]
            yield pa.RecordBatch.from_arrays(columns, schema=CASE_ROWS)

    def write(self, rows: pd.DataFrame) -> pd.DataFrame:
        """The cases of these rows, in their order.

        Subjects that are null become the UTC day on which the problem began. Evidence is `{}` where
        a fact that it needs is null or blank.

        Raises:
            BadInputError: A customer's time zone does not exist.
        """
        began_at = rows["began_at"].to_numpy(np.int64)
        expires_at = rows["expires_at"].to_numpy(np.int64)
        subject = rows["subject"].to_numpy(object)
        began = _text(rows["stem"]) + "-" + began_at.astype(str).astype(object)
        return pd.DataFrame(
            {
                "customer_id": rows["customer_id"].astype("str"),
                "trigger": rows["about"].astype("str"),
                "found_at": _to_times(np.full(len(rows), self.at, dtype=np.int64), rows.index),
                "subject": pd.Series(
                    np.where(pd.isna(subject), _write_days(began_at), subject),
                    index=rows.index,
                    dtype="str",
                ),
                "urgency": rows["urgency"].astype("str"),
                "evidence": pd.Series(self._write_evidence(rows), index=rows.index, dtype="str"),
                "began_at": _to_times(began_at, rows.index),
                "expires_at": _to_times(expires_at, rows.index),
                "key": pd.Series(began, index=rows.index, dtype="str"),
            }
        )

    def _write_evidence(self, rows: pd.DataFrame) -> Texts:
        evidence = np.full(len(rows), "{}", dtype=object)
        for name, places in rows.groupby("about").indices.items():
            trigger = Trigger(str(name))
            days = self.whole_days.get(trigger, frozenset())
            evidence[places] = _write_facts(rows.iloc[places], trigger=trigger, whole_days=days)
        return evidence


def _write_facts(rows: pd.DataFrame, *, trigger: Trigger, whole_days: frozenset[str]) -> Texts:
    """The rows' facts of one trigger as JSON; none at all where one of them lacks."""
    zone_of, zones = pd.factorize(rows["timezone"])
    written = np.full(len(rows), "", dtype=object)
    is_whole = np.ones(len(rows), dtype=np.bool_)
    for fact in FACTS[trigger]:
        column = rows[f"fact_{fact.name}"]
        if fact.kind in (FactKind.DATE, FactKind.MOMENT) and fact.name not in whole_days:
            texts, given = _write_times(column, kind=fact.kind, zone_of=zone_of, zones=zones)
        else:
            texts, given = _write_plain(column, fact=fact)
        written += np.where(given, f', "{fact.name}": ' + texts, "")
        is_whole &= given | fact.optional
    objects = np.array(["{" + text[2:] + "}" for text in written], dtype=object)
    return np.where(is_whole, objects, "{}")


def _write_plain(column: "pd.Series[str] | pd.Series[float]", *, fact: Fact) -> tuple[Texts, Bools]:
    """A column as JSON, and where there is something fit to write."""
    if fact.kind is FactKind.TEXT:
        values = pd.Series(column.to_numpy(object), dtype="str").fillna("")
        given = (values.str.strip() != "").to_numpy(np.bool_)
        texts = np.asarray(('"' + values + '"').to_numpy(object))
        for place in np.flatnonzero(values.str.contains(_TO_BE_ESCAPED).to_numpy(np.bool_)):
            texts[place] = json.dumps(values.iloc[place], ensure_ascii=False)
        return texts, given
    numbers, given = _to_integers(column)
    if fact.kind is FactKind.DATE:
        return '"' + _write_days(numbers) + '"', given
    return numbers.astype(str).astype(object), given & (numbers >= 0)


def _write_times(
    column: "pd.Series[str] | pd.Series[float]",
    *,
    kind: FactKind,
    zone_of: npt.NDArray[np.intp],
    zones: pd.Index,
) -> tuple[Texts, Bools]:
    """Days or moments on the customers' clocks as JSON, and where there is one."""
    moments, given = _to_integers(column)
    wall = moments.copy()
    for place, name in enumerate(zones):
        here = zone_of == place
        times = pd.DatetimeIndex(moments[here].view("datetime64[us]"), tz="UTC")
        local = times.tz_convert(find_zone(str(name))).tz_localize(None)
        wall[here] = local.as_unit("us").to_numpy().view(np.int64)
    if kind is FactKind.DATE:
        return '"' + _write_days(wall) + '"', given
    seconds = wall.view("datetime64[us]").astype("datetime64[s]")
    ahead, offset_of = np.unique(wall - moments, return_inverse=True)
    offsets = np.array([_write_offset(int(micros)) for micros in ahead], dtype=object)
    return '"' + np.datetime_as_string(seconds).astype(object) + offsets[offset_of] + '"', given


def _write_offset(micros: int) -> str:
    """As in ISO 8601: hours and minutes, and seconds where there are some.

    >>> _write_offset(-12_600_000_000)
    '-03:30'
    """
    seconds = abs(micros) // 1_000_000
    text = f"{'-' if micros < 0 else '+'}{seconds // 3600:02}:{seconds // 60 % 60:02}"
    return f"{text}:{seconds % 60:02}" if seconds % 60 else text


def _write_days(micros: Micros) -> Texts:
    days = micros.view("datetime64[us]").astype("datetime64[D]")
    return np.datetime_as_string(days).astype(object)


def _to_integers(column: "pd.Series[str] | pd.Series[float]") -> tuple[Micros, Bools]:
    """Integers that came as doubles because some are null, 0 there, and where they are not."""
    numbers = pd.to_numeric(column).to_numpy(np.float64, na_value=np.nan)
    given = ~np.isnan(numbers)
    return np.where(given, numbers, 0.0).astype(np.int64), given


def _to_times(micros: Micros, index: pd.Index) -> "pd.Series[pd.Timestamp]":
    times = pd.DatetimeIndex(micros.view("datetime64[us]"), tz="UTC")
    return pd.Series(times, index=index)


def _to_arrow(column: "pd.Series[str] | pd.Series[pd.Timestamp]", kind: pa.DataType) -> pa.Array:
    if pa.types.is_timestamp(kind):  # pyarrow would read `values`, which warns of pandas 4
        return pa.array(column.astype("int64").to_numpy(), pa.int64()).cast(kind)
    return pa.array(column.to_numpy(object), kind, from_pandas=True)


def _text(column: "pd.Series[str]") -> Texts:
    return column.to_numpy(object)
