"""`opportune bench features`: ours beside the same features written by hand.

Everything that is timed runs in a process of its own, ours and the rivals in turn, so that what
disturbs the machine disturbs them alike. What a rival writes is compared with ours, number by
number.
"""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Final

import numpy as np

from features.errors import BadInputError
from training.benchmarks.features.contender import RIVALS
from training.benchmarks.features.generate import (
    BenchData,
    generate_tables,
    write_arbitrary_spine,
)
from training.benchmarks.features.measure import Measured, compare, measure
from training.benchmarks.features.online import OnlineFigures, measure_online
from training.benchmarks.rows import BenchRow

Tell = Callable[[str], None]

_NEEDS: Final = {"polars": "polars", "spark_sql": "pyspark", "spark": "pyspark"}
_SPARK: Final = ("spark", "spark_sql")
_LIMIT_GIB: Final = 1.5
_LIMIT_EVENTS: Final = 10_000_000
_LIMIT_APPLY_US: Final = 50.0
_LIMIT_READ_US: Final = 200.0
_REPLAYED: Final = 200
_ONE_MILLION: Final = 1_000_000


@dataclass(frozen=True)
class FeaturePlan:
    """What is measured.

    Attributes:
        n_events: Rows of all tables but customers.
        n_customers: Customers; each is asked for at three moments.
        n_runs: Runs of ours and of each rival; Spark runs once, since it takes so long.
        sizes: Further numbers of events for the slope, customers in proportion.
        seed: Of the data.
    """

    n_events: int = 10_000_000
    n_customers: int = 200_000
    n_runs: int = 3
    sizes: tuple[int, ...] = (_ONE_MILLION,)
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.n_events, self.n_customers, self.n_runs, *self.sizes) < 1:
            raise BadInputError("events, customers and runs must be 1 or more each")


@dataclass
class _Series:
    """Runs of one contender."""

    runs: list[Measured] = field(default_factory=list)

    @property
    def seconds(self) -> list[float]:
        return [run.seconds for run in self.runs]

    @property
    def peak_gib(self) -> list[float]:
        return [run.peak_gib for run in self.runs]

    @property
    def out(self) -> Path:
        return self.runs[-1].out


def bench_features(plan: FeaturePlan, *, folder: Path, tell: Tell) -> list[BenchRow]:
    """Time, memory, equality and growth.

    Args:
        plan: How much of it.
        folder: An empty folder for data and results; gigabytes with many events.
        tell: Hears what is being done.
    """
    tell(f"writing {plan.n_events:,} events of {plan.n_customers:,} customers")
    data = _generate(plan, plan.n_events, folder / "data")
    bench = _Bench(plan, data, results=folder / "results", tell=tell)
    rows = [
        *bench.compare_in_turn(),
        *bench.limit_memory(),
        *bench.ask_arbitrary_moments(),
        *bench.run_spark(),
    ]
    tell(f"replaying {_REPLAYED} customers event by event")
    n_replayed = min(_REPLAYED, plan.n_customers)
    rows += online_rows(measure_online(data.folder, n_customers=n_replayed, seed=plan.seed))
    return [*rows, *bench.grow(folder)]


def online_rows(figures: OnlineFigures) -> list[BenchRow]:
    """The online path beside its limits."""
    n = figures.n_facts
    return [
        _row("online", "equal", figures.share_equal, 1.0, of="SQL on DuckDB", n=figures.n_reads),
        _row("online", "apply_us", figures.apply_us, _LIMIT_APPLY_US, of="limit", unit="us", n=n),
        _row(
            "online", "read_us", figures.read_us, _LIMIT_READ_US,
            of="limit", unit="us", n=figures.n_reads,
        ),
        _row("online", "blob_bytes", figures.blob_bytes, unit="bytes", n=_REPLAYED),
    ]  # fmt: skip


