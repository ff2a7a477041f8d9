"""What a decision needs of whatever chooses among variants."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
import numpy.typing as npt

from features.errors import BadInputError
from features.vocabulary import Channel, Trigger
from training.bandit.beliefs import ArmPrior
from training.bandit.rewards import Cell, Trials

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Arm = tuple[Cell, str]
"""Where a variant competes, and its name."""


@dataclass(frozen=True)
class VariantContexts:
    """For whom variants are chosen: n cases of one trigger on one channel.

    Attributes:
        trigger: Why they are written to.
        channel: Where.
        languages: Of each customer, (n).
        segments: Of each; None where unknown, (n).
        numbers: Of each, (n, len(CONTEXT_NUMBERS)); NaN where unknown.
    """

    trigger: Trigger
    channel: Channel
    languages: tuple[str, ...]
    segments: tuple[str | None, ...]
    numbers: Floats

    def __post_init__(self) -> None:
        if not len(self.languages) == len(self.segments) == len(self.numbers):
            raise BadInputError(
                f"contexts of {len(self.languages)} languages, {len(self.segments)} segments and "
                f"{len(self.numbers)} rows of numbers"
            )

    def __len__(self) -> int:
        return len(self.languages)

    @property
    def cell(self) -> Cell:
        """Where the variants compete."""
        return Cell(self.trigger, self.channel)


class VariantPolicy(Protocol):
    """Chooses among the variants of a cell with known probabilities, and learns."""

    @property
    def version(self) -> int:
        """Grows with every trial learned."""
        ...

    def probabilities(
        self, contexts: VariantContexts, *, arms: Sequence[str], allowed: Flags | None = None
    ) -> Floats:
        """The probability that each variant is chosen, (n, arms) in the order given.

        Args:
            contexts: For whom.
            arms: Variants that compete, at least one, distinct. A name never seen before starts
                from the prior.
            allowed: Which of them may be sent, (n, arms); None allows all.
        """
        ...

    def update(self, trials: Trials) -> Self:
        """The policy that has also learned from these trials, all of them new to it."""
        ...

    def believing(self, priors: Mapping[Arm, ArmPrior]) -> Self:
        """The policy with just these beliefs about variants before their first trial."""
        ...

    def to_json(self) -> str:
        """Everything it knows as text; equal policies give equal text."""
        ...


def require_arms(cell: Cell, arms: Sequence[str]) -> None:
    """Raise BadInputError unless there is something to choose from, named once."""
    if not arms or len(set(arms)) != len(arms):
        raise BadInputError(
            f"the variants of {cell} must be at least one and distinct, got {list(arms)}"
        )
