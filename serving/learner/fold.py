"""Learning as a fold over the log: settled days once and for all, younger messages anew each time.

A message is settled some time after its window has closed; nothing that happened can change it any
more. Settled messages are learned day by day of sending, in order, so that learning in steps ends
in the same state as learning from the whole log at once. What came after them is learned on top of
that for the state that is served, and forgotten again.
"""

from dataclasses import dataclass

import numpy as np

from serving.policy.cases import DAY_US
from serving.policy.settings import PolicySettings
from training.bandit.files import new_bandit
from training.bandit.policy import VariantPolicy
from training.bandit.rewards import RewardRule, RewardState, Trials


@dataclass(frozen=True)
class Settled:
    """What has been learned for good.

    Attributes:
        bandit: From every message sent before `until_us`.
        until_us: Start of a UTC day.
        n_messages: How many messages that is.
    """

    bandit: VariantPolicy
    until_us: int
    n_messages: int

    @classmethod
    def nothing(cls) -> "Settled":
        """Before the first message."""
        return cls(new_bandit(), 0, 0)


@dataclass(frozen=True)
class Learned:
    """What is known at a moment.

    Attributes:
        settled: What later learning goes on from.
        served: That and what younger messages have shown.
        as_of_us: The moment.
        n_young: Messages that are not settled, by state of their reward.
    """

    settled: Settled
    served: VariantPolicy
    as_of_us: int
    n_young: dict[RewardState, int]


def rule_of(policy: PolicySettings) -> RewardRule:
    """How rewards are judged under these settings."""
    return RewardRule(window_days=policy.reward.window_days)


def learn_on(settled: Settled, trials: Trials, *, as_of_us: int, rule: RewardRule) -> Learned:
    """What is known when these trials have been learned, too.

    Args:
        settled: What was learned before.
        trials: Every message sent at or after `settled.until_us`, judged as of `as_of_us`.
        as_of_us: UTC microseconds; a moment before the last one settles nothing.
        rule: How they were judged.
    """
    until_us = max(rule.settled_before_us(as_of_us), settled.until_us)
    is_settled = trials.sent_at_us < until_us
    bandit = settled.bandit
    days = trials.sent_at_us // DAY_US
    for day in np.unique(days[is_settled]).tolist():
        bandit = bandit.update(trials.take(days == day))
    known = Settled(bandit, until_us, settled.n_messages + int(is_settled.sum()))
    young = trials.take(~is_settled)
    counts = {state: int(young.is_in(state).sum()) for state in RewardState}
    return Learned(known, bandit.update(young), as_of_us, counts)
