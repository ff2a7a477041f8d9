"""Models in the form in which they are served: plain arrays and LightGBM's own text.

Nothing here needs MLflow, scikit-learn or a pickle: a model is written as JSON and text, read
back the same, and predicts with one thread, so that a worker of the service stays small and quick.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import lightgbm
import numpy as np
import numpy.typing as npt

from features.errors import BadInputError, IncompatibleModelError
from features.vocabulary import Channel, Outcome, Trigger

Floats = npt.NDArray[np.float64]

N_WEEK_HOURS = 168
CHANNELS: tuple[Channel, ...] = tuple(Channel)
TRIGGERS: tuple[Trigger, ...] = tuple(Trigger)


@dataclass(frozen=True)
class FeatureSignature:
    """Which features a model was made with.

    Attributes:
        names: Columns, in the order of the matrix.
        digest: Hash over the declarations of these features.
    """

    names: tuple[str, ...]
    digest: str

    def require(self, other: Self, *, model: str) -> None:
        """Raise IncompatibleModelError unless `other` is the same signature."""
        if self != other:
            raise IncompatibleModelError(
                f"model {model} was made with features {self.digest}, the running code declares "
                f"{other.digest}; train it again"
            )


@dataclass(frozen=True)
class Calibration:
    """Platt's calibration on the logit: p = sigmoid(slope * logit(raw) + intercept).

    Platt, J. (1999), Probabilistic outputs for support vector machines.
    """

    slope: float = 1.0
    intercept: float = 0.0

    def apply(self, p_raw: Floats) -> Floats:
        """Calibrated probabilities of raw ones, same shape."""
        clipped = np.clip(p_raw, 1e-9, 1 - 1e-9)
        z = self.slope * np.log(clipped / (1 - clipped)) + self.intercept
        calibrated: Floats = 1.0 / (1.0 + np.exp(-z))
        return calibrated


@dataclass(frozen=True)
class BoosterModel:
    """A calibrated LightGBM classifier.

    Attributes:
        name: What it predicts, e.g. `churn`.
        version: Version in the registry; empty before it is registered.
        signature: The features of its matrix.
        text: LightGBM's model text.
        calibration: From raw to honest probabilities.
    """

    name: str
    version: str
    signature: FeatureSignature
    text: str = field(repr=False)
    calibration: Calibration = field(default_factory=Calibration)

    @cached_property
    def _booster(self) -> lightgbm.Booster:
        return lightgbm.Booster(model_str=self.text)

    def predict(self, X: Floats) -> Floats:
        """Calibrated probabilities, shape (n,), of a matrix (n, features); NaN is null."""
        self._check(X)
        raw = np.asarray(self._booster.predict(X, num_threads=1), dtype=np.float64)
        return self.calibration.apply(raw)

    def contributions(self, X: Floats) -> Floats:
        """What each feature adds to the raw logit, shape (n, features); the base is left out.

        LightGBM's `pred_contrib`: exact Shapley values of the trees (Lundberg et al. 2020).
        """
        self._check(X)
        shap = np.asarray(self._booster.predict(X, pred_contrib=True, num_threads=1))
        contributions: Floats = shap[:, :-1]
        return contributions

    def _check(self, X: Floats) -> None:
        expected = len(self.signature.names)
        if X.ndim != 2 or X.shape[1] != expected:
            raise BadInputError(
                f"model {self.name} wants a matrix (n, {expected}), got shape {X.shape}"
            )

    def to_json(self) -> dict[str, Any]:
        """The whole model as JSON."""
        return {
            "kind": "booster",
            "name": self.name,
            "version": self.version,
            "features": list(self.signature.names),
            "digest": self.signature.digest,
            "slope": self.calibration.slope,
            "intercept": self.calibration.intercept,
            "text": self.text,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The model that `to_json` wrote."""
        return cls(
            name=data["name"],
            version=data["version"],
            signature=FeatureSignature(tuple(data["features"]), data["digest"]),
            text=data["text"],
            calibration=Calibration(data["slope"], data["intercept"]),
        )


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


@dataclass(frozen=True)
class SendTimeModel:
    """How open an hour of the customer's own week is, relative to the average hour.

    A customer's 168 counts are shrunk to the population's week: a Dirichlet posterior mean with
    `strength` pseudo-counts.

    Attributes:
        version: Version in the registry; empty before it is registered.
        population: Share of activity by hour of the week, local time, Monday 0:00 first; sums to 1.
        strength: Pseudo-counts of the population's week.
    """

    version: str
    population: tuple[float, ...]
    strength: float

    @cached_property
    def _population(self) -> Floats:
        return np.asarray(self.population, dtype=np.float64)

    def relative_openness(self, counts: Floats) -> Floats:
        """Posterior of each hour times 168, shape (n, 168), of counts (n, 168); the mean is 1."""
        total = counts.sum(axis=1, keepdims=True)
        posterior = (counts + self.strength * self._population) / (total + self.strength)
        relative: Floats = posterior * N_WEEK_HOURS
        return relative

    def to_json(self) -> dict[str, Any]:
        """The whole model as JSON."""
        return {
            "kind": "send_time",
            "version": self.version,
            "population": list(self.population),
            "strength": self.strength,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The model that `to_json` wrote."""
        return cls(data["version"], tuple(data["population"]), data["strength"])


Servable = BoosterModel | ChannelModel | SendTimeModel

_KINDS: Mapping[str, type[BoosterModel] | type[ChannelModel] | type[SendTimeModel]] = {
    "booster": BoosterModel,
    "channel": ChannelModel,
    "send_time": SendTimeModel,
}


def save_servable(model: Servable, path: Path) -> None:
    """Write the model as one JSON file."""
    path.write_text(json.dumps(model.to_json()), encoding="utf-8")


def load_servable(path: Path) -> Servable:
    """Read what `save_servable` wrote; BadInputError names the file and what is wrong with it."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        return _KINDS[data["kind"]].from_json(data)
    except (OSError, ValueError, KeyError, TypeError) as fault:
        raise BadInputError(f"{path} is not a model that can be served: {fault!r}") from fault
