"""What a customer's own orders say of the margin that hangs on the customer."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np

from training.registry.servable.signature import Floats

ORDERS: Final = "orders_90d"
"""The feature that is read."""


@dataclass(frozen=True)
class OrderHabits:
    """How often customers order, and how much they differ in it.

    A customer's orders of 90 days are Poisson around a rate of their own; rates are gamma
    (Ehrenberg 1959). So the rate to be expected lies between the own orders and the mean.

    Attributes:
        mean: Orders of the mean customer in 90 days, above zero.
        shape: Of the gamma law: the larger, the more alike are customers.
    """

    mean: float
    shape: float

    def relate(self, orders: Floats) -> Floats:
        """Expected orders over those of the mean customer, (n,); 1 where they are null."""
        related = (orders + self.shape) / (self.mean + self.shape)
        return np.where(np.isnan(related), 1.0, related)

    def to_json(self) -> dict[str, float]:
        """As JSON."""
        return {"mean": self.mean, "shape": self.shape}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """What `to_json` wrote."""
        return cls(mean=data["mean"], shape=data["shape"])
