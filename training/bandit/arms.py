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
    find_novelty,
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

_NEGLIGIBLE = 0.01  # trust with which a model is not asked


@dataclass(frozen=True)
class BanditSettings:
    """How a contextual bandit learns and chooses; the defaults are the one setting we ship.

    Attributes:
        prior: What is believed before the first reward.
        memory: How much is forgotten, and when.
        explore: Standard deviations of the scores are multiplied by it. Half of them is enough
            where a horizon is finite (measured: docs/bandit.md). An arm that is new beside known
            ones gets more, up to all: a few failures must not bury it.
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
        """With more arms or columns, the known ones first, or with arms that share otherwise."""
        memories = widen_memories(
            self.memories, designs, prior=self.settings.prior, settings=self.settings.memory
        )
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
            memories=replace(
                memories,
                each=tuple(memories.each[at] for at in kept),
                weights=weights,
                evidence=memories.evidence[np.ix_(kept, kept)],
            ),
            settings=replace(self.settings, memory=memory),
        )

    @cached_property
    def _blend(self) -> tuple[Floats, Floats]:
        return blend(self.memories)

    @cached_property
    def _novelty(self) -> Floats:
        return find_novelty(self.memories, self.designs)

    def score(self, contexts: Floats, arms: list[int] | None = None) -> tuple[Floats, Floats]:
        """Mean and standard deviation of the log odds of success, (n, arms) each."""
        return _score(*self._blend, contexts, arms=arms)

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
        p_linear = self.p_linear
        best = np.zeros((len(contexts), n_arms))
        if p_linear < 1.0:
            mean, sd = self.score(contexts, arms)
            chosen = compute_best_of_normals(mean, self.explore(arms) * sd, allowed=allowed)
            best += (1.0 - p_linear) * chosen
        if p_linear > 0.0:
            pool = self.memories.linear.pool
            mean, sd = _score(pool.mean, pool.covariance, contexts, arms=arms)
            best += p_linear * compute_best_of_normals(mean, sd, allowed=allowed)
        return lift_to_floor(best, floor=self.settings.floor, allowed=allowed)

    @property
    def p_linear(self) -> float:
        """With which probability the linear model chooses; 0 or 1 where that is near.

        Neither kind is asked for less than a hundredth of the choices.
        """
        trust = self.memories.p_linear
        if trust < _NEGLIGIBLE:
            return 0.0
        return 1.0 if trust > 1.0 - _NEGLIGIBLE else trust

    def explore(self, arms: list[int] | None = None) -> Floats:
        """What the standard deviation of each arm is multiplied by, (arms,)."""
        novelty = self._novelty if arms is None else self._novelty[arms]
        beside_known = novelty**2 * (1.0 - np.median(novelty))
        least = self.settings.explore
        explore: Floats = least + max(1.0 - least, 0.0) * beside_known
        return explore


def _score(
    mean: Floats, covariance: Floats, contexts: Floats, *, arms: list[int] | None
) -> tuple[Floats, Floats]:
    """Mean and standard deviation of contexts @ coefficients, (n, arms) each."""
    if arms is not None:
        mean, covariance = mean[arms], covariance[arms]
    n_arms, n_columns = mean.shape
    flat = covariance.transpose(1, 0, 2).reshape(n_columns, n_arms * n_columns)
    spread = (contexts @ flat).reshape(len(contexts), n_arms, n_columns)
    variance = (spread @ contexts[:, :, None])[:, :, 0]
    return contexts @ mean.T, np.sqrt(variance)


def alike(n_arms: int, n_columns: int) -> Designs:
    """Arms that share all coefficients and nothing else is known of them.

    >>> alike(3, 2).arms.shape
    (3, 2, 2)
    """
    groups = np.ones(n_columns, dtype=np.int64)
    groups[0] = 0
    return Designs(np.broadcast_to(np.eye(n_columns), (n_arms, n_columns, n_columns)), groups, 2)
