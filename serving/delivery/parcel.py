"""What is handed over, to whom it may be handed over, and what came of it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from features.vocabulary import Channel, Outcome, Trigger
from serving.copy.content import Content
from serving.store.rates import Rate


@dataclass(frozen=True)
class Parcel:
    """One message, ready to be handed over.

    Attributes:
        message_id: Its identity, and the key under which a receiver takes it once.
        customer_id: For whom it is.
        planned_at: When it was to be sent.
        expires_at: From then on it is not worth sending.
        address: Where it goes; None where nobody looked, or the receiver knows. No record and no
            log shows it.
    """

    message_id: str
    customer_id: str
    channel: Channel
    trigger: Trigger
    planned_at: datetime
    expires_at: datetime
    content: Content
    address: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class HandedOver:
    """It was taken.

    Attributes:
        place: Where it is now, in the receiver's words.
        is_delivered: Whether the receiver says that it arrived at the customer's.
    """

    place: str
    is_delivered: bool = False


@dataclass(frozen=True)
class TryAgain:
    """It was not taken, and may be later.

    Attributes:
        reason: Why.
        after_seconds: The receiver's wish; None: it has none.
        hints_down: Whether it may be for the receiver's sake rather than the message's.
    """

    reason: str
    after_seconds: float | None = None
    hints_down: bool = False


@dataclass(frozen=True)
class Rejected:
    """It was not taken, and will not be.

    Attributes:
        reason: Why.
        outcome: What that tells of the customer's channel, such as `bounced`; None: nothing.
    """

    reason: str
    outcome: Outcome | None = None


@dataclass(frozen=True)
class Uncertain:
    """It may have been taken; the receiver could not tell a second one from the first."""

    reason: str


@dataclass(frozen=True)
class Down:
    """Nothing is taken there now, this or another: it says nothing against the message.

    Attributes:
        reason: Why.
        after_seconds: The receiver's wish; None: it has none.
    """

    reason: str
    after_seconds: float | None = None


@dataclass(frozen=True)
class Later:
    """Not before that moment, by a limit of ours; the attempt counts for none."""

    until_us: int
    reason: str


@dataclass(frozen=True)
class Lost:
    """It is no longer ours to hand over: another process holds it, or its lease is out."""


Receipt = HandedOver | TryAgain | Rejected | Uncertain | Down | Later | Lost


@dataclass(frozen=True)
class Moment:
    """The circumstances of one hand-over.

    Attributes:
        now: When it is.
        begin: Asked right before a step that cannot be taken back, by a transport whose receiver
            could not tell a second one from the first: whether the step may be taken. From then
            on, a process that ends leaves the message uncertain.
        take: Takes one of a bucket: None, or from when on there is one to take (microseconds).
    """

    now: datetime
    begin: Callable[[], bool]
    take: Callable[[str, Rate], int | None]


class Transport(Protocol):
    """Hands messages over.

    Either handing one over again under its message_id changes nothing, or `moment.begin` is asked.
    """

    def hand_over(self, parcel: Parcel, moment: Moment, /) -> Receipt:
        """Hand it over; failures are values."""
        ...
