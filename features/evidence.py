"""What a trigger knows about its own case: the facts that copy may name and records keep.

Evidence travels as JSON scalars: dates as `YYYY-MM-DD`, moments as ISO 8601 with offset, money as
integer cents. Facts that are not listed are refused, so that nothing unforeseen reaches a text.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from types import MappingProxyType

from features.vocabulary import Trigger

Scalar = str | int | float
Evidence = Mapping[str, Scalar]


class FactKind(StrEnum):
    """What a fact holds, and so how it is written in a text."""

    TEXT = "text"
    COUNT = "count"
    CENTS = "cents"
    PERCENT = "percent"  # 0..100
    DATE = "date"
    MOMENT = "moment"


@dataclass(frozen=True)
class Fact:
    """One fact of a trigger's evidence.

    Attributes:
        name: Name in the evidence and of the slot in a text.
        kind: What it holds.
        optional: It may be missing where others are there; a text that names it is then not used.
    """

    name: str
    kind: FactKind
    optional: bool = False


FACTS: Mapping[Trigger, tuple[Fact, ...]] = MappingProxyType(
    {
        Trigger.DELIVERY_DELAY: (
            Fact("order_id", FactKind.TEXT),
            Fact("promised_on", FactKind.DATE),
            Fact(
                "estimated_on", FactKind.DATE, optional=True
            ),  # nobody's who is only expected late
            Fact("delay_days", FactKind.COUNT, optional=True),
            Fact("urgency", FactKind.TEXT),
            Fact("late_percent", FactKind.PERCENT, optional=True),  # chance that it will be late
            Fact("expected_on", FactKind.DATE, optional=True),  # as a model expects, not promised
        ),
        Trigger.PAYMENT_FAILURE_RISK: (
            Fact("card_expires_on", FactKind.DATE),
            Fact("plan", FactKind.TEXT),
        ),
        Trigger.SERVICE_DISRUPTION: (
            Fact("service", FactKind.TEXT),
            Fact("region", FactKind.TEXT),
            Fact("started_at", FactKind.MOMENT),
        ),
        Trigger.SUBSCRIPTION_LIMIT: (
            Fact("used", FactKind.COUNT),
            Fact("plan_limit", FactKind.COUNT),
            Fact("used_percent", FactKind.PERCENT),
        ),
        Trigger.ACCOUNT_ANOMALY: (
            Fact("location", FactKind.TEXT, optional=True),
            Fact("login_at", FactKind.MOMENT),
            Fact("signs", FactKind.TEXT, optional=True),  # of "new place, odd hour, fast travel"
            Fact("n_places", FactKind.COUNT, optional=True),  # places of earlier logins
            Fact("login_hour", FactKind.COUNT, optional=True),  # of the customer's own clock, 0..23
            Fact("usual_hour", FactKind.COUNT, optional=True),  # in which they log in most
            Fact("n_logins", FactKind.COUNT, optional=True),  # earlier ones that were looked at
            Fact("n_logins_near", FactKind.COUNT, optional=True),  # of them, about this hour
            Fact("travel_km", FactKind.COUNT, optional=True),  # from the login before
            Fact("travel_minutes", FactKind.COUNT, optional=True),
        ),
        Trigger.ORDER_SHIPPED: (
            Fact("order_id", FactKind.TEXT),
            Fact("tracking_id", FactKind.TEXT),
            Fact("estimated_on", FactKind.DATE),
        ),
        Trigger.INCIDENT_UPDATE: (
            Fact("incident", FactKind.TEXT),
            Fact("update", FactKind.TEXT),
        ),
        Trigger.ABANDONED_CART: (
            Fact("item", FactKind.TEXT),
            Fact("n_items", FactKind.COUNT),
        ),
        Trigger.BROWSE_ABANDONMENT: (Fact("item", FactKind.TEXT),),
        Trigger.PRICE_DROP: (
            Fact("item", FactKind.TEXT),
            Fact("old_price_cents", FactKind.CENTS),
            Fact("new_price_cents", FactKind.CENTS),
        ),
        Trigger.INACTIVITY: (Fact("days_inactive", FactKind.COUNT),),
        Trigger.CHURN_RISK: (),
    }
)
"""Facts by trigger. A request may leave them out: copy then uses a text that needs none."""


def find_evidence_faults(trigger: Trigger, evidence: Evidence) -> list[str]:
    """Everything wrong with the evidence, in words; empty when it can be used.

    Evidence is either absent as a whole (an empty mapping) or complete but for optional facts.

    >>> find_evidence_faults(Trigger.INACTIVITY, {"days_inactive": 9})
    []
    >>> find_evidence_faults(Trigger.INACTIVITY, {"days": 9})
    ['days: inactivity knows no such fact, only days_inactive', 'days_inactive: missing']
    """
    if not evidence:
        return []
    facts = {fact.name: fact for fact in FACTS[trigger]}
    known = ", ".join(facts) or "none"
    faults = [
        f"{name}: {trigger} knows no such fact, only {known}"
        for name in evidence
        if name not in facts
    ]
    for name, fact in facts.items():
        if name not in evidence:
            if not fact.optional:
                faults.append(f"{name}: missing")
        elif not _fits(evidence[name], fact.kind):
            faults.append(f"{name}: {evidence[name]!r} is not a {fact.kind}")
    return faults


def _fits(value: Scalar, kind: FactKind) -> bool:
    if kind is FactKind.TEXT:
        return isinstance(value, str) and bool(value.strip())
    if kind in (FactKind.COUNT, FactKind.CENTS):
        return isinstance(value, int) and not isinstance(value, bool) and value >= 0
    if kind is FactKind.PERCENT:
        return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0
    return isinstance(value, str) and _is_time(value, kind)


def _is_time(value: str, kind: FactKind) -> bool:
    try:
        if kind is FactKind.DATE:
            return date.fromisoformat(value).isoformat() == value
        return datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False
