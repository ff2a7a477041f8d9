"""What a store knows of customers' channels: withdrawals, and messages that did not arrive."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from features.vocabulary import Channel, Outcome
from serving.store.lots import in_json_lots
from serving.store.queries import LAST_ARRIVALS, REFUSALS


@dataclass(frozen=True)
class Withdrawal:
    """A customer's no: to one channel, or (after a complaint) to all of them."""

    customer_id: str
    channel: Channel
    from_all: bool


@dataclass(frozen=True)
class Bounce:
    """A message that did not arrive; none on that channel has arrived since."""

    customer_id: str
    channel: Channel
    at_us: int


@dataclass(frozen=True)
class Refusals:
    """What stands against writing to customers.

    Attributes:
        withdrawals: Unsubscribes and complaints.
        bounces: Of channels on which nothing has arrived since.
    """

    withdrawals: tuple[Withdrawal, ...] = ()
    bounces: tuple[Bounce, ...] = ()


def find_refusals(connection: Connection, customer_ids: Sequence[str]) -> Refusals:
    """What stands against writing to these customers."""
    withdrawals: list[Withdrawal] = []
    bounces: list[Bounce] = []
    for ids in in_json_lots(customer_ids):
        bounced: list[Bounce] = []
        for customer_id, channel, outcome, at_us in connection.execute(REFUSALS, {"ids": ids}):
            if outcome == Outcome.BOUNCED.value:
                bounced.append(Bounce(customer_id, Channel(channel), at_us))
            else:
                is_complaint = outcome == Outcome.COMPLAINED.value
                withdrawals.append(Withdrawal(customer_id, Channel(channel), is_complaint))
        bounces += _since_arrival(connection, bounced)
    return Refusals(tuple(withdrawals), tuple(bounces))


def _since_arrival(connection: Connection, bounced: Sequence[Bounce]) -> list[Bounce]:
    """Bounces after the last message that arrived on the same channel."""
    if not bounced:
        return []
    arrived = {
        (customer_id, channel): at_us
        for ids in in_json_lots(bounce.customer_id for bounce in bounced)
        for customer_id, channel, at_us in connection.execute(LAST_ARRIVALS, {"ids": ids})
    }
    return [
        bounce
        for bounce in bounced
        if bounce.at_us > arrived.get((bounce.customer_id, bounce.channel.value), -1)
    ]
