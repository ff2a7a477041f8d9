"""What is known already and may explain a burst: a disruption in the region, late orders.

It stays a hypothesis: it says that those who complain are touched by something, not that it is why.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from features.vocabulary import Trigger

LEAST_SHARE: Final = 0.5
"""Of those who complain, who must be touched."""


@dataclass(frozen=True)
class KnownDisruption:
    """A disruption as it was known at some moment.

    Attributes:
        disruption_id: Its identity.
        region: Where.
        service: What is disturbed.
        starts_at_us: First moment.
        ends_at_us: First moment after it; None while nobody knows.
    """

    disruption_id: str
    region: str
    service: str
    starts_at_us: int
    ends_at_us: int | None


@dataclass(frozen=True)
class KnownDelay:
    """A late order as it was known at some moment.

    Attributes:
        order_id: Of the order.
        customer_id: Who waits.
        began_at_us: When it became late.
        ended_at_us: When it arrived; None while it has not.
    """

    order_id: str
    customer_id: str
    began_at_us: int
    ended_at_us: int | None = None


@dataclass(frozen=True)
class Explanation:
    """Something known that touches those who complain.

    Attributes:
        trigger: Of which kind.
        subject: Identity of the disruption, or how many orders are late.
        n_touched: Of those who complain.
        n_customers: Who complain.
    """

    trigger: Trigger
    subject: str
    n_touched: int
    n_customers: int


@dataclass(frozen=True)
class Complaining:
    """Who complains, and when.

    Attributes:
        customer_ids: Who.
        since_us: The first complaint.
        until_us: What began later is not behind it.
    """

    customer_ids: Collection[str]
    since_us: int
    until_us: int


def explain(
    complaining: Complaining,
    *,
    explained_by: Collection[Trigger],
    regions: Mapping[str, str],
    disruptions: Iterable[KnownDisruption],
    delays: Iterable[KnownDelay],
) -> tuple[Explanation, ...]:
    """What may be behind a burst, the widest first; empty where nothing known touches half of them.

    Args:
        complaining: Who complains, and when.
        explained_by: Triggers that may be behind its topic, see `Taxonomy.explained_by`.
        regions: Of customers.
        disruptions: As they are known.
        delays: Likewise.
    """
    who = set(complaining.customer_ids)
    found: list[Explanation] = []
    if Trigger.SERVICE_DISRUPTION in explained_by:
        for one in disruptions:
            if _goes_on(one, complaining):
                touched = sum(regions.get(customer) == one.region for customer in who)
                found.append(
                    Explanation(Trigger.SERVICE_DISRUPTION, one.disruption_id, touched, len(who))
                )
    if Trigger.DELIVERY_DELAY in explained_by:
        late = [one for one in delays if one.customer_id in who and _is_late(one, complaining)]
        touched = len({delay.customer_id for delay in late})
        orders = len({delay.order_id for delay in late})
        found.append(
            Explanation(Trigger.DELIVERY_DELAY, f"{orders} late orders", touched, len(who))
        )
    enough = [one for one in found if one.n_touched >= LEAST_SHARE * one.n_customers]
    return tuple(sorted(enough, key=lambda one: (-one.n_touched, one.subject)))


def _goes_on(disruption: KnownDisruption, seen: Complaining) -> bool:
    return _overlaps(seen, begins_at_us=disruption.starts_at_us, ends_at_us=disruption.ends_at_us)


def _is_late(delay: KnownDelay, seen: Complaining) -> bool:
    return _overlaps(seen, begins_at_us=delay.began_at_us, ends_at_us=delay.ended_at_us)


def _overlaps(seen: Complaining, *, begins_at_us: int, ends_at_us: int | None) -> bool:
    """Whether it had begun by the last moment and had not ended before the first complaint."""
    has_ended = ends_at_us is not None and ends_at_us <= seen.since_us
    return begins_at_us <= seen.until_us and not has_ended
