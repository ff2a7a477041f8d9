"""One who computes the features, in a process of its own: `python -m ...contender NAME ...`.

Ours are called by their engine, rivals by their library. What a process prints is one line of JSON:
seconds from reading the spine to the written file, and the peak of its own memory.
"""

import importlib
import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pyarrow.parquet as pq

from features.engines import DuckDBEngine, Engine
from features.point_in_time import write_features
from training.benchmarks.features.declared import BENCH_FEATURES
from training.benchmarks.features.generate import locate_tables

Compute = Callable[[Path, Path, Path], None]

OURS: Final = ("duckdb", "duckdb_1gib", "spark")
RIVALS: Final = ("duckdb_sql", "polars", "pandas", "spark_sql")
_MODULES: Final = {
    "duckdb_sql": "duckdb_sql",
    "polars": "polars_",
    "pandas": "pandas_",
    "spark_sql": "spark",
}
_ONE_GIB: Final = "640MiB"
"""DuckDB's own share of a process of 1 GiB: Python, the libraries and the spine take the rest."""


def find_contender(name: str) -> Compute:
    """How a contender computes; whatever it needs is imported now."""
    if name in _MODULES:
        package = "training.benchmarks.features.rivals"
        compute: Compute = importlib.import_module(f"{package}.{_MODULES[name]}").compute
        return compute
    return _ours(_open_engine(name))


def main(name: str, folder: str, spine: str, out: str) -> None:
    """Compute, and say how long it took and how much memory it had at most."""
    compute = find_contender(name)
    began = time.perf_counter()
    compute(Path(folder), Path(spine), Path(out))
    seconds = time.perf_counter() - began
    sys.stdout.write(json.dumps({"seconds": seconds, "peak_bytes": _find_peak()}) + "\n")


def _open_engine(name: str) -> Engine:
    if name == "spark":
        engine: Engine = importlib.import_module("features.engines.spark").SparkEngine()
        return engine
    return DuckDBEngine(memory_limit=_ONE_GIB if name == "duckdb_1gib" else None)


def _ours(engine: Engine) -> Compute:
    def compute(folder: Path, spine: Path, out: Path) -> None:
        rows = pq.read_table(spine).to_pandas()
        write_features(locate_tables(folder), rows, out, features=BENCH_FEATURES, engine=engine)

    return compute


def _find_peak() -> int:
    """The most memory this process ever had, in bytes; what its parent had does not count."""
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return 1024 * int(line.split()[1])
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else 1024 * most


if __name__ == "__main__":
    main(*sys.argv[1:])
