"""What separates the learned policy from the oracle, thing by thing, in our own world."""

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import pandas as pd

from serving.rehearsal.gap import GapWitness
from serving.rehearsal.loop import rehearse
from serving.rehearsal.oracle import Chooser
from serving.rehearsal.policies import Cadence, EngineActor, Learning
from serving.rehearsal.shelf import train_models
from serving.rehearsal.worlds import Simulated
from serving.runtime import EngineParts, wire_parts
from serving.settings import Settings
from training.benchmarks.rows import BenchRow
from training.world.protocol import World

CASE: Final = "rehearsal_gap"
PARTS: Final = (
    "as_sent",
    "any_wording",
    "best_wording",
    "average_wording",
    "best_hour",
    "best_channels",
)
_ALL: Final = "all"


def bench_rehearsal_gap(
    *,
    scenario: str = "calm",
    seed: int = 0,
    n_customers: int = 3000,
    history_days: int = 180,
    n_days: int = 34,
    last_days: int = 20,
    models: Path | None = None,
) -> list[BenchRow]:
    """Rows by trigger and for all: cents of a case of the learned arm beside the best there was.

    Args:
        scenario: Of our world.
        seed: Of the world and of training.
        n_customers: Customers.
        history_days: Days before the loop, from which models are trained.
        n_days: Days of the loop.
        last_days: Of them, the last ones that are counted.
        models: Folder in which models are kept; None keeps none.
    """
    source = Simulated(n_customers, history_days)
    with TemporaryDirectory(prefix="opportune-gap-") as folder:
        world = source.make(scenario, seed=seed)
        settings = Settings(home=Path(folder), clock="caller", served_share=0.0)
        parts = wire_parts(settings, clock=lambda: world.start)
        parts = replace(parts, policy=source.price(parts.policy))
        try:
            found = _witness(world, parts, n_days=n_days, seed=seed, shelf=models)
        finally:
            parts.store.close()
    return make_gap_rows(found[found["day"] >= n_days - last_days])


def make_gap_rows(found: pd.DataFrame) -> list[BenchRow]:
    """Rows of what a witness found: its mean cents of a case, beside the best."""
    groups = [(_ALL, found), *found.groupby("trigger")]
    return [
        BenchRow(
            case=f"{CASE}/{name}",
            metric=part,
            ours=float(rows[part].mean()),
            low=None,
            high=None,
            reference=float(rows["best"].mean()),
            reference_name="best allowed",
            unit="cents/case",
            n=len(rows),
        )
        for name, rows in groups
        for part in PARTS
    ]


def _witness(
    world: World, parts: EngineParts, *, n_days: int, seed: int, shelf: Path | None
) -> pd.DataFrame:
    """What the learned policy does, with models that are made once."""
    tables = world.tables(world.start)
    with TemporaryDirectory(prefix="opportune-models-") as folder:
        kept = Path(folder) / "registry" if shelf is None else shelf
        champions = train_models(tables, known_until=world.start, seed=seed, folder=kept)
        learning = Learning(lambda _: champions)
        cadence = Cadence(retrain_days=n_days)
        witness = GapWitness(
            EngineActor(parts, champions, cadence, learning), Chooser(world, parts)
        )
        rehearse(world, witness, n_days=n_days, every_hours=cadence.decide_hours)
    return pd.concat(witness.found, ignore_index=True)
