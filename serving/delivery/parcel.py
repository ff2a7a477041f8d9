"""What is handed over, to whom it may be handed over, and what came of it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from features.vocabulary import Channel, Trigger
from serving.copy.content import Content


@dataclass(frozen=True)
class Parcel:
    """One message, ready to be handed over.

    Attributes:
        message_id: Its identity, and the key under which a receiver takes it once.
        customer_id: For whom it is.
        planned_at: When it was to be sent.
    """

    message_id: str
    customer_id: str
    channel: Channel
    trigger: Trigger
    planned_at: datetime
    content: Content


@dataclass(frozen=True)
class HandedOver:
    """It was taken.

    Attributes:
        place: Where it is now, in the receiver's words.
    """

    place: str


@dataclass(frozen=True)
class TryAgain:
    """It was not taken, and may be later."""

    reason: str


@dataclass(frozen=True)
class Rejected:
    """It was not taken, and will not be."""

    reason: str


Receipt = HandedOver | TryAgain | Rejected


class Transport(Protocol):
    """Hands messages over. To hand one over again under its message_id changes nothing."""

    def hand_over(self, parcel: Parcel) -> Receipt:
        """Hand it over; failures are values."""
        ...
