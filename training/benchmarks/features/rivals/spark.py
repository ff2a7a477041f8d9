"""Spark SQL by hand, in local mode: integers for moments, bits for the distinct count."""

import os
import sys
from pathlib import Path
from typing import Final

from pyspark.sql import SparkSession

from training.benchmarks.features.generate import ZONES
from training.benchmarks.features.rivals.clocks import write_offset
from training.benchmarks.features.rivals.columns import COUNTED, TABLES, WINDOWS

_DAY: Final = 86_400_000_000
_HOUR: Final = 3_600_000_000

_COUNTS = ", ".join(
    f"count(CASE WHEN kind = '{kind}' AND t >= w{days} THEN 1 END) AS {name}_{days}d"
    for name, kind in COUNTED.items()
    for days in WINDOWS
)
_COUNTED = ", ".join(
    f"CAST(coalesce({name}_{days}d, 0) AS DOUBLE) AS {name}_{days}d"
    for name in COUNTED
    for days in WINDOWS
)

_SPINE = f"""
SELECT customer_id, as_of, c, midnight, midnight - {7 * _DAY} AS w7, midnight - {30 * _DAY} AS w30,
    midnight - {90 * _DAY} AS w90
FROM (SELECT *, c - c % {_DAY} AS midnight FROM (SELECT *, unix_micros(as_of) AS c FROM moments))
"""

_EVENTS = f"""
SELECT e.customer_id, e.t, e.kind, e.value,
    CASE WHEN e.kind = 'feature_use' THEN shiftleft(1L, int(substr(e.item, 5))) END AS bit,
    (e.t + {write_offset(ZONES, zone="z.timezone", t="e.t")} + {3 * _DAY}) DIV {_HOUR} % 168 AS hour
FROM (SELECT *, unix_micros(activity.at) AS t FROM activity) e
JOIN customers z ON z.customer_id = e.customer_id
"""

_FIRSTS = """
SELECT e.message_id, e.outcome, first(m.customer_id) AS customer_id,
    min(greatest(unix_micros(e.at), unix_micros(m.sent_at))) AS t
FROM outcomes e JOIN messages m ON m.message_id = e.message_id
WHERE NOT e.machine AND e.outcome IN ('opened', 'clicked')
GROUP BY e.message_id, e.outcome
"""

_PARTS = {
    "activity": (
        "events",
        f"""{_COUNTS},
        count(CASE WHEN t >= w90 THEN 1 END) AS activity_90d,
        count(CASE WHEN kind = 'login' AND t >= w90 AND t < w30 THEN 1 END) AS before,
        sum(CASE WHEN t >= midnight - {84 * _DAY} AND t < midnight
            THEN 2 * ((t - midnight + {84 * _DAY}) DIV {7 * _DAY}) - 11 END) AS weighed,
        max(CASE WHEN kind = 'login' THEN t END) AS last_login,
        max(t) AS last_activity,
        bit_count(bit_or(CASE WHEN t >= w30 THEN bit END)) AS used,
        avg(CASE WHEN kind = 'session' AND t >= w30 THEN value END) AS session_minutes_30d,
        count(CASE WHEN hour % 24 >= 18 AND t >= w90 THEN 1 END) AS evening,
        count(CASE WHEN hour >= 120 AND t >= w90 THEN 1 END) AS weekend""",
    ),
    "ordered": (
        "SELECT *, unix_micros(ordered_at) AS t FROM orders",
        "max(t) AS last_order, sum(CASE WHEN t >= w90 THEN amount_cents END) AS cents",
    ),
    "complained": (
        "SELECT *, unix_micros(opened_at) AS t FROM tickets",
        "max(t) AS last_ticket, count(CASE WHEN t >= w90 THEN 1 END) AS tickets",
    ),
    "billed": (
        """SELECT *, unix_micros(issued_at) AS t, unix_micros(due_at) AS due,
        unix_micros(paid_at) AS paid FROM invoices""",
        """count(CASE WHEN t >= w90 AND due < c AND (paid IS NULL OR paid >= c OR paid > due)
        THEN 1 END) AS late""",
    ),
    "answered": (
        "SELECT *, unix_micros(surveys.at) AS t FROM surveys",
        "max(struct(t, nps)).nps AS nps",
    ),
    "written": (
        "SELECT *, unix_micros(sent_at) AS t FROM messages",
        "count(CASE WHEN t >= w90 THEN 1 END) AS sent",
    ),
    "responded": (
        "firsts",
        """count(CASE WHEN outcome = 'opened' AND t >= w90 THEN 1 END) AS opened,
        count(CASE WHEN outcome = 'clicked' AND t >= w90 THEN 1 END) AS clicked""",
    ),
}
"""By relation, the rows it reads and what it aggregates of those known at a moment."""

