"""A contextual bandit on plain arrays: what has been learned of arms, and how one is chosen."""

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Self

import numpy as np

from features.errors import BadInputError
from training.bandit.memories import (
    BanditPrior,
    Memories,
    MemorySettings,
    blend,
    learn_rows,
    start_memories,
    widen_memories,
)
from training.bandit.normal_best import (
    Flags,
    Floats,
    compute_best_of_normals,
    lift_to_floor,
    require_choice,
)
from training.bandit.sites import Designs, Rows


@dataclass(frozen=True)
class BanditSettings:
    """How a contextual bandit learns and chooses; the defaults are the one setting we ship.

    Attributes:
        prior: What is believed before the first reward.
        memory: How much is forgotten, and when.
        explore: Standard deviations of the scores are multiplied by it. Half of them is enough
            where a horizon is finite (measured: docs/bandit.md).
        floor: Share of choices spread evenly over what is allowed.
    """

    prior: BanditPrior = field(default_factory=BanditPrior)
    memory: MemorySettings = field(default_factory=MemorySettings)
    explore: float = 0.5
    floor: float = 0.002

    def __post_init__(self) -> None:
        if not 0.0 <= self.floor < 1.0:
            raise BadInputError(f"a floor lies in [0, 1), got {self.floor!r}")
        if self.explore <= 0.0:
            raise BadInputError(f"exploration is above 0, got {self.explore!r}")


@dataclass(frozen=True)
class ArmLearner:
    """What is known of a set of arms.

    Attributes:
        designs: How arms share coefficients.
        memories: What has been learned.
        settings: How it is learned and how arms are chosen.
    """

    designs: Designs
    memories: Memories
    settings: BanditSettings

    @classmethod
    def start(cls, designs: Designs, settings: BanditSettings | None = None) -> Self:
        """Before the first reward."""
        chosen = settings or BanditSettings()
        memories = start_memories(designs, prior=chosen.prior, settings=chosen.memory)
        return cls(designs, memories, chosen)

    def widen(self, designs: Designs) -> Self:
        """With more arms, the known ones first, or with arms that share otherwise."""
        memories = widen_memories(self.memories, designs, prior=self.settings.prior)
        return replace(self, designs=designs, memories=memories)

    def learn(self, rows: Rows) -> Self:
        """The knowledge after one batch, in which order does not matter."""
        memories = learn_rows(
            self.memories,
            rows,
            self.designs,
            prior=self.settings.prior,
            settings=self.settings.memory,
        )
        return replace(self, memories=memories)

    def trusted(self, share: float = 0.05) -> Self:
        """Only the memories that have at least that share: for a look that is thrown away."""
        memories, lengths = self.memories, self.settings.memory.lengths
        kept = np.flatnonzero(memories.weights >= share)
        weights = memories.weights[kept] / memories.weights[kept].sum()
        memory = replace(self.settings.memory, lengths=tuple(lengths[at] for at in kept))
        return replace(
            self,
            memories=Memories(
                tuple(memories.each[at] for at in kept),
                weights,
                memories.evidence[np.ix_(kept, kept)],
            ),
            settings=replace(self.settings, memory=memory),
        )

    @cached_property
    def _blend(self) -> tuple[Floats, Floats]:
        return blend(self.memories)

    def score(self, contexts: Floats, arms: list[int] | None = None) -> tuple[Floats, Floats]:
        """Mean and standard deviation of the log odds of success, (n, arms) each."""
        mean, covariance = self._blend
        if arms is not None:
            mean, covariance = mean[arms], covariance[arms]
        n_arms, n_columns = mean.shape
        flat = covariance.transpose(1, 0, 2).reshape(n_columns, n_arms * n_columns)
        spread = (contexts @ flat).reshape(len(contexts), n_arms, n_columns)
        variance = (spread @ contexts[:, :, None])[:, :, 0]
        return contexts @ mean.T, np.sqrt(variance)

    def probabilities(
        self, contexts: Floats, *, arms: list[int] | None = None, allowed: Flags | None = None
    ) -> Floats:
        """The probability that each arm is chosen, (n, arms).

        Args:
            contexts: (n, d); the first column is 1.
            arms: Positions of the arms that compete; None takes all.
            allowed: Which of them may be chosen, (n, arms); None allows all.

        Raises:
            BadInputError: Shapes differ, or a row allows nothing.
        """
        n_arms = len(self.designs.arms) if arms is None else len(arms)
        if allowed is not None:
            require_choice(allowed, shape=(len(contexts), n_arms))
        mean, sd = self.score(contexts, arms)
        best = compute_best_of_normals(mean, self.settings.explore * sd, allowed=allowed)
        return lift_to_floor(best, floor=self.settings.floor, allowed=allowed)


def alike(n_arms: int, n_columns: int) -> Designs:
    """Arms that share all coefficients and nothing else is known of them.

    >>> alike(3, 2).arms.shape
    (3, 2, 2)
    """
    groups = np.ones(n_columns, dtype=np.int64)
    groups[0] = 0
    return Designs(np.broadcast_to(np.eye(n_columns), (n_arms, n_columns, n_columns)), groups, 2)
