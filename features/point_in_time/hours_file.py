"""When in their own week customers were there, of every customer, straight into a file."""

from pathlib import Path

from features.conditions import N_WEEK_HOURS
from features.declared.hours import PRESENCE
from features.engines import DUCKDB, Engine
from features.histograms import HourHistogram
from features.point_in_time.facts import open_facts
from features.point_in_time.hours import compile_hours, readable_sources, weigh_eras
from features.point_in_time.spine import EveryCustomer
from features.point_in_time.zones import add_clock
from features.tables import Tables

HOUR_COLUMNS = tuple(f"hour_{hour}" for hour in range(N_WEEK_HOURS))
"""Names of the columns, Monday 0:00 first."""


def write_hours(
    tables: Tables,
    spine: EveryCustomer,
    out: Path,
    *,
    histogram: HourHistogram = PRESENCE,
    engine: Engine = DUCKDB,
) -> int:
    """Write what `count_hours_of_week` counts as parquet; nothing passes through memory.

    Args:
        tables: Conformed frames by name, or files; `customers` is required.
        spine: Every customer at a moment.
        out: Parquet, whole or not at all: customer_id and `HOUR_COLUMNS`, null where nothing was
            counted; customers without any count have no row. In no order.
        histogram: What counts, and how long.
        engine: Where the SQL runs.

    Returns:
        Number of rows.

    Raises:
        BadInputError: A customer's time zone does not exist.
    """
    names = sorted(name for name in histogram.tables if name in tables)
    present = readable_sources(histogram, present=names)
    with open_facts(tables, names=names, engine=engine) as facts:
        every = spine.select(late="customers" in facts.late)
        facts.create_table("spine", f"SELECT p.customer_id AS row_id, p.* FROM ({every}) p")
        if not present:
            nothing = ", ".join(f"CAST(NULL AS DOUBLE) AS {name}" for name in HOUR_COLUMNS)
            return facts.write(f"SELECT customer_id, {nothing} FROM spine WHERE 1 = 0", out)
        facts.register("decay", weigh_eras())
        add_clock(facts, tables=[source.table for source in present])
        counts = compile_hours(histogram, present=names, late=facts.late)
        columns = ", ".join(
            f"SUM(CASE WHEN h.week_hour = {hour} THEN h.n END) AS {name}"
            for hour, name in enumerate(HOUR_COLUMNS)
        )
        return facts.write(
            f"SELECT h.row_id AS customer_id, {columns} FROM ({counts}) h GROUP BY h.row_id", out
        )
