"""Models of a rehearsal: trained on what is known, led through the gate, kept for every policy."""

from dataclasses import fields
from datetime import datetime
from pathlib import Path

from features.tables import Tables
from serving.publish import load_champions
from serving.snapshot.state import Models
from training.models.table import RECIPES
from training.promote import promote
from training.registry.entries import ModelName
from training.registry.tracking import Tracking, TrainingRecord

_DONE = "trained"


def train_models(tables: Tables, *, known_until: datetime, seed: int, folder: Path) -> Models:
    """Train every model that is served and let the gate judge it; what it holds is not served.

    A folder in which this was done before gives what was trained there.

    Args:
        tables: Conformed tables.
        known_until: Aware moment; nothing known at it or later is read.
        seed: Of everything random.
        folder: A registry of its own.
    """
    if not (folder / _DONE).exists():
        made = [
            record
            for name in _served()
            if isinstance(
                record := RECIPES[name].learn(tables, known_until=known_until, seed=seed),
                TrainingRecord,
            )
        ]
        for record in made:
            tracking = Tracking.in_folder(folder)
            tracking.log_training(record)
            promote(record.name, tables, known_until=known_until, tracking=tracking, seed=seed)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / _DONE).write_text(str(len(made)), encoding="utf-8")
    return read_models(folder)


def read_models(folder: Path) -> Models:
    """The champions of a folder in which `train_models` has been."""
    if (folder / _DONE).read_text(encoding="utf-8") == "0":
        return Models()  # no registry was made
    return load_champions(Tracking.in_folder(folder))


def replace_models(old: Models, new: Models) -> Models:
    """The new models, and the old ones where the gate held the new."""
    kept = {one.name: getattr(new, one.name) or getattr(old, one.name) for one in fields(Models)}
    return Models(**kept)


def _served() -> list[ModelName]:
    """The models that a snapshot holds: all that decisions read."""
    read = {one.name for one in fields(Models)}
    return [n for n in RECIPES if n.removeprefix("opportune-").replace("-", "_") in read]
