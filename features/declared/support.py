"""What customers complain of, and how satisfied they say they are."""

from typing import Final

from features.conditions import is_true, not_yet
from features.declarations import Aggregate, Derived, Feature, over_windows

_TICKETS = Feature(
    name="tickets",
    table="tickets",
    aggregate=Aggregate.COUNT,
    unit="tickets",
    description="Tickets opened.",
)

SUPPORT: Final[tuple[Feature | Derived, ...]] = (
    *over_windows(_TICKETS, days=(30, 90)),
    Feature(
        name="tickets_open",
        table="tickets",
        aggregate=Aggregate.COUNT,
        where=(not_yet("resolved_at"),),
        unit="tickets",
        description="Tickets not resolved yet.",
    ),
    Feature(
        name="oldest_open_ticket_days",
        table="tickets",
        aggregate=Aggregate.DAYS_SINCE_FIRST,
        where=(not_yet("resolved_at"),),
        unit="days",
        null_means="no open ticket",
        description="Age of the oldest ticket that is not resolved.",
    ),
    Feature(
        name="escalations_90d",
        table="tickets",
        aggregate=Aggregate.COUNT,
        where=(is_true("escalated"),),
        window_days=90,
        unit="tickets",
        description="Tickets that were escalated.",
    ),
    Feature(
        name="nps",
        table="surveys",
        aggregate=Aggregate.LAST,
        value="nps",
        unit="0 to 10",
        null_means="never answered",
        description="Last answer to whether one would recommend us.",
    ),
)
