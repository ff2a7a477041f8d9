"""Who would be moved by a message of one trigger: the served uplift model, over rows at rest.

As in `serving.batch.scores`, the scorer runs wherever the rows are.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa

from features.engagement import ENGAGEMENT_FEATURES
from features.engines.batches import RowMapper
from features.errors import BadInputError, NotReadyError
from features.uplift_groups import assign_groups, default_borders
from features.vocabulary import Trigger
from serving.policy.cases import Floats
from serving.snapshot.state import signature_of
from training.registry.entries import ModelName
from training.registry.servable import UpliftModel
from training.registry.tracking import Tracking

_KEYS = ("customer_id", "as_of")
_KEY_FIELDS = [("customer_id", pa.string()), ("as_of", pa.timestamp("us", "UTC"))]
_NUMBERS = ("p_without", "uplift", "uplift_low", "uplift_high", "net_cents")


@dataclass(frozen=True)
class UpliftScorer:
    """What a message of one trigger changes, on the channel where it is worth most.

    Consent is not asked here: it belongs to the decision.

    Attributes:
        model: The served model as JSON.
        trigger: Why the message would be sent.
    """

    model: str
    trigger: Trigger

    @cached_property
    def _model(self) -> UpliftModel:
        return UpliftModel.from_json(json.loads(self.model))

    @property
    def columns(self) -> tuple[str, ...]:
        """What it reads."""
        names = UpliftModel.from_json(json.loads(self.model)).signature.names
        return tuple(dict.fromkeys((*_KEYS, *names)))

    @property
    def schema(self) -> pa.Schema:
        """What it gives: `best_channel` is null where no message is worth its cost."""
        model = UpliftModel.from_json(json.loads(self.model))
        by_channel = [f"net_cents_{channel}" for channel in model.treatments]
        return pa.schema(
            [
                *_KEY_FIELDS,
                ("group", pa.string()),
                ("best_channel", pa.string()),
                *((name, pa.float64()) for name in (*_NUMBERS, *by_channel)),
            ]
        )

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Scores of the rows, batch by batch."""
        schema = self.schema
        for batch in batches:
            keys = [batch.column(name).cast(kind) for name, kind in _KEY_FIELDS]
            scored = self._score(_matrix(batch, self._model.signature.names))
            yield pa.RecordBatch.from_arrays([*keys, *scored], schema=schema)

    def _score(self, X: Floats) -> list[pa.Array]:
        model, rows = self._model, np.arange(len(X))
        effects = model.effects(X, group=self.trigger)
        values = model.net_values(effects, group=self.trigger)
        top = values.cents.argmax(axis=1)
        p_without = model.p_without(X, group=self.trigger)
        groups = assign_groups(
            effects.value[rows, top],
            sd=effects.sd[rows, top],
            p_without=p_without,
            borders=default_borders(),
        )
        names = np.array(model.treatments, dtype=object)[top]
        told = (
            p_without,
            *(e[rows, top] for e in (effects.value, effects.low, effects.high, values.cents)),
        )
        return [
            pa.array([str(group) for group in groups], type=pa.string()),
            pa.array(names, mask=values.best < 0, type=pa.string()),
            *(pa.array(numbers) for numbers in (*told, *values.cents.T)),
        ]


def make_uplift_scorer(
    tracking: Tracking, features: Path, *, mapper: RowMapper, trigger: Trigger
) -> UpliftScorer:
    """The scorer of the served champion.

    Args:
        tracking: Where it is registered.
        features: Parquet file or folder that will be scored.
        mapper: Where the files can be read.
        trigger: Why the messages would be sent.

    Raises:
        NotReadyError: There is no champion.
        IncompatibleModelError: It was made with other declarations.
        BadInputError: The file lacks features; all of them are named.
    """
    model = tracking.load_champion(ModelName.UPLIFT)
    if not isinstance(model, UpliftModel):
        raise NotReadyError("no uplift champion yet: train uplift, then promote it")
    model.signature.require(signature_of(ENGAGEMENT_FEATURES), model="uplift")
    scorer = UpliftScorer(json.dumps(model.to_json()), trigger)
    present = mapper.find_columns(features)
    if missing := [name for name in scorer.columns if name not in present]:
        raise BadInputError(
            f"{features} lacks {', '.join(missing)}; `opportune features` writes them"
        )
    return scorer


def _matrix(batch: pa.RecordBatch, names: tuple[str, ...]) -> Floats:
    columns = [batch.column(name).to_numpy(zero_copy_only=False) for name in names]
    return np.column_stack(columns).astype(np.float64, copy=False)
