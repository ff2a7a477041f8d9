"""Boosted trees with calibrated probabilities."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Self

import lightgbm
import numpy as np

from features.errors import BadInputError
from training.registry.servable.signature import FeatureSignature, Floats


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

    def margin(self, X: Floats) -> Floats:
        """Raw log-odds of the trees alone, shape (n,), before any calibration."""
        self._check(X)
        raw = self._booster.predict(X, raw_score=True, num_threads=1)
        return np.asarray(raw, dtype=np.float64)

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
