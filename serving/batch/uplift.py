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
from features.errors import NotReadyError
from features.uplift_groups import assign_groups, default_borders
from features.vocabulary import Trigger
from serving.batch.scores import (
    KEY_FIELDS,
    LANGUAGE,
    SEGMENT,
    MessageScorer,
    read_matrix,
    require_columns,
    with_keys,
)
from serving.policy.cases import Floats
from serving.snapshot.state import signature_of
from training.registry.entries import ModelName
from training.registry.servable import Belonging, UpliftModel
from training.registry.tracking import Tracking

_NUMBERS = ("p_without", "uplift", "uplift_low", "uplift_high", "net_cents")


@dataclass(frozen=True)
class UpliftScorer(MessageScorer):
    """What a message of one trigger changes, on the channel where it is worth most.

    Consent is not asked here: it belongs to the decision.
    """

    @cached_property
    def _model(self) -> UpliftModel:
        return UpliftModel.from_json(json.loads(self.model))

    @property
    def columns(self) -> tuple[str, ...]:
        """What it reads."""
        return self.with_groups(UpliftModel.from_json(json.loads(self.model)).signature.names)

    @property
    def schema(self) -> pa.Schema:
        """What it gives: `best_channel` is null where no message is worth its cost."""
        model = UpliftModel.from_json(json.loads(self.model))
        by_channel = [f"net_cents_{channel}" for channel in model.treatments]
        return pa.schema(
            [
                *KEY_FIELDS,
                ("group", pa.string()),
                ("best_channel", pa.string()),
                *((name, pa.float64()) for name in (*_NUMBERS, *by_channel)),
            ]
        )

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Scores of the rows, batch by batch."""
        schema = self.schema
        for batch in batches:
            X = read_matrix(batch, self._model.signature.names)
            belonging = Belonging.of(
                batch.num_rows,
                segments=self.segments_of(batch),
                languages=self.languages_of(batch),
            )
            yield with_keys(batch, self._score(X, belonging=belonging), schema=schema)

    def _score(self, X: Floats, *, belonging: Belonging) -> list[pa.Array]:
        model, rows = self._model, np.arange(len(X))
        effects = model.effects(X, group=self.trigger, belonging=belonging)
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
        BadInputError: There is no such file, or it lacks features.
    """
    present = mapper.find_columns(features)
    model = tracking.load_champion(ModelName.UPLIFT)
    if not isinstance(model, UpliftModel):
        raise NotReadyError("no uplift champion yet: train uplift, then promote it")
    model.signature.require(signature_of(ENGAGEMENT_FEATURES), model="uplift")
    scorer = UpliftScorer(
        json.dumps(model.to_json()),
        trigger,
        has_segments=SEGMENT in present,
        has_languages=LANGUAGE in present,
    )
    require_columns(scorer.columns, present=present, features=features)
    return scorer
