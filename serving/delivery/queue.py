"""What a look at an outbox asks of whatever waits in it: messages to customers, or notices."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol, TypeVar

from serving.delivery.parcel import Moment, Receipt
from serving.store.claims import Claimable, ClaimDesk, OutboxState
from serving.store.rates import Rate
from serving.store.store import StoreSession

DRY_RUN = "dry_run"
"""The lane of rehearsals: it changes nothing but the outbox's own rows of that lane."""

LIVE = "live"
"""The lane in which messages leave the machine."""

Item = TypeVar("Item", bound=Claimable)
Resolution = Literal["ask", "sent", "not_sent"]


@dataclass(frozen=True)
class Go:
    """It may be handed over now."""


@dataclass(frozen=True)
class Wait:
    """Not now, but then."""

    until_us: int
    reason: str


@dataclass(frozen=True)
class Refuse:
    """Not at all."""

    reason: str


Verdict = Go | Wait | Refuse


@dataclass(frozen=True)
class Intake:
    """What is new in an outbox.

    Attributes:
        n: How many.
        refused: Why some of them were refused at once, a reason each.
    """

    n: int
    refused: tuple[str, ...] = ()


class Queue(Protocol[Item]):
    """What waits in one lane of an outbox."""

    @property
    def lane(self) -> str:
        """Of the outbox."""
        ...

    def desk(self, session: StoreSession) -> ClaimDesk[Item]:
        """The part of a transaction that moves items."""
        ...

    def find_stop(self, session: StoreSession, /) -> str | None:
        """Why nothing at all is handed over now; None: something may be."""
        ...

    def take_in(self, session: StoreSession, *, at_us: int) -> Intake:
        """Take in what is due and new."""
        ...

    def find_due(self, session: StoreSession, *, at_us: int, closed: frozenset[str]) -> Item | None:
        """What has waited longest, but for what goes through closed doors."""
        ...

    def door_of(self, item: Item) -> str:
        """What an item goes through: closed for all its items, or open."""
        ...

    def find_rate(self, item: Item) -> Rate | None:
        """How often its door may be gone through; None: there is no limit."""
        ...

    def is_cancelled(self, item: Item, /) -> bool:
        """Whether somebody wished it away."""
        ...

    def judge(self, session: StoreSession, item: Item, /, *, at_us: int) -> Verdict:
        """Whether it may be handed over at that moment."""
        ...

    def note_claim(self, session: StoreSession, *, at: datetime) -> None:
        """Book what a claim means elsewhere, in the transaction that claims it."""
        ...

    def resolve(self, item: Item) -> Resolution:
        """What is taken for true of an item of which nobody knows whether it was taken."""
        ...

    def hand_over(self, item: Item, moment: Moment) -> Receipt:
        """Hand it over, in no transaction; failures are values."""
        ...

    def note_end(
        self,
        session: StoreSession,
        item: Item,
        state: OutboxState,
        *,
        receipt: Receipt | None,
        at: datetime,
    ) -> None:
        """Book what its end means elsewhere, in the transaction that ends it."""
        ...
