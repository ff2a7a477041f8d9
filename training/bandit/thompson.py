"""Thompson sampling over variants without context, with a floor under every probability."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

from features.errors import BadInputError
from training.bandit.policy import Floats
from training.bandit.posterior import compute_best_probabilities, mix_with_floor
from training.bandit.rewards import Cell, Reward
from training.bandit.state import BanditState


@dataclass(frozen=True)
class ThompsonSampling:
    """A `VariantPolicy`: each variant in proportion to how likely it is the best.

    Rates are independent Beta posteriors by cell. Rewards come in batches, so between two updates
    the probabilities are fixed, and the same call always gives the same answer.

    Attributes:
        state: What has been learned.
        floor: Share of choices spread evenly over what is allowed, in [0, 1): each of K variants
            keeps at least floor / K.
    """

    state: BanditState = field(default_factory=BanditState)
    floor: float = 0.02

    def __post_init__(self) -> None:
        if not 0.0 <= self.floor < 1.0:
            raise BadInputError(f"a floor lies in [0, 1), got {self.floor!r}")

    @property
    def version(self) -> int:
        """How many rewards it has learned from."""
        return self.state.version

    def probabilities(self, cell: Cell, *, allowed: Sequence[str]) -> Floats:
        """Exact probability that each allowed variant is chosen, in the order given."""
        if not allowed or len(set(allowed)) != len(allowed):
            raise BadInputError(
                f"the allowed variants of {cell} must be at least one and distinct, "
                f"got {list(allowed)}"
            )
        posteriors = tuple(self.state.posterior(cell, variant) for variant in allowed)
        return mix_with_floor(compute_best_probabilities(posteriors), floor=self.floor)

    def update(self, rewards: Iterable[Reward]) -> Self:
        """The policy that has also learned from these rewards, not counted before."""
        return replace(self, state=self.state.update(rewards))
