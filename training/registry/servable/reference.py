"""Whom a customer is compared with when a model gives its reasons."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from features.errors import BadInputError
from training.registry.servable.booster import BoosterModel
from training.registry.servable.signature import Floats

_MOST_ROWS = 5_000


@dataclass(frozen=True)
class PopulationReference:
    """What is usual among the customers that a model was made with.

    Attributes:
        contributions: Mean contribution of each feature to the raw logit, (features,).
        medians: Median of each feature where it is known, (features,); NaN where it never is.
    """

    contributions: tuple[float, ...]
    medians: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.contributions) != len(self.medians):
            raise BadInputError(
                f"a reference has {len(self.contributions)} contributions and "
                f"{len(self.medians)} medians; expected one of each per feature"
            )

    def to_json(self) -> dict[str, Any]:
        """The reference as JSON; NaN is null."""
        medians = [None if np.isnan(median) else median for median in self.medians]
        return {"contributions": list(self.contributions), "medians": medians}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The reference that `to_json` wrote."""
        medians = tuple(np.nan if median is None else float(median) for median in data["medians"])
        return cls(tuple(map(float, data["contributions"])), medians)


def make_reference(booster: BoosterModel, X: Floats) -> PopulationReference:
    """The reference of a booster from rows X (n, features), NaN is null; n is at least 1.

    Contributions cost much more than scores: of many rows every k-th is taken.
    """
    step = -(-len(X) // _MOST_ROWS)
    rows = X[::step]
    known = ~np.isnan(X).all(axis=0)
    medians = np.full(X.shape[1], np.nan)
    medians[known] = np.nanmedian(X[:, known], axis=0)
    mean = booster.contributions(rows).mean(axis=0)
    return PopulationReference(tuple(mean.tolist()), tuple(medians.tolist()))
