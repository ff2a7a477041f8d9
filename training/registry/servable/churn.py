"""The churn model: one calibrated booster for each horizon, over the same features."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from features.errors import BadInputError
from training.registry.servable.booster import BoosterModel
from training.registry.servable.reference import PopulationReference
from training.registry.servable.signature import FeatureSignature, Floats

MAIN_HORIZON_DAYS = 30
"""The horizon that scores, tiers and reasons are about."""


@dataclass(frozen=True)
class ChurnModel:
    """P(lost within a horizon), and what is usual among the customers it was made with.

    Attributes:
        version: Version in the registry; empty before it is registered.
        signature: The features of its matrix.
        boosters: By horizon in days, shortest first; 30 is always there.
        reference: Whom the reasons compare a customer with.
    """

    version: str
    signature: FeatureSignature
    boosters: Mapping[int, BoosterModel]
    reference: PopulationReference

    def __post_init__(self) -> None:
        horizons = list(self.boosters)
        if MAIN_HORIZON_DAYS not in horizons or horizons != sorted(horizons):
            raise BadInputError(
                f"a churn model has boosters of {horizons} days; expected {MAIN_HORIZON_DAYS} "
                "among them, shortest first"
            )
        if len(self.reference.medians) != len(self.signature.names):
            raise BadInputError(
                f"a churn model of {len(self.signature.names)} features has a reference of "
                f"{len(self.reference.medians)}"
            )

    @property
    def horizons_days(self) -> tuple[int, ...]:
        """The horizons, shortest first."""
        return tuple(self.boosters)

    def predict(self, X: Floats) -> Floats:
        """P(lost within 30 days), (n,), of a matrix (n, features); NaN is null."""
        return self.predict_at(X, horizon_days=MAIN_HORIZON_DAYS)

    def predict_at(self, X: Floats, *, horizon_days: int) -> Floats:
        """P(lost within a horizon), (n,); never less than within a shorter one.

        Raises:
            BadInputError: There is no such horizon.
        """
        if horizon_days not in self.boosters:
            raise BadInputError(
                f"no horizon of {horizon_days} days: the churn model has {self.horizons_days}"
            )
        shorter = [b.predict(X) for days, b in self.boosters.items() if days <= horizon_days]
        p: Floats = np.max(shorter, axis=0)
        return p

    def is_riskier(self, X: Floats) -> npt.NDArray[np.bool_]:
        """Who is riskier than others are on average, (n,): above the reference's logit."""
        return np.asarray(self.boosters[MAIN_HORIZON_DAYS].margin(X) > self.reference.margin)

    def contributions(self, X: Floats) -> Floats:
        """What each feature adds to the raw logit of 30 days, (n, features); the base left out."""
        return self.boosters[MAIN_HORIZON_DAYS].contributions(X)

    def to_json(self) -> dict[str, Any]:
        """The whole model as JSON."""
        return {
            "kind": "churn",
            "version": self.version,
            "features": list(self.signature.names),
            "digest": self.signature.digest,
            "boosters": {str(days): booster.to_json() for days, booster in self.boosters.items()},
            "reference": self.reference.to_json(),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The model that `to_json` wrote."""
        return cls(
            version=data["version"],
            signature=FeatureSignature(tuple(data["features"]), data["digest"]),
            boosters={int(days): BoosterModel.from_json(b) for days, b in data["boosters"].items()},
            reference=PopulationReference.from_json(data["reference"]),
        )
