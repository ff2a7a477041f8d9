"""Time zones as a relation: from when until when a zone's clocks were how far from UTC.

Engines know zones of their own, of differing age; this relation is made from Python's for the
zones and the time that the data speaks of, so that an hour is the same everywhere.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pandas as pd

from features.engines import Relations
from features.errors import BadInputError
from features.point_in_time.spine import MICROS_PER_DAY, MICROS_PER_HOUR

FOREVER: Final = 2**62
"""Later than every moment, in microseconds."""

_WEEK = 7 * MICROS_PER_DAY
_MONDAY = 3 * MICROS_PER_DAY  # 1970-01-01 was a Thursday; a week begins on Monday at 0:00
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TICK = timedelta(microseconds=1)
_STEP = timedelta(days=1)
_FIRST, _LAST = datetime(2, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)

_CLOCK = f"""
SELECT v.customer_id, v.k AS known_from, COALESCE(v.x, {FOREVER}) AS known_until,
    z.from_us, z.until_us, z.offset_us
FROM customers v JOIN zones z ON z.timezone = v.timezone
"""

_LOCAL = "e.t + z.offset_us"
_IN_WEEK = f"((({_LOCAL} + {_MONDAY}) % {_WEEK} + {_WEEK}) % {_WEEK})"

WEEK_HOUR_OF_ROW: Final = (
    f"CAST(({_IN_WEEK} - {_IN_WEEK} % {MICROS_PER_HOUR}) / {MICROS_PER_HOUR}e0 AS BIGINT)"
)
"""The hour of the week of a row `e` on the clock `z`; null where there is none."""

CLOCK_OF_ROW: Final = (
    "LEFT JOIN clock z ON z.customer_id = e.customer_id"
    " AND z.known_from <= e.k AND e.k < z.known_until AND z.from_us <= e.t AND e.t < z.until_us"
)
"""Joins the clock `z` that was known when a row `e` became known: one, or none."""


def add_clock(facts: Relations, *, tables: Iterable[str]) -> None:
    """Make the relation `clock` for the rows of these tables; `customers` is there already.

    A row of it says that from `known_from` until `known_until` a customer's zone was known, and
    that from `from_us` until `until_us` its clocks were `offset_us` ahead of UTC. At any moment of
    knowing and any moment told of there is at most one.

    Raises:
        BadInputError: A customer's time zone does not exist.
    """
    spans = [f"SELECT MIN(e.t) AS begins, MAX(e.t) AS ends FROM {name} e" for name in tables]
    span = facts.query(" UNION ALL ".join(spans)).dropna()
    begins, ends = (0, 0) if span.empty else (int(span["begins"].min()), int(span["ends"].max()))
    names = facts.query("SELECT DISTINCT v.timezone FROM customers v WHERE v.timezone IS NOT NULL")
    rows = [
        (name, *offset)
        for name in sorted(names["timezone"])
        for offset in find_offsets(find_zone(name), begins=begins, ends=ends)
    ]
    columns = ["timezone", "from_us", "until_us", "offset_us"]
    zones = pd.DataFrame(rows, columns=columns)
    dtypes = {name: "str" if name == "timezone" else "int64" for name in columns}
    facts.register("zones", zones.astype(dtypes))
    facts.create_view("clock", _CLOCK)


def find_zone(timezone: str) -> ZoneInfo:
    """The time zone of that IANA name; BadInputError when there is none."""
    try:
        return ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise BadInputError(
            f"customers.timezone: {timezone!r} is not an IANA time zone such as Asia/Almaty"
        ) from error


def find_offsets(zone: ZoneInfo, *, begins: int, ends: int) -> Iterator[tuple[int, int, int]]:
    """from_us, until_us and offset_us, one after the other without a gap.

    The first reaches back and the last forward for ever; changes between are exact.
    """
    moment, last = (min(max(_moment(at), _FIRST), _LAST) for at in (begins, ends))
    start, offset = -FOREVER, _offset(zone, moment)
    while moment < last:
        later = min(moment + _STEP, last)
        changed = _offset(zone, later)
        if changed != offset:
            change = _find_change(zone, moment, later)
            yield start, change, offset
            start, offset = change, changed
        moment = later
    yield start, FOREVER, offset


def _moment(micros: int) -> datetime:
    try:
        return _EPOCH + timedelta(microseconds=micros)
    except OverflowError:
        return _LAST if micros > 0 else _FIRST


def _find_change(zone: ZoneInfo, before: datetime, after: datetime) -> int:
    """The first microsecond with the later offset."""
    changed = _offset(zone, after)
    while after - before > _TICK:
        middle = before + (after - before) // 2
        if _offset(zone, middle) == changed:
            after = middle
        else:
            before = middle
    return (after - _EPOCH) // _TICK


def _offset(zone: ZoneInfo, moment: datetime) -> int:
    offset = moment.astimezone(zone).utcoffset()
    return (offset or timedelta(0)) // _TICK
