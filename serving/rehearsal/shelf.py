"""Models of a rehearsal: trained on what is known, led through the gate, kept for every policy."""

import json
from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from pathlib import Path

from features.tables import Tables
from serving.publish import load_champions
from serving.snapshot.state import Models
from training.datasets.provenance import NotEnoughData
from training.gate import Hold
from training.models.table import RECIPES
from training.promote import promote
from training.registry.entries import ModelName
from training.registry.tracking import Tracking

_DONE = "trained.json"


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
        learned = {
            name: RECIPES[name].learn(tables, known_until=known_until, seed=seed)
            for name in _served()
        }
        why: dict[str, str] = {}
        for name, record in learned.items():
            if isinstance(record, NotEnoughData):
                why[_field_of(name)] = f"too little data: {record.reason}"
                continue
            tracking = Tracking.in_folder(folder)
            tracking.log_training(record)
            decision = promote(name, tables, known_until=known_until, tracking=tracking, seed=seed)
            if isinstance(decision, Hold):
                why[_field_of(name)] = f"held by the gate: {'; '.join(decision.reasons)}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / _DONE).write_text(json.dumps(why, indent=2), encoding="utf-8")
    return read_models(folder)


def read_models(folder: Path) -> Models:
    """The champions of a folder in which `train_models` has been."""
    if len(find_missing(folder)) == len(fields(Models)):
        return Models()  # there may be no registry
    return load_champions(Tracking.in_folder(folder))


def find_missing(folder: Path) -> Mapping[str, str]:
    """Models that are not served, and why: the gate held them, or there was too little data."""
    why: Mapping[str, str] = json.loads((folder / _DONE).read_text(encoding="utf-8"))
    return why


def replace_models(old: Models, new: Models) -> Models:
    """The new models, and the old ones where the gate held the new."""
    kept = {one.name: getattr(new, one.name) or getattr(old, one.name) for one in fields(Models)}
    return Models(**kept)


def _served() -> list[ModelName]:
    """The models that a snapshot holds: all that decisions read."""
    read = {one.name for one in fields(Models)}
    return [name for name in RECIPES if _field_of(name) in read]


def _field_of(name: ModelName) -> str:
    return name.removeprefix("opportune-").replace("-", "_")
