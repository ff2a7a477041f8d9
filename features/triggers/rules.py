"""What a trigger is: a condition over the tables at a moment, as SQL and a few facts about it.

The SQL of a rule runs unchanged on every engine. It reads the tables as they were known at the
moment (`open_known_facts`: times are UTC microseconds, `t` is a row's own moment) and the relations
of `write_shared`. It selects

- customer_id,
- subject: what the problem is about, text; null where the day on which it began tells it apart,
- urgency: text or null,
- began_at: when the problem began; a message of this trigger from then on has told it,
- expires_at: the last moment at which it may be told,
- preference: which case to keep where one customer may have only one; the largest wins,
- every fact of the trigger's evidence by its name; dates and moments in microseconds.
"""

from collections.abc import Callable
from dataclasses import dataclass

from features.point_in_time.spine import MICROS_PER_DAY
from features.triggers.settings import TriggerSettings
from features.vocabulary import Trigger, Urgency

SqlOfRule = Callable[[int, TriggerSettings], str]
"""From the moment in UTC microseconds and the thresholds to the text."""

NONE = "CAST(NULL AS STRING)"

READ = (
    *("customers", "activity", "orders", "shipments", "subscriptions", "usage"),
    *("prices", "disruptions", "messages"),
)
"""Tables that rules read."""

KEPT = frozenset({"recent_activity", "subscription_now"})
"""Relations of `write_shared` that are computed once: several rules read them."""


@dataclass(frozen=True)
class TriggerRule:
    """One trigger.

    Attributes:
        trigger: Its name.
        needs: Tables without which it is silent.
        sql: Its condition.
        one_per_customer: Keep one case per customer, by preference.
        told_by_subject: A message that says what it was about (`case_key`) tells of that subject
            only; else every message of the trigger tells of all that had begun.
        whole_days: Facts that are days as they stand, not moments in the customer's time zone.
    """

    trigger: Trigger
    needs: tuple[str, ...]
    sql: SqlOfRule
    one_per_customer: bool = False
    told_by_subject: bool = False
    whole_days: frozenset[str] = frozenset()


def micros(days: float) -> int:
    """Microseconds of that many days."""
    return round(days * MICROS_PER_DAY)


def write_shared(at: int, settings: TriggerSettings) -> dict[str, str]:
    """Relations made of the tables, by name, in the order in which they are made.

    `recent_activity` leaves out what no trigger can see any more, which is most of it; logins all
    stay, since a place is new where nobody was before. `purchases` (customer_id, t) go back as far.
    `subscription_now` has the latest subscription of each customer. Beside them, there are
    `predictions` (order_id, p_late, expected_at) and `clocks`, see `features.triggers.clocks`.

    Args:
        at: The moment, in UTC microseconds.
        settings: Thresholds.
    """
    reach_days = max(
        settings.cart_lookback_days,
        settings.view_lookback_days,
        settings.price_lookback_days + settings.viewed_before_days,
        settings.inactive_up_to_days,
    )
    return {
        "recent_activity": "SELECT customer_id, kind, item, location, latitude, longitude, t"
        f" FROM activity WHERE kind = 'login' OR t >= {at - micros(reach_days)}",
        "purchases": "SELECT customer_id, t FROM recent_activity WHERE kind = 'purchase'"
        " UNION ALL SELECT customer_id, t FROM orders",
        "subscription_now": "SELECT s.* FROM subscriptions s JOIN ("
        "SELECT customer_id, MAX(t) AS t FROM subscriptions GROUP BY customer_id"
        ") l ON l.customer_id = s.customer_id AND l.t = s.t",
    }


def end_of_day(moment: str) -> str:
    """SQL of the last microsecond of a moment's UTC day."""
    return f"({moment} - {moment} % {MICROS_PER_DAY} + {MICROS_PER_DAY - 1})"


def grade(*, significant: str, moderate: str) -> str:
    """SQL of an urgency from the conditions of its upper two grades."""
    return (
        f"CASE WHEN {significant} THEN '{Urgency.SIGNIFICANT}'"
        f" WHEN {moderate} THEN '{Urgency.MODERATE}' ELSE '{Urgency.MINOR}' END"
    )
