"""Thompson sampling over variants without context, with a floor under every probability."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np

from features.errors import BadInputError
from training.bandit.normal_best import lift_to_floor, require_choice
from training.bandit.policy import Flags, Floats, VariantContexts, require_arms
from training.bandit.posterior import compute_best_probabilities
from training.bandit.rewards import Reward, RewardState, Trials
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

    def probabilities(
        self, contexts: VariantContexts, *, arms: Sequence[str], allowed: Flags | None = None
    ) -> Floats:
        """Exact probability that each variant is chosen, (n, arms); the same for all who may."""
        require_arms(contexts.cell, arms)
        shape = (len(contexts), len(arms))
        verdicts = np.ones(shape, dtype=bool) if allowed is None else allowed
        require_choice(verdicts, shape=shape)
        posteriors = [self.state.posterior(contexts.cell, name) for name in arms]
        best = np.zeros(verdicts.shape)
        for verdict in np.unique(verdicts, axis=0):
            rows = (verdicts == verdict).all(axis=1)
            running = tuple(p for p, may in zip(posteriors, verdict, strict=True) if may)
            best[np.ix_(rows, verdict)] = compute_best_probabilities(running)
        return lift_to_floor(best, floor=self.floor, allowed=verdicts)

    def update(self, trials: Trials) -> Self:
        """The policy that has also learned from trials whose window has closed.

        A success is known as soon as it happens and a failure only when the window has closed, so
        the youngest messages would show too many successes.
        """
        final = {RewardState.SUCCESS, RewardState.FAILURE}
        rewards = [
            Reward(message_id, trigger, channel, variant, state is RewardState.SUCCESS)
            for message_id, trigger, channel, variant, state, is_matured in zip(
                trials.message_ids,
                trials.triggers,
                trials.channels,
                trials.variants,
                trials.states,
                trials.is_matured.tolist(),
                strict=True,
            )
            if is_matured and state in final
        ]
        return replace(self, state=self.state.update(rewards))

    def to_json(self) -> str:
        """The state as text; the floor is a setting."""
        return self.state.to_json()
