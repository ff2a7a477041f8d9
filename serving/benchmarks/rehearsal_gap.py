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
from serving.snapshot.state import Models
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
    follows_readers: bool = True,
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
        follows_readers: Whether models follow between two trainings, as what serves does.
    """
    source = Simulated(n_customers, history_days)
    with TemporaryDirectory(prefix="opportune-gap-") as folder:
        world = source.make(scenario, seed=seed)
        settings = Settings(home=Path(folder), clock="caller", served_share=0.0)
        parts = wire_parts(settings, clock=lambda: world.start)
        parts = replace(parts, policy=source.price(parts.policy))
        try:
            champions = _train(world, seed=seed, shelf=models)
            learning = Learning(lambda _: champions, follows_readers=follows_readers)
            found = _witness(world, parts, champions, learning, n_days=n_days)
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


def _train(world: World, *, seed: int, shelf: Path | None) -> Models:
    """Models that are made once."""
    with TemporaryDirectory(prefix="opportune-models-") as folder:
        kept = Path(folder) / "registry" if shelf is None else shelf
        tables = world.tables(world.start)
        return train_models(tables, known_until=world.start, seed=seed, folder=kept)


def _witness(
    world: World, parts: EngineParts, champions: Models, learning: Learning, *, n_days: int
) -> pd.DataFrame:
    """What the learned policy does."""
    cadence = Cadence(retrain_days=n_days)
    actor = EngineActor(parts, champions, cadence, learning)
    witness = GapWitness(actor, Chooser(world, parts))
    rehearse(world, witness, n_days=n_days, every_hours=cadence.decide_hours)
    return pd.concat(witness.found, ignore_index=True)
