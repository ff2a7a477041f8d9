"""The benchmark command."""

import resource
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from features.sources import read_complete_journey
from serving.benchmarks.batch import bench_batch
from serving.benchmarks.company import found_company
from serving.benchmarks.copy import bench_copy
from serving.benchmarks.copy_costs import bench_costs
from serving.benchmarks.endpoint import bench_endpoint
from serving.benchmarks.events import bench_events
from serving.benchmarks.incidents.bench import IncidentsPlan, bench_incidents
from serving.benchmarks.incidents.plot import plot_incidents
from serving.benchmarks.online_store import bench_online_store
from serving.benchmarks.spark import bench_spark
from serving.benchmarks.world_channel import bench_world_channel
from serving.cli.data import require_file_place
from serving.cli.output import JsonOption, progress, say
from serving.cli.rows import show_rows
from serving.cli.seeds import SeedOption
from training.benchmarks.bandit.bench import BanditPlan, bench_bandit
from training.benchmarks.features.bench import FeaturePlan, bench_features
from training.benchmarks.headlines.bench import HeadlinesPlan, bench_headlines
from training.benchmarks.models.bench import WORLDS, ModelsPlan, bench_models
from training.benchmarks.models.complete_journey import bench_churn
from training.benchmarks.olist import bench_lateness
from training.benchmarks.ope.bench import bench_ope
from training.benchmarks.rows import BenchRow
from training.benchmarks.triggers import bench_triggers
from training.world.simulated import SimulatedWorld

_FOUNDERS = 5_000
_MANY = 100_000  # customers from which one run says enough


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
    OPE = "ope"
    BANDIT = "bandit"
    COPY = "copy"
    HEADLINES = "headlines"
    INCIDENTS = "incidents"


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
        logs: Simulated logs of each kind, for ope.
        drafts: Folder of labelled texts, for copy; None finds that of the checkout.
        weeks: Weeks of each chain, for incidents.
        out: Where the plot goes, for incidents; None makes none.
    """

    seed: int
    customers: int | None
    events: int
    runs: int
    scale: bool
    data: Path
    only: tuple[str, ...]
    size: int | None
    logs: int
    weeks: int
    out: Path | None
    drafts: Path | None


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
        int,
        typer.Option(
            min=1, help="Runs of each contender (features), seeds (models, bandit, headlines)."
        ),
    ] = 3,
    scale: Annotated[
        bool, typer.Option("--scale", help="Measure five times the events too (features).")
    ] = False,
    data: Annotated[
        Path,
        typer.Option(
            help="Folder of Olist's files (lateness), of all public data (models, ope, headlines)."
        ),
    ] = Path("olist"),
    only: Annotated[
        list[str] | None,
        typer.Option(help="A data set or world (models), a stream (bandit); may be repeated."),
    ] = None,
    size: Annotated[
        int | None, typer.Option(min=1_000, help="Rows for training speed (models).")
    ] = None,
    logs: Annotated[int, typer.Option(min=20, help="Simulated logs of each kind (ope).")] = 500,
    drafts: Annotated[
        Path | None,
        typer.Option(help="Folder of labelled texts (copy); the checkout's unless given."),
    ] = None,
    weeks: Annotated[int, typer.Option(min=10, help="Weeks of each chain (incidents).")] = 100,
    out: Annotated[
        Path | None,
        typer.Option(help="Where to plot it, PNG (incidents).", callback=require_file_place),
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
        logs=logs,
        weeks=weeks,
        out=out,
        drafts=drafts,
    )
    with progress(f"measuring {name}"):
        rows = _BENCHMARKS[name](asked)
    show_rows(name.value, rows, as_json=as_json)


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
        n_customers = asked.customers or _FOUNDERS
        founders = min(n_customers, _FOUNDERS)
        company = found_company(Path(folder), n_customers=founders, seed=asked.seed)
        runs = 3 if n_customers <= _MANY else 1
        return bench_batch(company.snapshot, Path(folder), n_customers=n_customers, runs=runs)


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


def _bench_ope(asked: Asked) -> list[BenchRow]:
    return bench_ope(asked.data, n_runs=asked.logs, seed=asked.seed, tell=say)


def _bench_bandit(asked: Asked) -> list[BenchRow]:
    plan = BanditPlan(range(asked.seed, asked.seed + asked.runs), scenarios=asked.only)
    return bench_bandit(plan, tell=say)


def _bench_headlines(asked: Asked) -> list[BenchRow]:
    seeds = range(asked.seed, asked.seed + asked.runs)
    return bench_headlines(HeadlinesPlan(asked.data, seeds), tell=say)


def _bench_incidents(asked: Asked) -> list[BenchRow]:
    rows = bench_incidents(IncidentsPlan(seed=asked.seed, n_weeks=asked.weeks), tell=say)
    if asked.out is not None:
        plot_incidents(rows, asked.out)
    return rows


def _bench_lateness(asked: Asked) -> list[BenchRow]:
    return bench_lateness(asked.data, seed=asked.seed)


def _bench_copy(asked: Asked) -> list[BenchRow]:
    return [*bench_copy(asked.drafts), *bench_costs()]


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
    Benchmark.OPE: _bench_ope,
    Benchmark.BANDIT: _bench_bandit,
    Benchmark.COPY: _bench_copy,
    Benchmark.HEADLINES: _bench_headlines,
    Benchmark.INCIDENTS: _bench_incidents,
}
