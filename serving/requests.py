"""From what was found in the tables to requests: the cases of a day."""

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime

import pandas as pd

from features.churn import CHURN_FEATURES
from features.churn.risk import RiskRules
from features.vocabulary import Tier, Trigger
from serving.records import DecisionRequest
from serving.snapshot.state import Snapshot

_AT_RISK = frozenset({Tier.HIGH, Tier.CRITICAL})
_MAX_KEY = 200


def requests_of(
    triggers: pd.DataFrame, *, as_of: datetime, prices: pd.DataFrame | None = None
) -> list[DecisionRequest]:
    """A request for each case found; one problem has one key, so it is decided once a day.

    What begins at the very moment of the decisions has not begun yet, and is asked about the next
    time: a message counts as having told all that began before it, and would be about nothing.

    Args:
        triggers: A frame that `features.triggers.CASES` accepts.
        as_of: Moment of the decisions.
        prices: The table of that name: the price known at the moment of the item that a case is
            about is its amount. None: the amounts are unknown.
    """
    price_of = {} if prices is None else _find_prices(prices, as_of=as_of)
    triggers = triggers[~(triggers["began_at"] >= as_of)]
    return [
        DecisionRequest(
            customer_id=customer_id,
            trigger=trigger,
            evidence=(facts := json.loads(evidence)),
            idempotency_key=f"{key}/{as_of.isoformat()}",
            decided_at=as_of,
            began_at=_moment(began_at),
            expires_at=_moment(expires_at),
            amount_cents=price_of.get(facts.get("item")),
        )
        for customer_id, trigger, key, evidence, began_at, expires_at in zip(
            triggers["customer_id"],
            triggers["trigger"],
            triggers["key"],
            triggers["evidence"],
            triggers["began_at"],
            triggers["expires_at"],
            strict=True,
        )
    ]


def _find_prices(prices: pd.DataFrame, *, as_of: datetime) -> dict[str, int]:
    """The last price of each item known before the moment."""
    known = prices[prices["at"] < as_of].sort_values("at", kind="stable")
    latest = known.drop_duplicates("item", keep="last")
    return dict(
        zip(latest["item"].tolist(), latest["price_cents"].astype(int).tolist(), strict=True)
    )


def _moment(at: pd.Timestamp) -> datetime | None:
    return None if pd.isna(at) else at.to_pydatetime()


def _write_key(customer_id: str, about: str) -> str:
    """A key of the customer's own; a digest stands for an id that is too long for it."""
    key = f"{customer_id}/{about}"
    if len(key) <= _MAX_KEY:
        return key
    return f"{hashlib.blake2b(customer_id.encode(), digest_size=16).hexdigest()}/{about}"


def churn_risk_requests(snapshot: Snapshot, *, rules: RiskRules) -> list[DecisionRequest]:
    """A request for each customer whose churn tier is high or critical; none without a model."""
    customers = snapshot.customers
    risk = rules.assess(customers.p_churn, features=customers.churn, names=CHURN_FEATURES.names)
    ids = customers.profile["customer_id"].tolist()
    return at_risk_requests(ids, risk.tiers, as_of=snapshot.as_of)


def at_risk_requests(
    customer_ids: Sequence[str], tiers: Sequence[str | None], *, as_of: datetime
) -> list[DecisionRequest]:
    """A request for each of these customers whose churn tier is high or critical.

    Args:
        customer_ids: Whose tiers these are.
        tiers: Of each; None where there is no score.
        as_of: Moment of the scores.
    """
    about = f"{Trigger.CHURN_RISK}/{as_of.isoformat()}"
    return [
        DecisionRequest(
            customer_id=customer_id,
            trigger=Trigger.CHURN_RISK,
            idempotency_key=_write_key(customer_id, about),
            decided_at=as_of,
        )
        for customer_id, tier in zip(customer_ids, tiers, strict=True)
        if tier in _AT_RISK
    ]
