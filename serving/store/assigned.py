"""Into which arms customers came, as the decisions have it."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, func, select

from features.vocabulary import Arm, Trigger
from serving.policy.cases import DAY_US
from serving.store.schema import decisions

_FIRST = (
    select(
        decisions.c.customer_id,
        func.min(decisions.c.decided_at_us).label("at_us"),
        func.min(decisions.c.arm).label("arm"),
        func.count(decisions.c.arm.distinct()).label("n_arms"),
    )
    .where(decisions.c.experiment == bindparam("experiment"))
    .where(decisions.c.decided_at_us < bindparam("until_us"))
    .where(decisions.c.trigger.not_in(bindparam("critical", expanding=True)))
    .group_by(decisions.c.customer_id)
)


@dataclass(frozen=True)
class Assigned:
    """Customers of an experiment.

    Attributes:
        days: New customers by arm, day by day in the order of time.
        n_moved: Customers whose decisions bear more than one arm; they count in none.
    """

    days: tuple[dict[Arm, int], ...]
    n_moved: int


def count_assigned(
    connection: Connection, experiment: str, *, critical: Sequence[Trigger], until_us: int
) -> Assigned:
    """Customers by the day and arm of their first decision before a moment.

    Args:
        connection: An open transaction.
        experiment: Name under which the arms were assigned.
        critical: Triggers that do not count, since nobody is held out from them.
        until_us: First moment that is not looked at.
    """
    asked = {
        "experiment": experiment,
        "until_us": until_us,
        "critical": [trigger.value for trigger in critical],
    }
    days: dict[int, dict[Arm, int]] = {}
    n_moved = 0
    for _, at_us, arm, n_arms in connection.execute(_FIRST, asked):
        if n_arms > 1:
            n_moved += 1
            continue
        day = days.setdefault(at_us // DAY_US, {})
        day[Arm(arm)] = day.get(Arm(arm), 0) + 1
    return Assigned(tuple(days[day] for day in sorted(days)), n_moved)
