"""What a trigger is: a condition over the tables at a moment, as SQL and a few facts about it.

The SQL of a rule reads the tables as they were known at the moment (`open_known_facts`: times are
UTC microseconds, a row became known at `t`) and two relations made of them: `purchases`
(customer_id, t; purchases of `activity`, and `orders`) and `subscription_now` (the latest row per
customer). It selects

- customer_id,
- subject: what the problem is about, text; null where the day on which it began tells it apart,
- urgency: text or null,
- began_at: when the problem began; a message of this trigger from then on has told it,
- preference: which case to keep where one customer may have only one; the largest wins,
- every fact of the trigger's evidence by its name; dates and moments in microseconds.
"""

from collections.abc import Callable
from dataclasses import dataclass

from features.point_in_time.spine import MICROS_PER_DAY
from features.triggers.settings import TriggerSettings
from features.vocabulary import Trigger

SqlOfRule = Callable[[int, TriggerSettings], str]
"""From the moment in UTC microseconds and the thresholds to the text."""

NONE = "CAST(NULL AS VARCHAR)"


@dataclass(frozen=True)
class TriggerRule:
    """One trigger.

    Attributes:
        trigger: Its name.
        needs: Tables without which it is silent.
        sql: Its condition.
        one_per_customer: Keep one case per customer, by preference.
        whole_days: Facts that are days as they stand, not moments in the customer's time zone.
    """

    trigger: Trigger
    needs: tuple[str, ...]
    sql: SqlOfRule
    one_per_customer: bool = False
    whole_days: frozenset[str] = frozenset()


def micros(days: float) -> int:
    """Microseconds of that many days."""
    return round(days * MICROS_PER_DAY)
