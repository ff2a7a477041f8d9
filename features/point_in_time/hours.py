"""When in their own week customers were there."""

from collections.abc import Collection
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.conditions import N_WEEK_HOURS
from features.declared.hours import PRESENCE
from features.engines import DUCKDB, Engine
from features.histograms import HourHistogram, HourSource
from features.point_in_time.expressions import ask
from features.point_in_time.facts import open_facts
from features.point_in_time.relations import holds
from features.point_in_time.spine import MICROS_PER_DAY, Spine, list_rows, number_rows
from features.point_in_time.zones import CLOCK_OF_ROW, WEEK_HOUR_OF_ROW, add_clock
from features.tables import Tables

_OLDEST: Final = 1074  # eras; 2^-1074 is the smallest double


def count_hours_of_week(
    tables: Tables,
    spine: Spine,
    *,
    histogram: HourHistogram = PRESENCE,
    engine: Engine = DUCKDB,
) -> npt.NDArray[np.float64]:
    """How often each customer was there in each hour of the week before each moment.

    Each row counts in the wall-clock hour of the customer's own time zone (3:00 in summer time is
    hour 3), as the zone was known when the row became known; rows of customers whose zone nobody
    knew by then do not count.

    Args:
        tables: Conformed frames by name, or files; `customers` is required.
        spine: customer_id and as_of, as of `make_spine`, or `EveryCustomer`, by customer_id.
        histogram: What counts, and how long.
        engine: Where the SQL runs.

    Returns:
        Shape (rows of the spine, 168); hour 0 is Monday 0:00, hour 167 Sunday 23:00.

    Raises:
        BadInputError: The spine is not one, or a customer's time zone does not exist.
    """
    names = sorted(name for name in histogram.tables if name in tables)
    present = readable_sources(histogram, present=names)
    with open_facts(tables, names=names, engine=engine) as facts:
        rows = number_rows(list_rows(facts, spine))
        counts = np.zeros((len(rows), N_WEEK_HOURS))
        if present:
            facts.register("spine", rows)
            facts.register("decay", weigh_eras())
            add_clock(facts, tables=[source.table for source in present])
            found = facts.query(compile_hours(histogram, present=names, late=facts.late))
            counts[found["row_id"], found["week_hour"]] = found["n"]
    return counts


def compile_hours(
    histogram: HourHistogram, *, present: Collection[str], late: Collection[str]
) -> str:
    """The SQL text of a histogram: row_id, week_hour and n, where n is not 0.

    It reads `spine`, the tables, `clock`, and `decay` (age, weight).

    Args:
        histogram: What counts.
        present: Tables that exist as relations; sources of others tell nothing.
        late: Those of them whose rows may come late or again.
    """
    era = (histogram.half_life_days or 0) * MICROS_PER_DAY
    sources = readable_sources(histogram, present=present)
    presence = " UNION ALL ".join(_place_rows(source, era=era) for source in sources)
    known = holds("p", late=any(source.table in late for source in sources), at="s.c")
    decay = f"JOIN decay d ON d.age = {_era('s.c', era)} - p.era" if era else ""
    return f"""WITH presence AS ({presence})
SELECT s.row_id, p.week_hour, {"SUM(d.weight)" if era else "1e0 * COUNT(p.t)"} AS n
FROM spine s JOIN presence p ON p.customer_id = s.customer_id AND {known} {decay}
WHERE p.week_hour IS NOT NULL
GROUP BY s.row_id, p.week_hour"""


def readable_sources(
    histogram: HourHistogram, *, present: Collection[str]
) -> tuple[HourSource, ...]:
    """The sources of which all tables are there."""
    if "customers" not in present:
        return ()
    return tuple(
        source
        for source in histogram.sources
        if source.table in present and (source.table != "outcomes" or "messages" in present)
    )


def _place_rows(source: HourSource, *, era: int) -> str:
    """Rows of a source with the hour of the week and the era they fall into."""
    asked = [ask(condition, table=source.table) for condition in source.where]
    where = f" WHERE {' AND '.join(asked)}" if asked else ""
    return (
        f"SELECT e.customer_id, e.t, e.k, e.x, {_era('e.t', era)} AS era,"
        f" {WEEK_HOUR_OF_ROW} AS week_hour FROM {source.table} e {CLOCK_OF_ROW}{where}"
    )


def _era(moment: str, era: int) -> str:
    return f"CAST(FLOOR({moment} / {era}e0) AS BIGINT)" if era else "0"


def weigh_eras() -> pd.DataFrame:
    """The weight of every age at which a row weighs anything: a power of two, exactly."""
    ages = np.arange(_OLDEST + 1)
    return pd.DataFrame({"age": ages, "weight": np.ldexp(1.0, -ages)})