_FEATURES = f"""
SELECT s.customer_id, s.as_of, {_COUNTED},
    CAST(coalesce(activity_90d, 0) AS DOUBLE) AS activity_90d,
    CAST(coalesce(before, 0) AS DOUBLE) AS logins_60d_before,
    2 * logins_30d / nullif(before, 0) AS login_trend,
    coalesce(weighed, 0) / 286 AS activity_slope_12w,
    (s.c - last_login) / {_DAY} AS days_since_last_login,
    (s.c - last_activity) / {_DAY} AS days_since_last_activity,
    CAST(coalesce(used, 0) AS DOUBLE) AS features_used_30d,
    session_minutes_30d,
    CAST(coalesce(evening, 0) AS DOUBLE) AS evening_activity_90d,
    evening / nullif(activity_90d, 0) AS evening_share_90d,
    CAST(coalesce(weekend, 0) AS DOUBLE) AS weekend_activity_90d,
    weekend / nullif(activity_90d, 0) AS weekend_share_90d,
    CAST(coalesce(cents, 0) AS DOUBLE) AS order_cents_90d,
    (s.c - last_order) / {_DAY} AS days_since_last_order,
    CAST(coalesce(tickets, 0) AS DOUBLE) AS tickets_90d,
    (s.c - last_ticket) / {_DAY} AS days_since_last_ticket,
    CAST(coalesce(late, 0) AS DOUBLE) AS invoices_late_90d,
    CAST(nps AS DOUBLE) AS nps,
    CAST(coalesce(sent, 0) AS DOUBLE) AS messages_90d,
    CAST(coalesce(opened, 0) AS DOUBLE) AS opened_90d,
    CASE WHEN sent > 0 THEN least(coalesce(opened, 0) / sent, 1e0) END AS opened_share_90d,
    CAST(coalesce(clicked, 0) AS DOUBLE) AS clicked_90d
FROM spine s
{" ".join(f"LEFT JOIN {name} ON {name}.id = s.customer_id AND {name}.m = s.c" for name in _PARTS)}
"""


def compute(folder: Path, spine: Path, out: Path) -> None:
    """Write every feature of every row of the spine.

    Args:
        folder: A parquet file per table.
        spine: Parquet of customer_id and as_of.
        out: Folder of parquet of them and the features.
    """
    session = _start()
    try:
        for name in TABLES:
            session.read.parquet(str(folder / f"{name}.parquet")).createOrReplaceTempView(name)
        session.read.parquet(str(spine)).createOrReplaceTempView("moments")
        for name, text in (("spine", _SPINE), ("events", _EVENTS), ("firsts", _FIRSTS)):
            session.sql(text).createOrReplaceTempView(name)
        for name, (source, columns) in _PARTS.items():
            rows = f"({source})" if source.startswith("SELECT") else source
            session.sql(
                f"SELECT s.customer_id AS id, s.c AS m, {columns} FROM spine s JOIN {rows} e"
                " ON e.customer_id = s.customer_id AND e.t < s.c GROUP BY s.customer_id, s.c"
            ).createOrReplaceTempView(name)
        session.sql(_FEATURES).write.parquet(str(out))
    finally:
        session.stop()


def _start() -> SparkSession:
    os.environ["PYSPARK_PYTHON"] = sys.executable
    cores = min(os.cpu_count() or 1, 2)
    return (
        SparkSession.builder.master(f"local[{cores}]")
        .appName("features by hand")
        .config("spark.driver.memory", "4g")
        .config("spark.sql.shuffle.partitions", 4 * cores)
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .getOrCreate()
    )
