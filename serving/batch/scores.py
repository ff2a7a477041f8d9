"""Scores of everybody in a file of features: the models of the service, over rows at rest.

The scorer runs wherever the rows are: in this process, or in the Python of a Spark executor. A
model travels inside it as the JSON in which it is served, and is read once there.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa

from features.engines.batches import RowMapper
from features.errors import BadInputError, NotReadyError
from features.vocabulary import Tier, Trigger
from serving.policy.cases import Flags, Floats
from serving.snapshot.state import Models
from training.registry.servable import CHANNELS, BoosterModel, ChannelModel

SUBSCRIBED = "subscription_active"
"""Feature that tells who can still be lost where there are subscriptions."""

_SUBSCRIPTION = (SUBSCRIBED, "mrr_cents")
_SIGNS_OF_LIFE = ("activity_90d", "orders_90d")
_KEYS = ("customer_id", "as_of")
_KEY_FIELDS = [("customer_id", pa.string()), ("as_of", pa.timestamp("us", "UTC"))]
_TIERS = np.array([Tier.LOW, Tier.MEDIUM, Tier.HIGH, Tier.CRITICAL], dtype=object)
_TIER_EDGES = (0.3, 0.6, 0.8)


@dataclass(frozen=True)
class ChurnScorer:
    """P(churn) and tier of each row; null for customers who are gone already.

    Attributes:
        model: The served model as JSON.
        has_subscriptions: Who can still be lost is who has an active subscription; else whoever
            showed a sign of life in the last 90 days.
    """

    model: str
    has_subscriptions: bool

    @cached_property
    def _model(self) -> BoosterModel:
        return BoosterModel.from_json(json.loads(self.model))

    @property
    def columns(self) -> tuple[str, ...]:
        """What it reads."""
        signs = (SUBSCRIBED,) if self.has_subscriptions else _SIGNS_OF_LIFE
        names = BoosterModel.from_json(json.loads(self.model)).signature.names
        return tuple(dict.fromkeys((*_KEYS, *names, *signs)))

    @property
    def schema(self) -> pa.Schema:
        """What it gives."""
        return pa.schema([*_KEY_FIELDS, ("p_churn", pa.float64()), ("tier", pa.string())])

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Scores of the rows, batch by batch."""
        for batch in batches:
            can_be_lost = self._can_be_lost(batch)
            p_churn = np.full(batch.num_rows, np.nan)
            p_churn[can_be_lost] = self._model.predict(_matrix(batch, self._model.signature.names))[
                can_be_lost
            ]
            tiers = _TIERS[np.searchsorted(_TIER_EDGES, p_churn)]
            scored = [
                pa.array(p_churn, mask=~can_be_lost),
                pa.array(tiers, type=pa.string(), mask=~can_be_lost),
            ]
            yield _with_keys(batch, scored, schema=self.schema)

    def _can_be_lost(self, batch: pa.RecordBatch) -> Flags:
        if self.has_subscriptions:
            return np.asarray(_matrix(batch, (SUBSCRIBED,))[:, 0] == 1.0)
        return np.asarray(np.nansum(_matrix(batch, _SIGNS_OF_LIFE), axis=1) > 0.0)


@dataclass(frozen=True)
class ChannelScorer:
    """P(outcome) of a message of one trigger on every channel: `p_opened_email` and so on.

    Attributes:
        model: The served model as JSON.
        trigger: Why the message would be sent.
    """

    model: str
    trigger: Trigger

    @cached_property
    def _model(self) -> ChannelModel:
        return ChannelModel.from_json(json.loads(self.model))

    @property
    def columns(self) -> tuple[str, ...]:
        """What it reads."""
        names = ChannelModel.from_json(json.loads(self.model)).signature.names
        return tuple(dict.fromkeys((*_KEYS, *names)))

    @property
    def schema(self) -> pa.Schema:
        """What it gives."""
        model = ChannelModel.from_json(json.loads(self.model))
        names = [f"p_{outcome}_{channel}" for outcome in model.boosters for channel in CHANNELS]
        return pa.schema([*_KEY_FIELDS, *((name, pa.float64()) for name in names)])

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Scores of the rows, batch by batch."""
        schema = self.schema
        for batch in batches:
            X = _matrix(batch, self._model.signature.names)
            scored = [
                pa.array(self._model.predict(outcome, X, channel=at, trigger=self.trigger))
                for outcome in self._model.boosters
                for at in (np.full(len(X), n) for n in range(len(CHANNELS)))
            ]
            yield _with_keys(batch, scored, schema=schema)


def make_scorer(
    models: Models, features: Path, *, mapper: RowMapper, trigger: Trigger | None = None
) -> ChurnScorer | ChannelScorer:
    """The scorer of the served champions: churn, or with a trigger what comes of a message.

    Args:
        models: Champions.
        features: Parquet file or folder that will be scored.
        mapper: Where the files can be read.
        trigger: Scores of messages with this trigger.

    Raises:
        NotReadyError: There is no champion.
        IncompatibleModelError: It was made with other declarations.
        BadInputError: The file lacks features; all of them are named.
    """
    models.require_running_features()
    scorer: ChurnScorer | ChannelScorer
    if trigger is not None:
        if models.channel is None:
            raise NotReadyError("no channel champion yet: train channel, then promote it")
        scorer = ChannelScorer(json.dumps(models.channel.to_json()), trigger)
    else:
        if models.churn is None:
            raise NotReadyError("no churn champion yet: train churn, then promote it")
        scorer = ChurnScorer(
            json.dumps(models.churn.to_json()),
            has_subscriptions=mapper.has_values(features, columns=_SUBSCRIPTION),
        )
    present = mapper.find_columns(features)
    if missing := [name for name in scorer.columns if name not in present]:
        raise BadInputError(
            f"{features} lacks {', '.join(missing)}; `opportune features` writes them"
        )
    return scorer


def score_rows(
    scorer: ChurnScorer | ChannelScorer, features: Path, *, mapper: RowMapper, out: Path
) -> int:
    """Score every row of the file; how many there were."""
    return mapper.map_rows(features, scorer, columns=scorer.columns, schema=scorer.schema, out=out)


def _matrix(batch: pa.RecordBatch, names: Sequence[str]) -> Floats:
    """Columns as a matrix (n, columns) of float64; null is NaN."""
    columns = [batch.column(name).to_numpy(zero_copy_only=False) for name in names]
    return np.column_stack(columns).astype(np.float64, copy=False)


def _with_keys(
    batch: pa.RecordBatch, scored: Sequence[pa.Array], *, schema: pa.Schema
) -> pa.RecordBatch:
    keys = [batch.column(name).cast(kind) for name, kind in _KEY_FIELDS]
    return pa.RecordBatch.from_arrays([*keys, *scored], schema=schema)
