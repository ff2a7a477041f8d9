"""From tables to registered models, each with its honest figures: what `opportune train` does."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from matplotlib.figure import Figure

from features.errors import ConfigurationError
from features.tables import Tables
from training.datasets.provenance import NotEnoughData
from training.document import document
from training.evaluation.capacity import DEFAULT, Capacity
from training.examine import examine
from training.models.table import RECIPES
from training.registry.entries import ModelName, ModelVersion
from training.registry.tracking import Tracking
from training.search import SearchBudget
from training.trained_on import TrainedOn


@dataclass(frozen=True)
class TrainedModel:
    """A model that was trained, logged and registered as challenger.

    Attributes:
        version: Its entry in the registry, the model included.
        metrics: Everything that was measured on later rows, by name.
        notes: What a reader must know; often empty.
        plots: The figures that were logged, by name.
    """

    version: ModelVersion
    metrics: Mapping[str, float]
    notes: Mapping[str, str]
    plots: Mapping[str, Figure]


Trainings = Mapping[ModelName, TrainedModel | NotEnoughData]
"""What became of each model."""


def train_all(tables: Tables, *, known_until: datetime, tracking: Tracking, seed: int) -> Trainings:
    """Train, log and register every model; those without enough data say so; see `train_model`."""
    trained_on = TrainedOn.of(tables, known_until=known_until)
    return {
        name: train_model(
            name,
            tables,
            known_until=known_until,
            tracking=tracking,
            seed=seed,
            trained_on=trained_on,
        )
        for name in RECIPES
    }


def train_model(
    name: ModelName,
    tables: Tables,
    *,
    known_until: datetime,
    tracking: Tracking,
    seed: int,
    capacity: Capacity = DEFAULT,
    trained_on: TrainedOn | None = None,
    budget: SearchBudget | None = None,
) -> TrainedModel | NotEnoughData:
    """Train one model, look at it from every side, log it and register it as challenger.

    Args:
        name: The model.
        tables: Conformed tables.
        known_until: Aware moment; nothing known at it or later is read.
        tracking: Where runs and models go.
        seed: Of everything random.
        capacity: Customers of a list that a team can call.
        trained_on: When and on what; None: found here, which reads all tables once more.
        budget: Of a search for better settings; None for no search.

    Raises:
        ConfigurationError: A search was asked for a model that has none, or Optuna is missing.
    """
    recipe = RECIPES[name]
    if budget is None:
        record = recipe.learn(tables, known_until=known_until, seed=seed)
    elif recipe.learn_with_search is None:
        can = ", ".join(other for other in RECIPES if RECIPES[other].learn_with_search)
        raise ConfigurationError(f"{name} has no search for settings; expected one of {can}")
    else:
        record = recipe.learn_with_search(tables, known_until=known_until, seed=seed, budget=budget)
    if isinstance(record, NotEnoughData):
        return record
    find_leak = recipe.find_leak
    examination = examine(
        record.held_out,
        tables=tables,
        capacity=capacity,
        leakage=find_leak(tables, known_until=known_until, seed=seed) if find_leak else None,
        seed=seed,
    )
    record = examination.add_to(record)
    documents = document(record, tables, known_until=known_until)
    made = trained_on or TrainedOn.of(tables, known_until=known_until)
    version = tracking.log_training(
        replace(
            record,
            documents={**record.documents, **documents},
            notes={**record.notes, **made.to_tags()},
        )
    )
    return TrainedModel(version, record.metrics, record.notes, record.plots)
