"""From what was found in the tables to requests: the cases of a day."""

import json
from datetime import datetime

import numpy as np
import pandas as pd

from features.vocabulary import Tier, Trigger, tier_of
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
            idempotency_key=f"{customer_id}/{trigger}/{subject}/{as_of.isoformat()}"[:_MAX_KEY],
            decided_at=as_of,
        )
        for customer_id, trigger, subject, evidence in zip(
            triggers["customer_id"],
            triggers["trigger"],
            triggers["subject"],
            triggers["evidence"],
            strict=True,
        )
    ]


def churn_risk_requests(snapshot: Snapshot) -> list[DecisionRequest]:
    """A request for each customer whose churn tier is high or critical; none without a model."""
    scores = snapshot.customers.p_churn
    ids = snapshot.customers.profile["customer_id"]
    moment = snapshot.as_of.isoformat()
    return [
        DecisionRequest(
            customer_id=ids.iloc[row],
            trigger=Trigger.CHURN_RISK,
            idempotency_key=f"{ids.iloc[row]}/{Trigger.CHURN_RISK}/{moment}"[:_MAX_KEY],
            decided_at=snapshot.as_of,
        )
        for row in np.flatnonzero(~np.isnan(scores)).tolist()
        if tier_of(float(scores[row])) in _AT_RISK
    ]
