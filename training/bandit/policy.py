"""What a decision needs of whatever chooses among variants."""

from collections.abc import Iterable, Sequence
from typing import Protocol, Self

import numpy as np
import numpy.typing as npt

from training.bandit.rewards import Cell, Reward

Floats = npt.NDArray[np.float64]


class VariantPolicy(Protocol):
    """Chooses among the variants of a cell with known probabilities."""

    @property
    def version(self) -> int:
        """Grows with every reward learned."""
        ...

    def probabilities(self, cell: Cell, *, allowed: Sequence[str]) -> Floats:
        """Exact probability that each allowed variant is chosen, in the order given.

        Args:
            cell: Where the variants compete.
            allowed: Variants that may be sent, at least one, distinct. Whatever is not named
                here is forbidden; a name never seen before starts from the prior.
        """
        ...

    def update(self, rewards: Iterable[Reward]) -> Self:
        """The policy that has also learned from these rewards, not counted before."""
        ...
