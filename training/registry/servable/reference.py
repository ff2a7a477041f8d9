"""Whom a customer is compared with when a model gives its reasons."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from features.errors import BadInputError
from training.registry.servable.booster import BoosterModel
from training.registry.servable.signature import Floats

_MOST_ROWS = 1_000
"""Rows that contributions are taken of: they cost some ten times as much as scores."""


@dataclass(frozen=True)
class PopulationReference:
    """What is usual among the customers that a model was made with.

    Attributes:
        contributions: Mean contribution of each feature to the raw logit, (features,).
        medians: Median of each feature where it is known, (features,); None where it never is.
        margin: Mean raw logit: who is above it is riskier than others.
    """

    contributions: tuple[float, ...]
    medians: tuple[float | None, ...]
    margin: float

    def __post_init__(self) -> None:
        if len(self.contributions) != len(self.medians):
            raise BadInputError(
                f"a reference has {len(self.contributions)} contributions and "
                f"{len(self.medians)} medians; expected one of each per feature"
            )

    def to_json(self) -> dict[str, Any]:
        """The reference as JSON."""
        return {
            "contributions": list(self.contributions),
            "medians": list(self.medians),
            "margin": self.margin,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The reference that `to_json` wrote."""
        return cls(
            tuple(data["contributions"]), tuple(data["medians"]), margin=float(data["margin"])
        )


def make_reference(booster: BoosterModel, X: Floats) -> PopulationReference:
    """The reference of a booster from rows X (n, features), NaN is null; n is at least 1.

    Contributions add up to the logit, so contributions and logit are means over the same rows: of
    many every k-th.
    """
    rows = X[:: -(-len(X) // _MOST_ROWS)]
    known = ~np.isnan(X).all(axis=0)
    medians: list[float | None] = [None] * X.shape[1]
    for column in np.flatnonzero(known):
        medians[column] = float(np.nanmedian(X[:, column]))
    mean = booster.contributions(rows).mean(axis=0)
    margin = float(booster.margin(rows).mean())
    return PopulationReference(tuple(mean.tolist()), tuple(medians), margin)
