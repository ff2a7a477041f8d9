"""Scores of everybody in a file of features: the models of the service, over rows at rest.

The scorer runs wherever the rows are: in this process, or in the Python of a Spark executor. A
model travels inside it as the JSON in which it is served, and is read once there.
"""

import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa

from features.churn.factors import default_factors
from features.churn.risk import RiskRules
from features.engines.batches import RowMapper, read_batches
from features.errors import BadInputError, NotReadyError
from features.vocabulary import Outcome, Trigger
from serving.policy.cases import Flags, Floats
from serving.risk.reasons import find_grounds
from serving.snapshot.state import Models
from training.registry.servable import CHANNELS, ChannelModel, ChurnModel

SUBSCRIBED = "subscription_active"
"""Feature that tells who can still be lost where there are subscriptions."""

_SUBSCRIPTION = (SUBSCRIBED, "mrr_cents")
_SIGNS_OF_LIFE = ("activity_90d", "orders_90d")
KEYS = ("customer_id", "as_of")
SEGMENT, LANGUAGE = "segment", "language"
KEY_FIELDS = [("customer_id", pa.string()), ("as_of", pa.timestamp("us", "UTC"))]
_CHURN_FIELDS = [("p_churn", pa.float64()), ("risk_score", pa.float64()), ("tier", pa.string())]
_FACTORS_FIELD = ("factors", pa.string())
_REASON_FIELD = ("reason", pa.string())
ALREADY_GONE = "already_gone"
"""Why a customer has no score; `/customers/churn` says the same word."""

_MOST_NAMED = 5


@dataclass(frozen=True)
class ChurnScorer:
    """P(churn), risk score and tier of each row; null for customers who are gone already.

    Why there is no score stands in `reason`, which is null where there is one.

    Attributes:
        model: The served model as JSON.
        has_subscriptions: Who can still be lost is who has an active subscription; else whoever
            showed a sign of life in the last 90 days.
        rules: How a probability becomes a risk score and a tier.
        with_factors: Whether to say which factors make a customer riskier than others, strongest
            first, with commas between them; empty for who is not. It costs several times as much as
            the scores.
    """

    model: str
    has_subscriptions: bool
    rules: RiskRules
    with_factors: bool

    @cached_property
    def _model(self) -> ChurnModel:
        return ChurnModel.from_json(json.loads(self.model))

    @property
    def columns(self) -> tuple[str, ...]:
        """What it reads."""
        signs = (SUBSCRIBED,) if self.has_subscriptions else _SIGNS_OF_LIFE
        names = ChurnModel.from_json(json.loads(self.model)).signature.names
        return tuple(dict.fromkeys((*KEYS, *names, *signs)))

    @property
    def schema(self) -> pa.Schema:
        """What it gives."""
        also = [_FACTORS_FIELD] if self.with_factors else []
        return pa.schema([*KEY_FIELDS, *_CHURN_FIELDS, *also, _REASON_FIELD])

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Scores of the rows, batch by batch."""
        names = self._model.signature.names
        for batch in batches:
            features = read_matrix(batch, names)
            p_churn = np.full(batch.num_rows, np.nan)
            known = self._can_be_lost(batch)
            if known.any():
                p_churn[known] = self._model.predict(features[known])
            risk = self.rules.assess(p_churn, features=features, names=names)
            scored = [
                pa.array(risk.p_churn, mask=~known),
                pa.array(risk.risk_score, mask=~known),
                pa.array(risk.tiers, type=pa.string()),
            ]
            if self.with_factors:
                scored.append(self._find_factors(features, known))
            reasons = np.full(batch.num_rows, ALREADY_GONE, dtype=object)
            scored.append(pa.array(reasons, mask=known, type=pa.string()))
            yield with_keys(batch, scored, schema=self.schema)

    def _find_factors(self, features: Floats, known: Flags) -> pa.Array:
        found: list[str | None] = [None] * len(features)
        if not known.any():
            return pa.array(found, type=pa.string())
        grounds = find_grounds(self._model, features[known], factors=default_factors())
        for n, row in enumerate(np.flatnonzero(known).tolist()):
            found[row] = ", ".join(factor for factor, _ in grounds.strongest(n))
        return pa.array(found, type=pa.string())

    def _can_be_lost(self, batch: pa.RecordBatch) -> Flags:
        if self.has_subscriptions:
            return np.asarray(read_matrix(batch, (SUBSCRIBED,))[:, 0] == 1.0)
        return np.asarray(np.nansum(read_matrix(batch, _SIGNS_OF_LIFE), axis=1) > 0.0)


@dataclass(frozen=True)
class MessageScorer:
    """Of messages of one trigger, by a model that may go by who belongs where.

    Attributes:
        model: The served model as JSON.
        trigger: Why the message would be sent.
        has_segments: Whether the rows say `segment`; where they do not it counts as unknown.
        has_languages: Whether the rows say `language`.
    """

    model: str
    trigger: Trigger
    has_segments: bool = False
    has_languages: bool = False

    def with_groups(self, names: Sequence[str]) -> tuple[str, ...]:
        """What is read where the model reads these features."""
        groups = [SEGMENT] * self.has_segments + [LANGUAGE] * self.has_languages
        return tuple(dict.fromkeys((*KEYS, *names, *groups)))

    def segments_of(self, batch: pa.RecordBatch) -> list[str | None] | None:
        """Of each row; None where the rows do not say."""
        return batch.column(SEGMENT).to_pylist() if self.has_segments else None

    def languages_of(self, batch: pa.RecordBatch) -> list[str | None] | None:
        """Of each row; None where the rows do not say."""
        return batch.column(LANGUAGE).to_pylist() if self.has_languages else None


@dataclass(frozen=True)
class ChannelScorer(MessageScorer):
    """P(outcome) of a message of one trigger on every channel: `p_opened_email` and so on.

    Beside them stands where the answer about opens came from: `level_email` and so on.
    """

    @cached_property
    def _model(self) -> ChannelModel:
        return ChannelModel.from_json(json.loads(self.model))

    @property
    def columns(self) -> tuple[str, ...]:
        """What it reads."""
        return self.with_groups(ChannelModel.from_json(json.loads(self.model)).signature.names)

    @property
    def schema(self) -> pa.Schema:
        """What it gives."""
        model = ChannelModel.from_json(json.loads(self.model))
        names = [f"p_{outcome}_{channel}" for outcome in model.outcomes for channel in CHANNELS]
        levels = [(f"level_{channel}", pa.string()) for channel in CHANNELS]
        return pa.schema([*KEY_FIELDS, *((name, pa.float64()) for name in names), *levels])

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Scores of the rows, batch by batch."""
        schema = self.schema
        for batch in batches:
            sendings = self._model.describe_channels(
                read_matrix(batch, self._model.signature.names),
                trigger=self.trigger,
                segments=self.segments_of(batch),
                languages=self.languages_of(batch),
            )
            shape = (batch.num_rows, len(CHANNELS))
            found = self._model.predict_all(tuple(self._model.outcomes), sendings)
            scored = [pa.array(p) for by_row in found.values() for p in by_row.reshape(shape).T]
            levels = self._model.find_levels(Outcome.OPENED, sendings).reshape(shape)
            scored += [pa.array(column, type=pa.string()) for column in levels.T]
            yield with_keys(batch, scored, schema=schema)


