"""Learning as a fold over the log: settled days once and for all, younger messages anew each time.

A message is settled some time after its window has closed; nothing that happened can change it any
more. Settled messages are learned day by day of sending, in order, so that learning in steps ends
in the same state as learning from the whole log at once. What came after them is learned on top of
that for the state that is served, and forgotten again.
"""

import hashlib
from collections.abc import Iterator
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
        digest: Of everything that was learned from, in its order; empty before the first message.
    """

    bandit: VariantPolicy
    until_us: int
    n_messages: int
    digest: str = ""

    @classmethod
    def nothing(cls) -> "Settled":
        """Before the first message."""
        return cls(new_bandit(), 0, 0)

    def follows_from(self, trials: Trials) -> bool:
        """Whether it is what these trials teach, as far as they were sent before `until_us`."""
        digest = ""
        for of_day in _by_day(trials.take(trials.sent_at_us < self.until_us)):
            digest = _digest_on(digest, of_day)
        return digest == self.digest


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
    reward = policy.reward
    return RewardRule(
        window_days=reward.window_days, marketing=reward.marketing, service=reward.service
    )


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
    bandit, digest = settled.bandit, settled.digest
    for of_day in _by_day(trials.take(is_settled)):
        bandit, digest = bandit.update(of_day), _digest_on(digest, of_day)
    known = Settled(bandit, until_us, settled.n_messages + int(is_settled.sum()), digest)
    young = trials.take(~is_settled)
    counts = {state: int(young.is_in(state).sum()) for state in RewardState}
    return Learned(known, bandit.update(young), as_of_us, counts)


def _by_day(trials: Trials) -> Iterator[Trials]:
    """Trials of one UTC day of sending after the other."""
    days = trials.sent_at_us // DAY_US
    for day in np.unique(days).tolist():
        yield trials.take(days == day)


def _digest_on(before: str, trials: Trials) -> str:
    """A digest that goes on with these trials: all that a bandit may learn from them.

    How old they are is left out: of what is settled it says nothing.
    """
    texts = (
        trials.message_ids,
        trials.triggers,
        trials.channels,
        trials.variants,
        trials.languages,
        [segment or "" for segment in trials.segments],
        trials.states,
    )
    numbers = (trials.numbers, trials.p_variant, trials.sent_at_us, trials.watched_us)
    digest = hashlib.blake2b(before.encode(), digest_size=12)
    for column in texts:
        digest.update("\x1f".join(column).encode() + b"\x1e")
    for array in numbers:
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
