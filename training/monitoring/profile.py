"""What the world looked like while a model was made: kept beside the model as a small JSON."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Protocol, Self, runtime_checkable

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from features.errors import BadInputError
from features.tables import Tables
from training.datasets.provenance import NotEnoughData
from training.measures import Floats
from training.monitoring.columns import ColumnProfile, profile_columns
from training.monitoring.delay import DelayProfile, profile_delays, share_pending
from training.monitoring.missing import TableProfile, profile_tables
from training.monitoring.periods import BLOCK, N_REFERENCE_BLOCKS, find_blocks
from training.monitoring.views.table import VIEWS
from training.monitoring.views.view import Asked
from training.registry.entries import ModelName
from training.registry.servable import Servable

PROFILE_FILE = "profile.json"
_MOST_EXPLAINED = 400  # rows of a block
_HISTORY = timedelta(days=30)
_OLDER_THAN_THE_LOG = ("customers", "subscriptions")  # known of years in which nothing was logged


@runtime_checkable
class Explains(Protocol):
    """A model that says what each feature adds."""

    def contributions(self, X: Floats) -> Floats:
        """What each feature adds to the logit, (n, features)."""
        ...


class FeatureUse(BaseModel):
    """How much a model leans on a feature, block of time by block of time.

    Attributes:
        name: The feature.
        shares: Its share of the mean absolute contributions by block, the last block first.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    shares: tuple[float, ...]


class Profile(BaseModel):
    """What the world looked like while a model was made.

    Attributes:
        known_until: Nothing known at it or later was read.
        inputs: Features.
        scores: What the model answered, by what it foretells.
        delays: Hours from a message to its outcome.
        pending: Share of messages without an answer yet; None without messages.
        tables: Tables that the model was made from.
        use: How much the model leans on each feature; empty where it cannot say.
        why_no_rows: Why there are no inputs; empty where there are.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    known_until: datetime
    inputs: tuple[ColumnProfile, ...] = ()
    scores: tuple[ColumnProfile, ...] = ()
    delays: tuple[DelayProfile, ...] = ()
    pending: float | None = None
    tables: tuple[TableProfile, ...] = ()
    use: tuple[FeatureUse, ...] = ()
    why_no_rows: str = ""

    def to_json(self) -> str:
        """The whole profile as JSON."""
        return self.model_dump_json()

    @classmethod
    def from_json(cls, text: str) -> Self:
        """What `to_json` wrote; BadInputError where it is something else."""
        try:
            return cls.model_validate_json(text)
        except ValidationError as fault:
            raise BadInputError(f"{PROFILE_FILE} is not a profile of a model: {fault}") from fault


def make_profile(
    name: ModelName,
    model: Servable,
    tables: Tables,
    *,
    known_until: datetime,
    table_names: Iterable[str],
) -> Profile:
    """What the model is asked and answers in the sixteen weeks before the moment.

    Args:
        name: The model.
        model: As it is served.
        tables: Conformed tables.
        known_until: Aware moment; nothing known at it or later is read.
        table_names: Tables that it was made from.
    """
    names = tuple(table_names)
    has_outcomes = {"messages", "outcomes"} <= set(names)
    profile = Profile(
        known_until=known_until,
        delays=profile_delays(tables, until=known_until) if has_outcomes else (),
        pending=share_pending(tables, as_of=known_until) if has_outcomes else None,
        tables=profile_tables(tables, names=names, until=known_until),
    )
    since = find_reference_start(profile.tables, known_until=known_until)
    asked = _read_reference(name, model, tables, since=since, known_until=known_until)
    if isinstance(asked, NotEnoughData):
        return profile.model_copy(update={"why_no_rows": asked.reason})
    blocks = find_blocks(asked.moments, until=known_until)
    scores = np.column_stack([np.empty((len(asked.X), 0)), *asked.scores.values()])
    return profile.model_copy(
        update={
            "inputs": profile_columns(asked.X, names=asked.names, blocks=blocks),
            "scores": profile_columns(scores, names=tuple(asked.scores), blocks=blocks),
            "use": measure_use(model, asked, until=known_until),
        }
    )


def measure_use(model: Servable, asked: Asked, *, until: datetime) -> tuple[FeatureUse, ...]:
    """Share of each feature in the mean absolute contributions, block by block.

    Contributions are exact Shapley values of the trees (Lundberg et al. 2020).
    """
    if not isinstance(model, Explains):
        return ()
    blocks = find_blocks(asked.moments, until=until)
    by_block = []
    for block in np.unique(blocks):
        rows = np.flatnonzero(blocks == block)
        step = max(1, len(rows) // _MOST_EXPLAINED)
        size = np.abs(model.contributions(asked.X[rows[::step]])).mean(axis=0)
        by_block.append(size / max(size.sum(), np.finfo(float).tiny))
    shares = np.stack(by_block)
    return tuple(
        FeatureUse(name=name, shares=tuple(shares[:, position].tolist()))
        for position, name in enumerate(asked.names)
    )


def find_reference_start(grown: Sequence[TableProfile], *, known_until: datetime) -> datetime:
    """Sixteen weeks before the moment, but a month after the first row of any log."""
    logs = [table.began_at for table in grown if table.name not in _OLDER_THAN_THE_LOG]
    first = min(logs, default=known_until) + _HISTORY
    return max(known_until - N_REFERENCE_BLOCKS * BLOCK, first)


def _read_reference(
    name: ModelName, model: Servable, tables: Tables, *, since: datetime, known_until: datetime
) -> Asked | NotEnoughData:
    if name not in VIEWS:
        return NotEnoughData("nobody has said yet what this model is asked")
    if since >= known_until:
        return NotEnoughData(f"the log is not older than {_HISTORY.days} days")
    return VIEWS[name](tables, model=model, since=since, until=known_until)
