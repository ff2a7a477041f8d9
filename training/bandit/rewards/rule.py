"""When a message has succeeded, failed, or cannot be known to have done either."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

import numpy as np
import numpy.typing as npt

from features.vocabulary import Outcome, Trigger
from training.bandit.rewards.machines import MachineRule

Ints = npt.NDArray[np.int64]

REFUSALS: Final = frozenset({Outcome.UNSUBSCRIBED, Outcome.COMPLAINED})
"""Outcomes by which a person said no to the message itself."""

_HOUR_US: Final = 3_600_000_000
_DAY_US: Final = 24 * _HOUR_US


class RewardGoal(StrEnum):
    """What a message is sent for."""

    CLICK = "click"  # a person clicks, or converts
    CONVERSION = "conversion"
    NO_CALL = "no_call"  # its window closes without a call to support about it


SUCCESSES: Final = {
    RewardGoal.CLICK: frozenset({Outcome.CLICKED, Outcome.CONVERTED}),
    RewardGoal.CONVERSION: frozenset({Outcome.CONVERTED}),
}
"""Outcomes, made by a person, that count as success; what has no call succeeds by silence."""


class RewardState(StrEnum):
    """What is known of a message's reward."""

    PENDING = "pending"  # no success yet, and its window is open
    SUCCESS = "success"
    FAILURE = "failure"  # its window closed without success, or the reader said no to it
    CENSORED = "censored"  # it could not succeed any more before its window closed


class OutcomeRole(StrEnum):
    """What an outcome means for the reward of its message."""

    COUNTED = "counted"
    LATE = "late"  # happened after the message's window had closed
    DUPLICATE = "duplicate"  # the same message, outcome and moment once more
    MACHINE = "machine"  # a scanner or a privacy proxy made it
    UNSURE = "unsure"  # looks like a machine's; whether a person follows is not known yet
    UNKNOWN_MESSAGE = "unknown_message"
    BEFORE_MESSAGE = "before_message"
    TO_COME = "to_come"  # had not happened when the log was judged


@dataclass(frozen=True)
class RewardRule:
    """How rewards are judged.

    Attributes:
        window_days: Days after sending in which an outcome counts.
        marketing: What marketing messages are sent for.
        service: What messages about a problem, or an order, of the customer's own are sent for.
        grace_hours: How long after the window, from the end of the UTC day of sending, a message is
            settled: by then whatever is going to be told has been told.
        machine: What a machine's outcomes look like.
    """

    window_days: float = 3.0
    marketing: RewardGoal = RewardGoal.CLICK
    service: RewardGoal = RewardGoal.CLICK
    grace_hours: float = 24.0
    machine: MachineRule = field(default_factory=MachineRule)

    def goal_of(self, trigger: Trigger) -> RewardGoal:
        """What a message of that trigger is sent for."""
        return self.service if trigger.is_service else self.marketing

    @property
    def window_us(self) -> int:
        """The window in microseconds."""
        return int(self.window_days * _DAY_US)

    def settles_at_us(self, sent_at_us: Ints) -> Ints:
        """When messages sent at these moments are settled; the same for all of one UTC day."""
        day_ends: Ints = (sent_at_us // _DAY_US + 1) * _DAY_US
        return day_ends + self.window_us + int(self.grace_hours * _HOUR_US)

    def settled_before_us(self, as_of_us: int) -> int:
        """Start of the first UTC day whose messages are not settled at that moment."""
        return (as_of_us - self.window_us - int(self.grace_hours * _HOUR_US)) // _DAY_US * _DAY_US
