"""What messages earned, once it can be known."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from features.errors import BadInputError
from features.tables import Tables, empty_table
from features.vocabulary import Channel, Outcome, Trigger

REWARD_WINDOW_DAYS = 7
"""A message without success this long after it was sent has failed."""

SUCCESSES = frozenset({Outcome.CLICKED, Outcome.CONVERTED})
"""Outcomes, made by a person, that count as success of a variant."""


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


def collect_rewards(
    tables: Tables, *, as_of: datetime, window_days: int = REWARD_WINDOW_DAYS
) -> list[Reward]:
    """Rewards of every message that has succeeded, or whose window had closed, by `as_of`.

    A success counts as soon as it is known and a failure only when the window has closed, so the
    youngest messages would show too many successes: until its window has closed, a message is
    left out altogether. Outcomes made by machines, known at `as_of` or later, or later than the
    window are ignored. Messages without a variant teach nothing about variants.

    Args:
        tables: Conformed tables; without `messages` there is nothing to learn from.
        as_of: Aware moment.
        window_days: Days after sending in which an outcome counts.
    """
    messages = tables.get("messages", empty_table("messages"))
    outcomes = tables.get("outcomes", empty_table("outcomes"))
    window = timedelta(days=window_days)
    matured = messages.loc[messages["variant"].notna() & (messages["sent_at"] + window <= as_of)]
    worked = outcomes["outcome"].isin(list(SUCCESSES)) & ~outcomes["machine"]
    made = outcomes.loc[worked & (outcomes["at"] < as_of), ["message_id", "at"]].merge(
        matured[["message_id", "sent_at"]], on="message_id"
    )
    in_time = made["at"] < made["sent_at"] + window
    succeeded = matured["message_id"].isin(made.loc[in_time, "message_id"])
    return [
        Reward(message_id, Trigger(trigger), Channel(channel), variant, bool(success))
        for message_id, trigger, channel, variant, success in zip(
            matured["message_id"],
            matured["trigger"],
            matured["channel"],
            matured["variant"],
            succeeded,
            strict=True,
        )
    ]


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