def make_scorer(
    models: Models,
    features: Path,
    *,
    mapper: RowMapper,
    rules: RiskRules,
    trigger: Trigger | None = None,
    with_factors: bool = False,
) -> ChurnScorer | ChannelScorer:
    """The scorer of the served champions: churn, or with a trigger what comes of a message.

    Args:
        models: Champions.
        features: Parquet file or folder that will be scored.
        mapper: Where the files can be read.
        rules: How a probability of churn becomes a risk score and a tier.
        trigger: Scores of messages with this trigger.
        with_factors: Whether scores of churn say why; see `ChurnScorer`.

    Raises:
        NotReadyError: There is no champion.
        IncompatibleModelError: It was made with other declarations.
        BadInputError: There is no such file, or it lacks features.
    """
    present = mapper.find_columns(features)
    models.require_running_features()
    scorer: ChurnScorer | ChannelScorer
    if trigger is not None:
        if models.channel is None:
            raise NotReadyError("no channel champion yet: train channel, then promote it")
        scorer = ChannelScorer(
            json.dumps(models.channel.to_json()),
            trigger,
            has_segments=SEGMENT in present,
            has_languages=LANGUAGE in present,
        )
    else:
        if models.churn is None:
            raise NotReadyError("no churn champion yet: train churn, then promote it")
        scorer = ChurnScorer(
            json.dumps(models.churn.to_json()),
            has_subscriptions=mapper.has_values(features, columns=_SUBSCRIPTION),
            rules=rules,
            with_factors=with_factors,
        )
    require_columns(scorer.columns, present=present, features=features)
    return scorer


def require_columns(names: Sequence[str], *, present: Collection[str], features: Path) -> None:
    """Raise BadInputError where a file lacks columns; a few are named, and how many there are."""
    missing = [name for name in names if name not in present]
    if not missing:
        return
    few = ", ".join(missing[:_MOST_NAMED])
    lacks = few if len(missing) <= _MOST_NAMED else f"{len(missing)} columns such as {few}"
    raise BadInputError(f"{features} lacks {lacks}; is this what `opportune features` wrote?")


def count_gone(scores: Path, *, mapper: RowMapper) -> int:
    """How many rows of a file of scores have none, since the customer is gone already."""
    if _REASON_FIELD[0] not in mapper.find_columns(scores):
        return 0
    parts = read_batches(scores, columns=(_REASON_FIELD[0],))
    return sum(batch.num_rows - batch.column(0).null_count for batch in parts)


def score_rows(
    scorer: ChurnScorer | ChannelScorer, features: Path, *, mapper: RowMapper, out: Path
) -> int:
    """Score every row of the file; how many there were."""
    return mapper.map_rows(features, scorer, columns=scorer.columns, schema=scorer.schema, out=out)


def read_matrix(batch: pa.RecordBatch, names: Sequence[str]) -> Floats:
    """Columns as a matrix (n, columns) of float64; null is NaN.

    Raises:
        BadInputError: A column holds something else than numbers.
    """
    for name in names:
        kind = batch.schema.field(name).type
        if not (_is_number(kind) or pa.types.is_null(kind)):
            raise BadInputError(
                f"features: {name} is of type {kind}, expected numbers; is this what "
                "`opportune features` wrote?"
            )
    columns = [batch.column(name).to_numpy(zero_copy_only=False) for name in names]
    return np.column_stack(columns).astype(np.float64, copy=False)


def _is_number(kind: pa.DataType) -> bool:
    tests = (pa.types.is_floating, pa.types.is_integer, pa.types.is_boolean, pa.types.is_decimal)
    return any(test(kind) for test in tests)


def with_keys(
    batch: pa.RecordBatch, scored: Sequence[pa.Array], *, schema: pa.Schema
) -> pa.RecordBatch:
    """What was scored behind the keys of the rows."""
    keys = [batch.column(name).cast(kind) for name, kind in KEY_FIELDS]
    return pa.RecordBatch.from_arrays([*keys, *scored], schema=schema)
