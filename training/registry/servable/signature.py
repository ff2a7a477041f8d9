"""Which features a model was made with, and the closed sets in the order of its positions."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from features.errors import IncompatibleModelError
from features.vocabulary import Channel, Trigger

Floats = npt.NDArray[np.float64]

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
