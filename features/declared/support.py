"""What customers complain of, and how satisfied they say they are."""

from typing import Final

from features.conditions import is_true, not_yet, one_of
from features.declarations import Aggregate, Combination, Derived, Feature, over_windows
from features.vocabulary import Trigger

_TICKETS = Feature(
    name="tickets",
    table="tickets",
    aggregate=Aggregate.COUNT,
    unit="tickets",
    description="Tickets opened.",
)

_EVENT_TICKETS = Feature(
    name="event_tickets",
    table="tickets",
    aggregate=Aggregate.COUNT,
    where=(one_of("topic", *Trigger),),
    unit="tickets",
    description="Tickets about something that befell the customer (topic is one of our triggers).",
)


def _own(days: int) -> Derived:
    """Tickets that no event explains."""
    return Derived(
        name=f"own_tickets_{days}d",
        combination=Combination.DIFFERENCE,
        left=f"tickets_{days}d",
        right=f"event_tickets_{days}d",
        unit="tickets",
        null_means="",
        description="Tickets opened, less those about something that befell the customer.",
    )


_ESCALATIONS = Feature(
    name="escalations",
    table="tickets",
    aggregate=Aggregate.COUNT,
    where=(is_true("escalated"),),
    unit="tickets",
    description="Tickets that were escalated.",
)

SUPPORT: Final[tuple[Feature | Derived, ...]] = (
    *over_windows(_TICKETS, days=(30, 90)),
    *over_windows(_EVENT_TICKETS, days=(30, 90)),
    _own(30),
    _own(90),
    Feature(
        name="tickets_30d_before",
        table="tickets",
        aggregate=Aggregate.COUNT,
        window_days=30,
        ends_days_ago=30,
        unit="tickets",
        description="Tickets opened 60 to 30 days ago.",
    ),
    Derived(
        name="tickets_change",
        combination=Combination.DIFFERENCE,
        left="tickets_30d",
        right="tickets_30d_before",
        unit="tickets",
        null_means="",
        description="Tickets of the last 30 days, less those of the 30 before.",
    ),
    Feature(
        name="days_since_last_ticket",
        table="tickets",
        aggregate=Aggregate.DAYS_SINCE_LAST,
        unit="days",
        null_means="no ticket yet",
        description="Time since the last ticket was opened.",
    ),
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
    *over_windows(_ESCALATIONS, days=(30, 90)),
    Feature(
        name="days_since_last_escalation",
        table="tickets",
        aggregate=Aggregate.DAYS_SINCE_LAST,
        where=(is_true("escalated"),),
        unit="days",
        null_means="never escalated",
        description="Time since the last ticket was opened that was escalated.",
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
    Feature(
        name="nps_90d_ago",
        table="surveys",
        aggregate=Aggregate.LAST,
        value="nps",
        ends_days_ago=90,
        unit="0 to 10",
        null_means="not yet answered then",
        description="Last answer to whether one would recommend us, 90 days ago.",
    ),
    Derived(
        name="nps_change_90d",
        combination=Combination.DIFFERENCE,
        left="nps",
        right="nps_90d_ago",
        unit="0 to 10",
        null_means="not yet answered 90 days ago",
        description="Change of the answer within 90 days.",
    ),
    Feature(
        name="nps_mean_90d",
        table="surveys",
        aggregate=Aggregate.MEAN,
        value="nps",
        window_days=90,
        unit="0 to 10",
        null_means="no answer in the window",
        description="Mean answer to whether one would recommend us.",
    ),
    Feature(
        name="days_since_last_survey",
        table="surveys",
        aggregate=Aggregate.DAYS_SINCE_LAST,
        unit="days",
        null_means="never answered",
        description="Time since the last answer.",
    ),
)
