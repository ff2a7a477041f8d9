"""Training again once a month, fit for cron: what `opportune retrain` does.

Once in a month each model is trained and led to the gate. A second call in the same month finds
its run and does nothing; neither does a call that finds the same data as the last training,
whoever trained: every run says when and on what it was made. What was killed half-way is done
again: a run that did not finish does not count, and a version that the gate has not judged yet is
judged.
"""

import fcntl
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from features.errors import ConflictError
from features.tables import Tables
from training.datasets.provenance import NotEnoughData
from training.evaluation.capacity import DEFAULT, Capacity
from training.gate import Promote
from training.models.table import RECIPES
from training.promote import promote
from training.registry.audit import Audit
from training.registry.entries import Alias, ModelName
from training.registry.history import LoggedVersion, read_versions
from training.registry.tracking import Tracking
from training.train import train_model
from training.trained_on import DATA_TAG, PERIOD_TAG, TrainedOn

_LOCK = "retrain.lock"


class Done(StrEnum):
    """What became of a model this time."""

    TRAINED = "trained"  # and judged
    JUDGED = "judged"  # it had been trained, but the gate had not seen it
    NOT_DUE = "not due"
    NOT_ENOUGH = "not enough data"


@dataclass(frozen=True)
class Retrained:
    """What became of a model.

    Attributes:
        name: The model.
        done: In a word.
        reason: Why nothing was done, or what the gate said; in words.
        version: The version that it is about; None without one.
        is_promoted: Whether it is served from now on.
    """

    name: ModelName
    done: Done
    reason: str
    version: str | None = None
    is_promoted: bool = False


def retrain_models(
    tables: Tables,
    *,
    known_until: datetime,
    tracking: Tracking,
    seed: int,
    audit: Audit,
    names: Iterable[ModelName] = tuple(RECIPES),
    capacity: Capacity = DEFAULT,
) -> Iterator[Retrained]:
    """Train each model that is due and let the gate decide; one answer after the other.

    Args:
        tables: Conformed tables.
        known_until: Aware moment; nothing known at it or later is read. Its month (UTC) is the
            period.
        tracking: Where runs and models go.
        seed: Of everything random.
        audit: Who asks, for the trail of the gate.
        names: Which models.
        capacity: Customers of a list that a team can call.
    """
    trained_on = TrainedOn.of(tables, known_until=known_until)
    for name in names:
        task = _Task(name, tables, known_until, tracking, seed, trained_on, audit, capacity)
        yield _retrain(task)


@contextmanager
def hold_lock(folder: Path) -> Iterator[None]:
    """Nobody else retrains in that folder meanwhile; ConflictError where somebody does.

    The lock is the operating system's: it ends with the process, however that ends.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / _LOCK).open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConflictError(
                f"{folder / _LOCK}: another process is training here; let it end"
            ) from None
        yield


@dataclass(frozen=True)
class _Task:
    """One model to be made anew, and from what."""

    name: ModelName
    tables: Tables
    known_until: datetime
    tracking: Tracking
    seed: int
    trained_on: TrainedOn
    audit: Audit
    capacity: Capacity


def _retrain(task: _Task) -> Retrained:
    made = [
        version
        for version in read_versions(task.tracking, task.name)
        if version.is_finished and version.params.get("seed") == str(task.seed)
    ]
    latest = made[-1] if made else None
    if latest and (reason := _why_not_due(latest, task.trained_on)):
        if _waits_for_the_gate(latest, task.tracking):
            return _judge(task, latest.version, done=Done.JUDGED)
        return Retrained(task.name, Done.NOT_DUE, reason, latest.version)
    trained = train_model(
        task.name,
        task.tables,
        known_until=task.known_until,
        tracking=task.tracking,
        seed=task.seed,
        capacity=task.capacity,
        trained_on=task.trained_on,
    )
    if isinstance(trained, NotEnoughData):
        return Retrained(task.name, Done.NOT_ENOUGH, trained.reason)
    return _judge(task, trained.version.version, done=Done.TRAINED)


def _why_not_due(latest: LoggedVersion, trained_on: TrainedOn) -> str:
    """Why the version need not be made anew, in words; empty where it must."""
    if latest.tags.get(PERIOD_TAG) == trained_on.period:
        return f"version {latest.version} was trained and judged in {trained_on.period}"
    if latest.tags.get(DATA_TAG) == trained_on.data:
        return f"the tables say what they said when version {latest.version} was made"
    return ""


def _waits_for_the_gate(version: LoggedVersion, tracking: Tracking) -> bool:
    """Whether the gate, asked now, would judge this version for the first time."""
    judged = {event.version for event in tracking.read_history(version.name)}
    return Alias.CHALLENGER.value in version.aliases and version.version not in judged


def _judge(task: _Task, version: str, *, done: Done) -> Retrained:
    answer = promote(
        task.name,
        task.tables,
        known_until=task.known_until,
        tracking=task.tracking,
        seed=task.seed,
        audit=task.audit,
    )
    if isinstance(answer, Promote):
        return Retrained(task.name, done, "the gate promoted it", version, is_promoted=True)
    return Retrained(task.name, done, "held: " + "; ".join(answer.reasons), version)
