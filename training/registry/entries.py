"""What the registry holds, in words that need no MLflow."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from training.registry.servable import Servable


class ModelName(StrEnum):
    """Models under the names they are registered by."""

    CHURN = "opportune-churn"
    CHANNEL = "opportune-channel"
    SEND_TIME = "opportune-send-time"
    LATENESS = "opportune-lateness"
    UPLIFT = "opportune-uplift"
    RETENTION = "opportune-retention"


class Alias(StrEnum):
    """Which version of a model plays which part."""

    CHAMPION = "champion"  # is served
    CHALLENGER = "challenger"  # trained last, waits for the gate
    PREVIOUS = "previous"  # was champion before; a rollback brings it back


@dataclass(frozen=True)
class ModelVersion:
    """One registered version of a model.

    Attributes:
        name: The model.
        version: Its number in the registry.
        run_id: The MLflow run that made it.
        trained_until: It has seen no label of this moment or later.
        model: The model itself, its own `version` filled in where it has one.
    """

    name: ModelName
    version: str
    run_id: str
    trained_until: datetime
    model: Servable


@dataclass(frozen=True)
class NoVersion:
    """The registry holds no version of that model under that alias."""

    name: ModelName
    alias: Alias


@dataclass(frozen=True)
class NoChampion:
    """No version of that model has been promoted yet."""

    name: ModelName
