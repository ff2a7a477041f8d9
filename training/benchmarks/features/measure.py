"""Time and memory of a contender, and whether two of them wrote the same numbers."""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import duckdb

from features.errors import NotReadyError
from features.table_files import list_files

_TOLERANCE: Final = 1e-9
_LOOK_EVERY_S: Final = 0.05
_GIB: Final = 2**30
_MODULE: Final = "training.benchmarks.features.contender"
_SPARK_OPTIONS: Final = "--master local[2] --driver-memory 4g pyspark-shell"


@dataclass(frozen=True)
class Measured:
    """One run of a contender.

    Attributes:
        seconds: From reading the spine to the written file.
        peak_gib: The most memory of its process and those that it started.
        out: What it wrote.
    """

    seconds: float
    peak_gib: float
    out: Path


@dataclass(frozen=True)
class Difference:
    """Where two files say different things.

    Attributes:
        n_rows: Rows of both that were compared; rows that only one has are not among them.
        n_missing: Rows that only one of them has.
        n_by_column: Rows with another value, null against a value included, by column.
    """

    n_rows: int
    n_missing: int
    n_by_column: dict[str, int]

    @property
    def share_equal(self) -> float:
        """Equal values over all values; 1.0 only when everything is the same."""
        n_values = len(self.n_by_column) * (self.n_rows + self.n_missing)
        n_other = sum(self.n_by_column.values()) + len(self.n_by_column) * self.n_missing
        return 1.0 - n_other / n_values if n_values else 0.0

    @property
    def wrong_columns(self) -> list[str]:
        """Columns in which anything differs."""
        return [name for name, n in self.n_by_column.items() if n]


def measure(name: str, *, folder: Path, spine: Path, out: Path) -> Measured:
    """Run a contender in a process of its own.

    Args:
        name: One of `contender.OURS` or `contender.RIVALS`.
        folder: The tables.
        spine: Whose features, as of when.
        out: Where to; must not exist.

    Raises:
        NotReadyError: The process failed; the message has the end of what it said.
    """
    command = [sys.executable, "-m", _MODULE, name, str(folder), str(spine), str(out)]
    environment = os.environ | {"PYSPARK_SUBMIT_ARGS": _SPARK_OPTIONS}
    said = out.with_name(f"{out.name}.log")
    with (
        said.open("w") as log,
        subprocess.Popen(  # noqa: S603 - our own module and arguments
            command, stdout=subprocess.PIPE, stderr=log, text=True, env=environment
        ) as process,
    ):
        peak = _watch(process)
        answer, _ = process.communicate()
    if process.returncode:
        raise NotReadyError(f"{name} failed: {said.read_text()[-2000:]}")
    result = json.loads(answer.splitlines()[-1])
    return Measured(result["seconds"], max(peak, result["peak_bytes"]) / _GIB, out)


def compare(ours: Path, theirs: Path) -> Difference:
    """How many numbers differ by more than 1e-9 (of the larger one, above 1), nulls included."""
    with duckdb.connect() as connection:
        for name, place in (("a", ours), ("b", theirs)):
            files = [str(file) for file in list_files(place)]
            connection.read_parquet(files).create_view(name)
        described = connection.execute("DESCRIBE a").fetchall()
        names = [row[0] for row in described if row[0] not in ("customer_id", "as_of")]
        wrong = ", ".join(f"count(CASE WHEN {_differ(name)} THEN 1 END)" for name in names)
        both = "a JOIN b ON a.customer_id = b.customer_id AND a.as_of = b.as_of"
        n_rows, *n_wrong = (
            connection.execute(f"SELECT count(*), {wrong} FROM {both}").fetchone() or ()
        )
        n_each = [connection.execute(f"SELECT count(*) FROM {x}").fetchone() for x in ("a", "b")]
    n_missing = sum(n[0] - n_rows for n in n_each if n is not None)
    return Difference(n_rows, n_missing, dict(zip(names, n_wrong, strict=True)))


def _differ(name: str) -> str:
    a, b = f"a.{name}", f"b.{name}"
    bound = f"{_TOLERANCE} * greatest(1, abs({a}))"
    return f"({a} IS NULL) <> ({b} IS NULL) OR isnan({a}) <> isnan({b}) OR abs({a} - {b}) > {bound}"


def _watch(process: "subprocess.Popen[str]") -> int:
    """The most memory of a process and its descendants while it ran, in bytes; 0 without /proc."""
    peak = 0
    while process.poll() is None:
        peak = max(peak, sum(_find_rss(pid) for pid in _find_family(process.pid)))
        time.sleep(_LOOK_EVERY_S)
    return peak


def _find_family(pid: int) -> list[int]:
    """The process and all that came from it."""
    family = [pid]
    for member in family:
        for children in Path(f"/proc/{member}/task").glob("*/children"):
            try:
                family += map(int, children.read_text().split())
            except OSError:  # it has just ended
                continue
    return family


def _find_rss(pid: int) -> int:
    try:
        pages = Path(f"/proc/{pid}/statm").read_text().split()[1]
    except OSError:  # it has just ended
        return 0
    return int(pages) * os.sysconf("SC_PAGE_SIZE")
