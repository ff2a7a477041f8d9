"""Triggers of a large company from files: seconds and memory, for any number of customers."""

import resource
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import duckdb
import pandas as pd
import pyarrow.parquet as pq

from features.table_files import TableFiles
from features.triggers import write_triggers
from training.benchmarks.rows import BenchRow

AS_OF: Final = datetime(2026, 3, 10, 20, 30, tzinfo=UTC)
LIMIT_SECONDS: Final = 60.0
_LIMIT_CUSTOMERS: Final = 1_000_000

_PICK = "CREATE MACRO pick(a, b) AS CAST(hash(a, b) % 2147483648 AS BIGINT)"  # the same each time
_NOW = "TIMESTAMPTZ '2026-03-10 20:30:00Z'"
_ID = "printf('c%07d', {0})"
_ZONES = "['Asia/Almaty', 'Europe/Berlin', 'America/Sao_Paulo', 'Asia/Tashkent']"
_CITIES = "['Almaty', 'Berlin', 'Oral', 'Lisbon', 'Astana', 'Tashkent', 'Bonn', 'Rome']"

_TABLES: Final[Mapping[str, str]] = {
    "customers": f"""
    SELECT {_ID.format("i")} AS customer_id,
        {_NOW} - to_seconds(pick(i, 1) % (600 * 86400)) AS signed_up_at, 'en' AS language,
        ({_ZONES})[1 + pick(i, 2) % 4] AS timezone, printf('r%02d', pick(i, 3) % 40) AS region,
        true AS consent_email, true AS consent_sms, NULL::BOOLEAN AS consent_push,
        NULL::BOOLEAN AS consent_in_app, NULL::BOOLEAN AS consent_whatsapp
    FROM range({{n}}) r(i)""",
    # Ten rows a customer; who stopped a while ago has none of late.
    "activity": f"""
    SELECT {_ID.format("c")} AS customer_id,
        {_NOW} - to_seconds(quiet + pick(i, 5) % (60 * 86400)) AS at, kind,
        CASE WHEN kind IN ('page_view', 'cart_add') THEN printf('item%04d', pick(i, 6) % 2000) END
            AS item,
        CASE WHEN kind = 'login' THEN ({_CITIES})[1 + (CASE WHEN pick(i, 7) % 100 = 0
            THEN pick(i, 8) ELSE pick(c, 9) END) % 8] END AS location
    FROM (
        SELECT i, i % {{n}} AS c,
            CASE WHEN pick(i % {{n}}, 4) % 3 = 0 THEN (pick(i % {{n}}, 10) % 60) * 86400 ELSE 0 END
                AS quiet,
            (['login', 'login', 'login', 'session', 'session', 'session', 'page_view', 'page_view',
                'cart_add', 'purchase'])[1 + pick(i, 11) % 10] AS kind
        FROM range(10 * {{n}}) r(i)
    )""",
    "orders": f"""
    SELECT printf('o%08d', i) AS order_id, {_ID.format("i % {n}")} AS customer_id,
        printf('t%08d', i) AS tracking_id, ordered AS ordered_at,
        ordered + INTERVAL 8 DAY AS promised_at,
        CASE WHEN pick(i, 13) % 20 > 0 THEN ordered + to_seconds(86400 + pick(i, 14) % (8 * 86400))
            END AS delivered_at, CAST(1000 + pick(i, 15) % 9000 AS BIGINT) AS amount_cents
    FROM (
        SELECT i, {_NOW} - to_seconds(pick(i, 12) % (90 * 86400)) AS ordered FROM range({{n}}) r(i)
    )""",
    "shipments": f"""
    SELECT printf('t%08d', i % {{n}}) AS tracking_id,
        {_NOW} - to_seconds(pick(i % {{n}}, 12) % (90 * 86400)) + to_seconds(
            (i // {{n}} + 1) * 40000 + pick(i, 16) % 30000) AS updated_at,
        {_NOW} - to_seconds(pick(i % {{n}}, 12) % (90 * 86400))
            + to_seconds(pick(i, 17) % (11 * 86400)) AS estimated_at, 'moving' AS status
    FROM range(3 * {{n}}) r(i)""",
    "subscriptions": f"""
    SELECT {_ID.format("i")} AS customer_id, {_NOW} - INTERVAL 300 DAY AS valid_from,
        'basic' AS plan, CAST(990 AS BIGINT) AS mrr_cents, 100.0 AS plan_limit,
        CASE WHEN pick(i, 18) % 10 = 0 THEN 'canceled' ELSE 'active' END AS status,
        DATE '2026-03-01' + CAST(pick(i, 19) % 900 AS INTEGER) AS card_expires_on,
        pick(i, 20) % 4 = 0 AS upsell_shown
    FROM range({{n}}) r(i)""",
    "usage": f"""
    SELECT {_ID.format("i % {n}")} AS customer_id,
        {_NOW} - to_seconds((1 + i // {{n}}) * 5 * 86400 + pick(i, 21) % 86400) AS at,
        greatest(0, (pick(i % {{n}}, 22) % 110) - 8.0 * (i // {{n}})) AS used
    FROM range(3 * {{n}}) r(i)""",
    "prices": f"""
    SELECT printf('item%04d', i % 2000) AS item, {_NOW} - to_seconds((i // 2000) * 4 * 86400
        + pick(i, 23) % (4 * 86400)) AS at, CAST(500 + pick(i, 24) % 1500 AS BIGINT) AS price_cents
    FROM range(20000) r(i)""",
    "disruptions": f"""
    SELECT printf('d%03d', i) AS disruption_id, printf('r%02d', i % 40) AS region,
        {_NOW} - to_seconds(pick(i, 25) % (30 * 86400)) AS starts_at,
        CASE WHEN i % 10 > 0 THEN {_NOW} - to_seconds(pick(i, 25) % (30 * 86400)) + INTERVAL 6 HOUR
            END AS ends_at, 'internet' AS service
    FROM range(40) r(i)""",
    "messages": f"""
    SELECT printf('m%08d', i) AS message_id, printf('x%08d', i) AS decision_id,
        {_ID.format("i % {n}")} AS customer_id,
        (['delivery_delay', 'abandoned_cart', 'inactivity', 'price_drop', 'browse_abandonment'])
            [1 + pick(i, 26) % 5] AS trigger, 'email' AS channel,
        {_NOW} - to_seconds(pick(i, 27) % (40 * 86400)) AS sent_at, 'random' AS arm,
        0.5 AS propensity, 0.1 AS cost_cents
    FROM range(2 * {{n}}) r(i)""",
}


