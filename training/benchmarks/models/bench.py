"""All benchmarks of models, one after the other: public data first, then the simulated world."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

from features.errors import BadInputError
from training.benchmarks.models.bank_marketing import bench_bank_marketing
from training.benchmarks.models.cdnow import bench_cdnow
from training.benchmarks.models.complete_journey import bench_complete_journey
from training.benchmarks.models.hillstrom import bench_hillstrom
from training.benchmarks.models.open_hours import bench_open_hours
from training.benchmarks.models.speed import bench_speed
from training.benchmarks.models.telco import bench_telco
from training.benchmarks.models.world import bench_world_churn
from training.benchmarks.models.world_send_time import bench_world_send_time
from training.benchmarks.models.world_uplift import bench_world_uplift
from training.benchmarks.rows import BenchRow


class BenchSet(Protocol):
    """Measures ours on one public data set."""

    def __call__(self, path: Path, *, seeds: Sequence[int]) -> list[BenchRow]:
        """Rows; `path` is the folder of all public data, figures are medians over the seeds."""
        ...


class BenchWorld(Protocol):
    """Measures ours in simulated worlds, one for each seed."""

    def __call__(self, *, seeds: Sequence[int]) -> list[BenchRow]:
        """Rows; figures are medians over the seeds."""
        ...


@dataclass(frozen=True)
class PublicSet:
    """A public data set.

    Attributes:
        folder: Where it lies in the folder of public data.
        bench: What is measured on it.
    """

    folder: str
    bench: BenchSet


PUBLIC_SETS: Mapping[str, PublicSet] = MappingProxyType(
    {
        "telco": PublicSet("telco_churn", bench_telco),
        "bank_marketing": PublicSet("bank_marketing", bench_bank_marketing),
        "cdnow": PublicSet("cdnow", bench_cdnow),
        "complete_journey": PublicSet("complete_journey", bench_complete_journey),
        "hillstrom": PublicSet("hillstrom", bench_hillstrom),
        "open_hours": PublicSet("dito_email_opens", bench_open_hours),
    }
)
WORLDS: Mapping[str, BenchWorld] = MappingProxyType(
    {
        "world_churn": bench_world_churn,
        "world_send_time": bench_world_send_time,
        "world_uplift": bench_world_uplift,
    }
)


@dataclass(frozen=True)
class ModelsPlan:
    """What is measured.

    Attributes:
        data: Folder of public data.
        seeds: Figures are medians over them.
        only: Names of sets and worlds; empty means all.
        n_rows: Rows of the matrix for training speed; None leaves that out.
        worlds: What is measured in simulated worlds.
    """

    data: Path
    seeds: Sequence[int]
    only: Sequence[str] = ()
    n_rows: int | None = None
    worlds: Mapping[str, BenchWorld] = field(default_factory=lambda: WORLDS)

    def __post_init__(self) -> None:
        known = (*PUBLIC_SETS, *self.worlds)
        unknown = [name for name in self.only if name not in known]
        if unknown:
            raise BadInputError(
                f"no such benchmark of models: {', '.join(unknown)}; there are {', '.join(known)}"
            )


def bench_models(plan: ModelsPlan, *, tell: Callable[[str], None]) -> list[BenchRow]:
    """The rows of every set and world; a set whose folder is missing is named and left out.

    Args:
        plan: What is measured.
        tell: Hears what is being measured, and what is left out and why.
    """
    rows: list[BenchRow] = []
    for name, public in PUBLIC_SETS.items():
        if plan.only and name not in plan.only:
            continue
        if not (plan.data / public.folder).is_dir():
            tell(f"{name}: left out, there is no folder {plan.data / public.folder}")
            continue
        tell(f"measuring {name}")
        rows += public.bench(plan.data, seeds=plan.seeds)
    for name, bench in plan.worlds.items():
        if not plan.only or name in plan.only:
            tell(f"measuring {name}")
            rows += bench(seeds=plan.seeds)
    if plan.n_rows is not None:
        tell(f"measuring training on {plan.n_rows} rows")
        rows += bench_speed(plan.n_rows, seed=plan.seeds[0])
    return rows
