"""The benchmark command."""

import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from features.sources import read_complete_journey
from serving.benchmarks.batch import bench_batch
from serving.benchmarks.company import found_company
from serving.benchmarks.endpoint import bench_endpoint
from serving.benchmarks.events import bench_events
from serving.benchmarks.online_store import bench_online_store
from serving.benchmarks.spark import bench_spark
from serving.benchmarks.world_channel import bench_world_channel
from serving.cli.models import SeedOption
from serving.cli.output import Json, JsonOption, progress, say, show_json, show_table
from training.benchmarks.features.bench import FeaturePlan, bench_features
from training.benchmarks.models.bench import WORLDS, ModelsPlan, bench_models
from training.benchmarks.models.complete_journey import bench_churn
from training.benchmarks.olist import bench_lateness
from training.benchmarks.rows import BenchRow
from training.benchmarks.triggers import bench_triggers
from training.world.simulated import SimulatedWorld

_FOUNDERS = 5_000


class Benchmark(StrEnum):
    """What can be measured."""

    CHURN = "churn"
    WORLD = "world"
    DECIDE = "decide"
    SERVE = "serve"
    FEATURES = "features"
    TRIGGERS = "triggers"
    LATENESS = "lateness"
    EVENTS = "events"
    SPARK = "spark"
    MODELS = "models"


@dataclass(frozen=True)
class Asked:
    """What the command line asks of a benchmark; each takes what it knows.

    Attributes:
        seed: Of everything random.
        customers: How many; None leaves it to the benchmark.
        events: How many, for features.
        runs: Of each contender, for features.
        scale: Whether to measure at five times the events too, for features.
        data: Folder of the data, for lateness and models.
        only: Data sets and worlds, for models; empty means all.
        size: Rows for training speed, for models; None leaves it out.
    """

    seed: int
    customers: int | None
    events: int
    runs: int
    scale: bool
    data: Path
    only: tuple[str, ...]
    size: int | None


def bench(
    name: Annotated[Benchmark, typer.Argument(help="What to measure.")],
    seed: SeedOption = 0,
    customers: Annotated[
        int | None, typer.Option(min=200, help="Simulated customers, where any are simulated.")
    ] = None,
    events: Annotated[
        int, typer.Option(min=1_000, help="Rows of the tables (features).")
    ] = 10_000_000,
    runs: Annotated[
        int, typer.Option(min=1, help="Runs of each contender (features), seeds (models).")
    ] = 3,
    scale: Annotated[
        bool, typer.Option("--scale", help="Measure five times the events too (features).")
    ] = False,
    data: Annotated[
        Path,
        typer.Option(help="Folder of Olist's files (lateness), of all public data (models)."),
    ] = Path("olist"),
    only: Annotated[
        list[str] | None, typer.Option(help="A data set or world (models); may be repeated.")
    ] = None,
    size: Annotated[
        int | None, typer.Option(min=1_000, help="Rows for training speed (models).")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Measure ours beside a reference; figures depend on the machine, ratios less so."""
    asked = Asked(
        seed,
        customers,
        events=events,
        runs=runs,
        scale=scale,
        data=data,
        only=tuple(only or ()),
        size=size,
    )
    with progress(f"measuring {name}"):
        rows = _BENCHMARKS[name](asked)
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


def _bench_churn(asked: Asked) -> list[BenchRow]:
    return bench_churn(read_complete_journey().tables, seed=asked.seed)


def _bench_world(asked: Asked) -> list[BenchRow]:
    """Seconds and memory of 180 days; limits stand beside them."""
    n_customers = asked.customers or 20_000
    began = time.perf_counter()
    world = SimulatedWorld(seed=asked.seed, n_customers=n_customers, days=180)
    world.tables(world.start)
    seconds = time.perf_counter() - began
    peak_gib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 2**30
    case = f"{n_customers} customers, 180 days"
    return [
        BenchRow(case, "seconds", seconds, None, None, 120.0, "limit", "s", 1),
        BenchRow(case, "peak_gib", peak_gib, None, None, 4.0, "limit", "GiB", 1),
    ]


def _bench_decide(asked: Asked) -> list[BenchRow]:
    with tempfile.TemporaryDirectory() as folder:
        company = found_company(Path(folder), n_customers=asked.customers or 5_000, seed=asked.seed)
        return bench_batch(company, Path(folder))


def _bench_serve(asked: Asked) -> list[BenchRow]:
    with tempfile.TemporaryDirectory() as folder:
        company = found_company(Path(folder), n_customers=asked.customers or 2_000, seed=asked.seed)
        return bench_endpoint(company, Path(folder))


def _bench_features(asked: Asked) -> list[BenchRow]:
    """Customers grow with the events unless they are given: 50 events each."""
    sizes = (1_000_000, 5 * asked.events) if asked.scale else (1_000_000,)
    plan = FeaturePlan(
        n_events=asked.events,
        n_customers=asked.customers or asked.events // 50,
        n_runs=asked.runs,
        sizes=tuple(size for size in sizes if asked.scale or size < asked.events),
        seed=asked.seed,
    )
    with tempfile.TemporaryDirectory(prefix="opportune-bench-") as folder:
        rows = bench_features(plan, folder=Path(folder), tell=say)
        say("taking facts into a store")
        return [*rows, *bench_online_store(Path(folder) / "online", seed=asked.seed)]


def _bench_triggers(asked: Asked) -> list[BenchRow]:
    return bench_triggers(n_customers=asked.customers or 1_000_000)


def _bench_events(asked: Asked) -> list[BenchRow]:
    with tempfile.TemporaryDirectory() as folder:
        company = found_company(Path(folder), n_customers=asked.customers or 1_000, seed=asked.seed)
        return bench_events(company, Path(folder))


def _bench_spark(asked: Asked) -> list[BenchRow]:
    """The models of a small company, and its customers many times over."""
    with tempfile.TemporaryDirectory() as folder:
        company = found_company(Path(folder) / "home", n_customers=_FOUNDERS, seed=asked.seed)
        place = Path(folder) / "spark"
        place.mkdir()
        return bench_spark(company, place, n_customers=asked.customers or 100_000)


def _bench_models(asked: Asked) -> list[BenchRow]:
    plan = ModelsPlan(
        data=asked.data,
        seeds=range(asked.seed, asked.seed + asked.runs),
        only=asked.only,
        n_rows=asked.size,
        worlds={**WORLDS, "world_channel": bench_world_channel},
    )
    return bench_models(plan, tell=say)


def _bench_lateness(asked: Asked) -> list[BenchRow]:
    return bench_lateness(asked.data, seed=asked.seed)


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


_BENCHMARKS: dict[Benchmark, Callable[[Asked], list[BenchRow]]] = {
    Benchmark.CHURN: _bench_churn,
    Benchmark.WORLD: _bench_world,
    Benchmark.DECIDE: _bench_decide,
    Benchmark.SERVE: _bench_serve,
    Benchmark.FEATURES: _bench_features,
    Benchmark.TRIGGERS: _bench_triggers,
    Benchmark.LATENESS: _bench_lateness,
    Benchmark.EVENTS: _bench_events,
    Benchmark.SPARK: _bench_spark,
    Benchmark.MODELS: _bench_models,
}
