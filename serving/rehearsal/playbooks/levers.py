"""What the steps and offers that ship do in a world, and what people's time costs there."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from features.errors import ConfigurationError
from features.vocabulary import Factor
from serving.playbooks.settings import Playbooks
from training.world.acting.protocol import Lever

STEPS: Final[Mapping[str, Lever]] = MappingProxyType(
    {
        "executive_call": Lever.CALL,
        "success_review": Lever.CALL,
        "training_session": Lever.TRAINING,
        "webinar": Lever.TRAINING,
        "feature_discovery": Lever.TRAINING,
        "usage_coaching_call": Lever.TRAINING,
        "csm_outreach": Lever.SERVICE,
        "billing_call": Lever.CALL,
        "reactivation_call": Lever.CALL,
        "competitive_call": Lever.CALL,
        "roadmap_talk": Lever.PRODUCT,
        "relationship_call": Lever.CALL,
        "onboarding_session": Lever.TRAINING,
    }
)
"""Of tasks that the customer hears of; of the others nothing comes by itself."""

OFFERS: Final[Mapping[str, Lever]] = MappingProxyType(
    {
        "training_credit": Lever.TRAINING,
        "premium_trial": Lever.PRODUCT,
        "integration_setup": Lever.TRAINING,
        "discount_20": Lever.DISCOUNT,
        "right_sized_plan": Lever.DISCOUNT,
        "longer_terms": Lever.CALL,
        "roadmap_acceleration": Lever.PRODUCT,
        "custom_api_work": Lever.PRODUCT,
        "partnership": Lever.CALL,
    }
)

ANSWERS: Final[Mapping[Factor, Lever]] = MappingProxyType(
    {
        Factor.LOW_USAGE: Lever.TRAINING,
        Factor.DECLINING_USAGE: Lever.TRAINING,
        Factor.ONBOARDING: Lever.TRAINING,
        Factor.SUPPORT_ISSUES: Lever.SERVICE,
        Factor.BILLING_CONCERNS: Lever.DISCOUNT,
        Factor.COMPETITOR_EVALUATION: Lever.PRODUCT,
        Factor.RELATIONSHIP: Lever.CALL,
    }
)
"""Which lever answers a reason."""

TASK_CENTS: Final[Mapping[str, float]] = MappingProxyType(
    {
        "call": 100.0,
        "training": 100.0,
        "offer": 50.0,
        "audit": 50.0,
        "escalation": 50.0,
        "invitation": 10.0,
        "message": 10.0,
    }
)
"""People's time by kind of task, an assumption: ten minutes of a call at 6 dollars an hour."""


def require_levers(playbooks: Playbooks) -> Playbooks:
    """The playbooks; ConfigurationError names offers, steps and kinds that no world knows."""
    offers = sorted(set(playbooks.offers) - set(OFFERS))
    steps = sorted(
        name
        for name, item in playbooks.items.items()
        if item.do == "task" and item.contacts and name not in STEPS
    )
    kinds = {item.kind for item in playbooks.items.values() if item.do == "task"}
    unpriced = sorted(kinds - set(TASK_CENTS))
    faults = []
    if offers or steps:
        faults.append(f"no world knows what comes of {', '.join(offers + steps)}")
    if unpriced:
        faults.append(f"no world has a price of the tasks {', '.join(unpriced)}")
    if faults:
        told = "; ".join(faults)
        raise ConfigurationError(
            f"playbooks {playbooks.name}: {told}; only those that ship can be rehearsed"
        )
    return playbooks
