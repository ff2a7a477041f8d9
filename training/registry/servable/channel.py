"""What comes of a message, by channel."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from features.vocabulary import Outcome, Trigger
from training.registry.servable.booster import BoosterModel
from training.registry.servable.signature import TRIGGERS, FeatureSignature, Floats


@dataclass(frozen=True)
class ChannelModel:
    """P(outcome | customer, channel, trigger): one booster per outcome over the same matrix.

    The matrix is the customer's features followed by the channel's and the trigger's position
    in their closed sets.

    Attributes:
        version: Version in the registry; empty before it is registered.
        signature: The customer's features, without the two positions.
        boosters: By outcome; at least opened, clicked, converted and unsubscribed.
        mean_value_cents: Mean amount of a conversion by trigger, from the training data.
    """

    version: str
    signature: FeatureSignature
    boosters: Mapping[Outcome, BoosterModel]
    mean_value_cents: Mapping[Trigger, float]

    def predict(
        self, outcome: Outcome, X: Floats, *, channel: npt.NDArray[np.int64], trigger: Trigger
    ) -> Floats:
        """P(outcome), shape (n,): customers X (n, features) on channels at these positions."""
        at_trigger = np.full(len(X), TRIGGERS.index(trigger), dtype=np.float64)
        matrix = np.column_stack([X, channel.astype(np.float64), at_trigger])
        return self.boosters[outcome].predict(matrix)

    def to_json(self) -> dict[str, Any]:
        """The whole model as JSON."""
        return {
            "kind": "channel",
            "version": self.version,
            "features": list(self.signature.names),
            "digest": self.signature.digest,
            "boosters": {k.value: b.to_json() for k, b in self.boosters.items()},
            "mean_value_cents": {k.value: v for k, v in self.mean_value_cents.items()},
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The model that `to_json` wrote."""
        return cls(
            version=data["version"],
            signature=FeatureSignature(tuple(data["features"]), data["digest"]),
            boosters={Outcome(k): BoosterModel.from_json(b) for k, b in data["boosters"].items()},
            mean_value_cents={Trigger(k): v for k, v in data["mean_value_cents"].items()},
        )
