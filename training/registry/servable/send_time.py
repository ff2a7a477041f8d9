"""When in the week a customer is there."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np

from training.registry.servable.signature import Floats

N_WEEK_HOURS = 168


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