def bench_triggers(*, n_customers: int = _LIMIT_CUSTOMERS) -> list[BenchRow]:
    """Write a company's tables, find every case in the files, and say how long and how much.

    Args:
        n_customers: With ten rows of activity, an order, a subscription and two messages each.
    """
    with TemporaryDirectory(prefix="opportune-bench-") as place:
        folder = Path(place)
        files = write_company(folder, n_customers=n_customers)
        began, began_cpu = time.perf_counter(), time.process_time()
        n_cases = write_triggers(TableFiles(files), folder / "cases.parquet", as_of=AS_OF)
        seconds = time.perf_counter() - began
        cpu_seconds = time.process_time() - began_cpu
        counts = _count(folder / "cases.parquet")
    case = f"{n_customers:,} customers"
    is_full = n_customers == _LIMIT_CUSTOMERS
    peak_gib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    if sys.platform == "darwin":
        peak_gib /= 2**10
    limit, name = (LIMIT_SECONDS, "limit") if is_full else (None, None)
    return [
        BenchRow(case, "seconds", seconds, None, None, limit, name, "s", 1),
        BenchRow(case, "cpu_seconds", cpu_seconds, None, None, None, None, "s", 1),
        BenchRow(case, "peak_gib", peak_gib, None, None, None, None, "GiB", 1),
        BenchRow(case, "cases", float(n_cases), None, None, None, None, "1", 1),
        *(
            BenchRow(case, f"cases/{trigger}", float(n), None, None, None, None, "1", 1)
            for trigger, n in counts.items()
        ),
    ]


def write_company(folder: Path, *, n_customers: int) -> Mapping[str, Path]:
    """Tables of a made-up company as parquet files, the same in every run; where they lie."""
    files = {name: folder / f"{name}.parquet" for name in _TABLES}
    with duckdb.connect(":memory:") as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("SET preserve_insertion_order = false")
        connection.execute("SET enable_progress_bar = false")
        connection.execute(_PICK)
        for name, file in files.items():
            text = _TABLES[name].format(n=n_customers)
            connection.execute(f"COPY ({text}) TO '{file}' (FORMAT parquet, CODEC zstd)")
    return files


def _count(cases: Path) -> Mapping[str, int]:
    triggers: pd.Series[str] = pq.read_table(cases, columns=["trigger"]).to_pandas()["trigger"]
    return {str(name): int(n) for name, n in triggers.value_counts().sort_index().items()}
