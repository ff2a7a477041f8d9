"""Where SQL runs: DuckDB on one machine, Spark on many; the text is the same."""

from features.engines.duckdb import DUCKDB, DuckDBEngine
from features.engines.engine import Engine, Relations

__all__ = ["DUCKDB", "DuckDBEngine", "Engine", "Relations"]
