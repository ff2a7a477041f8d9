"""What the rivals must be told of the features: tables, names of counts, order of the columns."""

from typing import Final

from training.benchmarks.features.declared import BENCH_FEATURES, COUNTED

WINDOWS: Final = (7, 30, 90)
COLUMNS: Final = ("customer_id", "as_of", *BENCH_FEATURES.names)

TABLES: Final = (
    "customers",
    "activity",
    "orders",
    "invoices",
    "tickets",
    "surveys",
    "messages",
    "outcomes",
)

__all__ = ["COLUMNS", "COUNTED", "TABLES", "WINDOWS"]
