"""Where variants compete."""

from dataclasses import dataclass

from features.vocabulary import Channel, Trigger


@dataclass(frozen=True, order=True)
class Cell:
    """Where variants compete: those of one trigger on one channel."""

    trigger: Trigger
    channel: Channel
