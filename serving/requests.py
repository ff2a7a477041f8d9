"""From what was found in the tables to requests: the cases of a day."""

import json
from collections.abc import Sequence
from datetime import datetime

import numpy as np
import pandas as pd

from features.vocabulary import Tier, Trigger, tier_of
from serving.policy.cases import Floats
from serving.records import DecisionRequest
from serving.snapshot.state import Snapshot

_AT_RISK = frozenset({Tier.HIGH, Tier.CRITICAL})
_MAX_KEY = 200


def requests_of(triggers: pd.DataFrame, *, as_of: datetime) -> list[DecisionRequest]:
    """A request for each case found; one problem has one key, so it is decided once a day."""
    return [
        DecisionRequest(
            customer_id=customer_id,
            trigger=trigger,
            evidence=json.loads(evidence),
            idempotency_key=f"{key}/{as_of.isoformat()}",
            decided_at=as_of,
        )
        for customer_id, trigger, key, evidence in zip(
            triggers["customer_id"],
            triggers["trigger"],
            triggers["key"],
            triggers["evidence"],
            strict=True,
        )
    ]


def churn_risk_requests(snapshot: Snapshot) -> list[DecisionRequest]:
    """A request for each customer whose churn tier is high or critical; none without a model."""
    customers = snapshot.customers
    ids = customers.profile["customer_id"].tolist()
    return at_risk_requests(ids, customers.p_churn, as_of=snapshot.as_of)


def at_risk_requests(
    customer_ids: Sequence[str], p_churn: Floats, *, as_of: datetime
) -> list[DecisionRequest]:
    """A request for each of these customers whose churn tier is high or critical.

    Args:
        customer_ids: Whose scores these are.
        p_churn: Scores, (n,); NaN where there is none.
        as_of: Moment of the scores.
    """
    moment = as_of.isoformat()
    return [
        DecisionRequest(
            customer_id=customer_ids[row],
            trigger=Trigger.CHURN_RISK,
            idempotency_key=f"{customer_ids[row]}/{Trigger.CHURN_RISK}/{moment}"[:_MAX_KEY],
            decided_at=as_of,
        )
        for row in np.flatnonzero(~np.isnan(p_churn)).tolist()
        if tier_of(float(p_churn[row])) in _AT_RISK
    ]
