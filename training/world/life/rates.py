"""How often things happen when nobody writes: the rates of shopping, of problems and of their ends.

Plain data, shared by the simulation, which draws from it, and the truth, which needs its means.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np

from features.vocabulary import Trigger
from training.world.clock import Floats
from training.world.codes import TRIGGERS


@dataclass(frozen=True)
class Course:
    """What comes of a case if nobody writes.

    Attributes:
        p_event: Chance of the call (service) or of buying all the same (marketing).
        hours: Mean hours from the onset until then.
        per_month: About how many cases a customer has in a month, for what a channel is worth.
    """

    p_event: float
    hours: float
    per_month: float


COURSES: Mapping[Trigger, Course] = MappingProxyType(
    {
        Trigger.DELIVERY_DELAY: Course(0.26, 30.0, 0.06),
        Trigger.PAYMENT_FAILURE_RISK: Course(0.22, 24.0, 0.03),
        Trigger.SERVICE_DISRUPTION: Course(0.14, 12.0, 0.7),
        Trigger.SUBSCRIPTION_LIMIT: Course(0.16, 72.0, 0.25),
        Trigger.ACCOUNT_ANOMALY: Course(0.25, 14.0, 0.04),
        Trigger.ORDER_SHIPPED: Course(0.12, 48.0, 0.65),
        Trigger.INCIDENT_UPDATE: Course(0.0, 8.0, 0.0),
        Trigger.ABANDONED_CART: Course(0.28, 30.0, 0.7),
        Trigger.BROWSE_ABANDONMENT: Course(0.05, 48.0, 2.0),
        Trigger.PRICE_DROP: Course(0.05, 40.0, 1.7),
        Trigger.INACTIVITY: Course(0.0, 1.0, 0.6),
        Trigger.CHURN_RISK: Course(0.0, 1.0, 0.0),
    }
)
P_EVENT = np.array([COURSES[t].p_event for t in TRIGGERS])
EVENT_RATE = np.array([1.0 / COURSES[t].hours for t in TRIGGERS])
CASES_PER_MONTH = np.array([COURSES[t].per_month for t in TRIGGERS])
MAX_P_EVENT: Final = 0.9

# Shares of: visits with a look at items, of these with a cart, of these bought at once.
P_SHOP: Final = 0.45
P_CART: Final = 0.35
P_BUY_AT_ONCE: Final = 0.45

P_SHIPPED: Final = 0.8  # of orders; the others are digital and have no tracking_id
P_OWN_RENEWAL: Final = 0.5  # of expiring cards, replaced before they expire without being asked

DELAY_DAYS = np.array([0.6, 1.3, 2.5, 4.5])
DELAY_SHARE = np.array([0.20, 0.35, 0.30, 0.15])
DELAY_P_CALL = np.array([0.0, 0.22, 0.34, 0.50])
"""Of late deliveries: how late, how often, and the share that calls; under a day is no case."""


def p_call(trigger: Trigger, *, calls: Floats) -> Floats:
    """Chance that customers of this readiness to call do so over the trigger's problem, (n,)."""
    return np.minimum(COURSES[trigger].p_event * calls, MAX_P_EVENT)
