"""The benchmark command."""

import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from enum import StrEnum
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from features.sources import read_complete_journey
from serving.benchmarks.batch import bench_batch
from serving.benchmarks.company import found_company
from serving.benchmarks.endpoint import bench_endpoint
from serving.cli.models import SeedOption
from serving.cli.output import Json, JsonOption, progress, show_json, show_table
from training.benchmarks.complete_journey import bench_churn
from training.benchmarks.rows import BenchRow
from training.world.simulated import SimulatedWorld


class Benchmark(StrEnum):
    """What can be measured."""

    CHURN = "churn"
    WORLD = "world"
    DECIDE = "decide"
    SERVE = "serve"


def bench(
    name: Annotated[Benchmark, typer.Argument(help="What to measure.")],
    seed: SeedOption = 0,
    customers: Annotated[
        int | None, typer.Option(min=200, help="Simulated customers, where any are simulated.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Measure ours beside a reference; figures depend on the machine, ratios less so."""
    with progress(f"measuring {name}"):
        rows = _BENCHMARKS[name](seed, customers)
    if as_json:
        described: list[Json] = [_describe(row) for row in rows]
        machine: Json = {"cores": os.cpu_count() or 0, "platform": sys.platform}
        show_json(
            {
                "bench": name.value,
                "version": version("opportune"),
                "machine": machine,
                "rows": described,
            }
        )
        return
    header = ("case", "metric", "ours", "interval", "reference", "of", "ratio", "n")
    show_table(header, [_cells(row) for row in rows])


def _cells(row: BenchRow) -> tuple[str, ...]:
    unit = "" if row.unit == "1" else f" {row.unit}"
    has_interval = row.low is not None and row.high is not None
    return (
        row.case,
        row.metric,
        f"{row.ours:.4g}{unit}",
        f"[{row.low:.4g}, {row.high:.4g}]" if has_interval else "",
        "" if row.reference is None else f"{row.reference:.4g}",
        row.reference_name or "",
        "" if row.ratio is None else f"{row.ratio:.3g}",
        f"{row.n:,}",
    )


def _bench_churn(seed: int, _: int | None) -> list[BenchRow]:
    return bench_churn(read_complete_journey().tables, seed=seed)


def _bench_world(seed: int, customers: int | None) -> list[BenchRow]:
    """Seconds and memory of 180 days; the issue's limits stand beside them."""
    n_customers = customers or 20_000
    began = time.perf_counter()
    world = SimulatedWorld(seed=seed, n_customers=n_customers, days=180)
    world.tables(world.start)
    seconds = time.perf_counter() - began
    peak_gib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 2**30
    case = f"{n_customers} customers, 180 days"
    return [
        BenchRow(case, "seconds", seconds, None, None, 120.0, "limit", "s", 1),
        BenchRow(case, "peak_gib", peak_gib, None, None, 4.0, "limit", "GiB", 1),
    ]


def _bench_decide(seed: int, customers: int | None) -> list[BenchRow]:
    with tempfile.TemporaryDirectory() as folder:
        company = found_company(Path(folder), n_customers=customers or 5_000, seed=seed)
        return bench_batch(company, Path(folder))


def _bench_serve(seed: int, customers: int | None) -> list[BenchRow]:
    with tempfile.TemporaryDirectory() as folder:
        company = found_company(Path(folder), n_customers=customers or 2_000, seed=seed)
        return bench_endpoint(company, Path(folder))


def _describe(row: BenchRow) -> Json:
    return {
        "case": row.case,
        "metric": row.metric,
        "ours": row.ours,
        "low": row.low,
        "high": row.high,
        "reference": row.reference,
        "reference_name": row.reference_name,
        "ratio": row.ratio,
        "unit": row.unit,
        "n": row.n,
    }


_BENCHMARKS: dict[Benchmark, Callable[[int, int | None], list[BenchRow]]] = {
    Benchmark.CHURN: _bench_churn,
    Benchmark.WORLD: _bench_world,
    Benchmark.DECIDE: _bench_decide,
    Benchmark.SERVE: _bench_serve,
}