class _Bench:
    """One set of data and what is measured on it."""

    def __init__(self, plan: FeaturePlan, data: BenchData, *, results: Path, tell: Tell) -> None:
        results.mkdir(parents=True)
        self._plan, self._data, self._results, self._tell = plan, data, results, tell
        self._series: dict[str, _Series] = {}

    def compare_in_turn(self) -> Iterator[BenchRow]:
        """Ours and every rival of one machine, in turn."""
        rivals = [name for name in RIVALS if name not in _SPARK and self._is_there(name)]
        for run in range(self._plan.n_runs):
            for name in ("duckdb", *rivals):
                self._tell(f"run {run + 1} of {self._plan.n_runs}: {name}")
                series = self._series.setdefault(name, _Series())
                series.runs.append(self._measure(name, run=run))
        fastest = min(rivals, key=lambda name: median(self._series[name].seconds))
        yield self._time("duckdb", reference=fastest)
        limit = _LIMIT_GIB * max(1.0, self._plan.n_events / _LIMIT_EVENTS)
        yield _spread("duckdb", "peak_gib", self._ours.peak_gib, limit, of="limit", unit="GiB")
        for name in rivals:
            yield from self._describe_rival(name)

    def limit_memory(self) -> Iterator[BenchRow]:
        """Ours once more, where the whole process has 1 GiB."""
        self._tell("ours within 1 GiB")
        limited = self._measure("duckdb_1gib")
        free = median(self._ours.seconds)
        yield _row(
            "duckdb", "seconds_with_1gib", limited.seconds, free, of="without limit", unit="s"
        )
        peak = limited.peak_gib
        yield _row("duckdb", "peak_gib_with_1gib", peak, 1.0, of="limit", unit="GiB")
        yield self._equal("duckdb", limited.out, metric="equal_with_1gib")

    def ask_arbitrary_moments(self) -> Iterator[BenchRow]:
        """As many rows, each at a moment of its own."""
        self._tell("ours and SQL by hand at a moment of its own for every row")
        spine = write_arbitrary_spine(self._data, seed=self._plan.seed + 1)
        ours = self._measure("duckdb", spine=spine)
        theirs = self._measure("duckdb_sql", spine=spine)
        seconds = theirs.seconds
        yield _row("duckdb", "seconds_arbitrary", ours.seconds, seconds, of="duckdb_sql", unit="s")
        equal = compare(ours.out, theirs.out)
        yield _row(
            "duckdb", "equal_arbitrary", equal.share_equal, 1.0, of="duckdb_sql", n=equal.n_rows
        )

    def run_spark(self) -> Iterator[BenchRow]:
        """The same text on Spark, and Spark SQL by hand."""
        names = [name for name in _SPARK if self._is_there(name)]
        for name in names:
            self._tell(f"once: {name}")
            self._series[name] = _Series([self._measure(name)])
        if "spark" in names:
            yield self._equal("spark", self._series["spark"].out, metric="equal")
            yield self._time("spark", reference="spark_sql")
            peaks = self._series["spark"].peak_gib
            yield _spread("spark", "peak_gib", peaks, None, of=None, unit="GiB")
            yield from self._describe_rival("spark_sql")

    def grow(self, folder: Path) -> Iterator[BenchRow]:
        """Seconds at several sizes, and how steeply they grow: 1 is in proportion."""
        seconds = {self._plan.n_events: median(self._ours.seconds)}
        for size in self._plan.sizes:
            if size in seconds:
                continue
            self._tell(f"ours with {size:,} events")
            data = _generate(self._plan, size, folder / f"of_{size}")
            run = measure(
                "duckdb", folder=data.folder, spine=data.spine, out=folder / f"{size}.out"
            )
            seconds[size] = run.seconds
            shutil.rmtree(data.folder)
        for size, taken in sorted(seconds.items()):
            per_million = taken * _ONE_MILLION / size
            yield _row("scale", f"seconds_per_million_of_{size}", per_million, unit="s")
        if len(seconds) > 1:
            slope = np.polyfit(np.log(list(seconds)), np.log(list(seconds.values())), 1)[0]
            yield _row("scale", "slope", float(slope), 1.0, of="in proportion", n=len(seconds))

    @property
    def _ours(self) -> _Series:
        return self._series["duckdb"]

    def _is_there(self, name: str) -> bool:
        """Whether the contender can run here; says so where it cannot."""
        needed = _NEEDS.get(name)
        if needed is not None and find_spec(needed) is None:
            self._tell(f"{name} is left out: {needed} is not installed")
            return False
        if name in _SPARK and shutil.which("java") is None:
            self._tell(f"{name} is left out: there is no Java")
            return False
        return True

    def _measure(self, name: str, *, run: int = 0, spine: Path | None = None) -> Measured:
        asked = spine or self._data.spine
        out = self._results / f"{name}_{asked.stem}_{run}"
        before = self._results / f"{name}_{asked.stem}_{run - 1}"
        before.unlink(missing_ok=True)
        return measure(name, folder=self._data.folder, spine=asked, out=out)

    def _time(self, name: str, *, reference: str) -> BenchRow:
        theirs = median(self._series[reference].seconds)
        return _spread(name, "seconds", self._series[name].seconds, theirs, of=reference, unit="s")

    def _describe_rival(self, name: str) -> Iterator[BenchRow]:
        series, ours = self._series[name], self._series["spark" if name in _SPARK else "duckdb"]
        seconds, peak = median(ours.seconds), median(ours.peak_gib)
        yield _spread("rival", f"{name}_seconds", series.seconds, seconds, of="ours", unit="s")
        yield _spread("rival", f"{name}_peak_gib", series.peak_gib, peak, of="ours", unit="GiB")
        yield self._equal("rival", series.out, metric=f"{name}_equal")

    def _equal(self, case: str, out: Path, *, metric: str) -> BenchRow:
        difference = compare(self._ours.out, out)
        if difference.wrong_columns or difference.n_missing:
            wrong = ", ".join(difference.wrong_columns) or "no column"
            self._tell(f"{case} {metric}: {difference.n_missing} rows missing, different: {wrong}")
        n = difference.n_rows
        return _row(case, metric, difference.share_equal, 1.0, of="ours on DuckDB", n=n)


def _generate(plan: FeaturePlan, n_events: int, folder: Path) -> BenchData:
    n_customers = max(plan.n_customers * n_events // plan.n_events, 1)
    return generate_tables(folder, n_events=n_events, n_customers=n_customers, seed=plan.seed)


def _spread(
    case: str, metric: str, runs: list[float], reference: float | None, *, of: str | None, unit: str
) -> BenchRow:
    """The median of some runs, with the least and the most of them."""
    name = of if reference is not None else None
    return BenchRow(
        case, metric, median(runs), min(runs), max(runs), reference, name, unit, len(runs)
    )


def _row(
    case: str,
    metric: str,
    ours: float,
    reference: float | None = None,
    *,
    of: str | None = None,
    unit: str = "1",
    n: int = 1,
) -> BenchRow:
    return BenchRow(case, metric, ours, None, None, reference, of, unit, n)
