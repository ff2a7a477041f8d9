"""From tables to registered models, each with its honest figures: what `opportune train` does."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from matplotlib.figure import Figure

from features.tables import Tables
from training.channel import train_channel
from training.churn import train_churn
from training.datasets.channel import build_channel_dataset
from training.datasets.churn import HORIZON_DAYS, build_churn_dataset
from training.datasets.lateness import build_lateness_dataset
from training.datasets.provenance import NotEnoughData
from training.lateness import train_lateness
from training.records import record_channel, record_churn, record_lateness, record_send_time
from training.registry.entries import ModelName, ModelVersion
from training.registry.tracking import Tracking, TrainingRecord
from training.send_time import build_send_time_dataset, train_send_time


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


@dataclass(frozen=True)
class TrainingSummary:
    """What became of every model."""

    churn: TrainedModel | NotEnoughData
    channel: TrainedModel | NotEnoughData
    send_time: TrainedModel | NotEnoughData
    lateness: TrainedModel | NotEnoughData

    def by_name(self) -> Mapping[ModelName, TrainedModel | NotEnoughData]:
        """What became of each model, by its name in the registry."""
        return {
            ModelName.CHURN: self.churn,
            ModelName.CHANNEL: self.channel,
            ModelName.SEND_TIME: self.send_time,
            ModelName.LATENESS: self.lateness,
        }


def train_all(
    tables: Tables, *, known_until: datetime, tracking: Tracking, seed: int
) -> TrainingSummary:
    """Train, log and register every model; those without enough data say so.

    Args:
        tables: Conformed tables.
        known_until: Aware moment; nothing known at it or later is read.
        tracking: Where runs and models go.
        seed: Of everything random.
    """
    return TrainingSummary(
        churn=train_churn_model(tables, known_until=known_until, tracking=tracking, seed=seed),
        channel=train_channel_model(tables, known_until=known_until, tracking=tracking, seed=seed),
        send_time=train_send_time_model(
            tables, known_until=known_until, tracking=tracking, seed=seed
        ),
        lateness=train_lateness_model(
            tables, known_until=known_until, tracking=tracking, seed=seed
        ),
    )


def train_churn_model(
    tables: Tables,
    *,
    known_until: datetime,
    tracking: Tracking,
    seed: int,
    horizon_days: int = HORIZON_DAYS,
) -> TrainedModel | NotEnoughData:
    """Train, log and register the churn model."""
    dataset = build_churn_dataset(tables, known_until=known_until, horizon_days=horizon_days)
    if isinstance(dataset, NotEnoughData):
        return dataset
    trained = train_churn(dataset, seed=seed)
    if isinstance(trained, NotEnoughData):
        return trained
    return _register(
        record_churn(trained, provenance=dataset.provenance, seed=seed), tracking=tracking
    )


def train_channel_model(
    tables: Tables, *, known_until: datetime, tracking: Tracking, seed: int
) -> TrainedModel | NotEnoughData:
    """Train, log and register the channel model."""
    dataset = build_channel_dataset(tables, known_until=known_until)
    if isinstance(dataset, NotEnoughData):
        return dataset
    trained = train_channel(dataset, seed=seed)
    if isinstance(trained, NotEnoughData):
        return trained
    return _register(
        record_channel(trained, provenance=dataset.provenance, seed=seed), tracking=tracking
    )


def train_send_time_model(
    tables: Tables, *, known_until: datetime, tracking: Tracking, seed: int
) -> TrainedModel | NotEnoughData:
    """Train, log and register the send-time model."""
    dataset = build_send_time_dataset(tables, known_until=known_until)
    if isinstance(dataset, NotEnoughData):
        return dataset
    trained = train_send_time(dataset, seed=seed)
    return _register(record_send_time(trained, dataset=dataset, seed=seed), tracking=tracking)


def train_lateness_model(
    tables: Tables, *, known_until: datetime, tracking: Tracking, seed: int
) -> TrainedModel | NotEnoughData:
    """Train, log and register the model of late deliveries."""
    dataset = build_lateness_dataset(tables, known_until=known_until)
    if isinstance(dataset, NotEnoughData):
        return dataset
    trained = train_lateness(dataset, seed=seed)
    if isinstance(trained, NotEnoughData):
        return trained
    return _register(
        record_lateness(trained, provenance=dataset.provenance, seed=seed), tracking=tracking
    )


def _register(record: TrainingRecord, *, tracking: Tracking) -> TrainedModel:
    version = tracking.log_training(record)
    return TrainedModel(version, record.metrics, record.notes, record.plots)
