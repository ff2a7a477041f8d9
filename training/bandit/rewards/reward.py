"""Where variants compete, and the final reward of one message."""

from collections.abc import Iterable
from dataclasses import dataclass

from features.errors import BadInputError
from features.vocabulary import Channel, Trigger


@dataclass(frozen=True, order=True)
class Cell:
    """Where variants compete: one posterior per variant and cell."""

    trigger: Trigger
    channel: Channel


@dataclass(frozen=True)
class Reward:
    """What one message earned; final.

    Attributes:
        message_id: The message; counts once, however often it is reported.
        trigger: Why it was sent.
        channel: Where it was sent.
        variant: Its wording.
        success: Whether it worked.
    """

    message_id: str
    trigger: Trigger
    channel: Channel
    variant: str
    success: bool

    @property
    def cell(self) -> Cell:
        """Where its variant competes."""
        return Cell(self.trigger, self.channel)


def drop_repeats(rewards: Iterable[Reward]) -> list[Reward]:
    """Each message once, in no particular order.

    Raises:
        BadInputError: One message is reported with different rewards: a reward is final.
    """
    by_message: dict[str, Reward] = {}
    for reward in rewards:
        first = by_message.setdefault(reward.message_id, reward)
        if first != reward:
            raise BadInputError(
                f"message {reward.message_id} has two different rewards: {first} and {reward}"
            )
    return list(by_message.values())
