"""From tables to registered models, each with its honest figures: what `opportune train` does."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from matplotlib.figure import Figure

from features.tables import Tables
from training.datasets.provenance import NotEnoughData
from training.models.table import RECIPES
from training.registry.entries import ModelName, ModelVersion
from training.registry.tracking import Tracking


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
    return {
        name: train_model(name, tables, known_until=known_until, tracking=tracking, seed=seed)
        for name in RECIPES
    }


def train_model(
    name: ModelName, tables: Tables, *, known_until: datetime, tracking: Tracking, seed: int
) -> TrainedModel | NotEnoughData:
    """Train one model, log it and register it as challenger.

    Args:
        name: The model.
        tables: Conformed tables.
        known_until: Aware moment; nothing known at it or later is read.
        tracking: Where runs and models go.
        seed: Of everything random.
    """
    record = RECIPES[name].learn(tables, known_until=known_until, seed=seed)
    if isinstance(record, NotEnoughData):
        return record
    version = tracking.log_training(record)
    return TrainedModel(version, record.metrics, record.notes, record.plots)
