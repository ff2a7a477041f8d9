"""What a rehearsed policy knows in the morning: of those it decides about, and no more.

Features of a customer without a case are never looked at, and a policy without models looks at no
features at all; so only the customers with cases are in the snapshot, and only their rows are read.
Everybody is looked at on the days on which churn is scored.
"""

from collections.abc import Collection
from datetime import datetime, timedelta

import pandas as pd

from features.churn import CHURN_FEATURES, eligible_customers
from features.churn.risk import RiskRules
from features.declared.hours import PRESENCE
from features.engagement import ENGAGEMENT_FEATURES
from features.point_in_time import build_features, make_spine
from features.tables import Tables, rows_about
from features.vocabulary import Tier
from serving.snapshot.making import CONTACT_DAYS, make_snapshot
from serving.snapshot.state import Models, Snapshot
from training.bandit.policy import VariantPolicy
from training.registry.servable import ChurnModel

_SCORED = CHURN_FEATURES.tables | ENGAGEMENT_FEATURES.tables | PRESENCE.tables
"""Tables that scores are made of."""


def snapshot_of_some(
    tables: Tables,
    customer_ids: Collection[str],
    *,
    as_of: datetime,
    models: Models,
    bandit: VariantPolicy,
) -> Snapshot:
    """The engine's own snapshot of these customers only."""
    if models.can_score:
        wanted = rows_about({n: t for n, t in tables.items() if n in _SCORED}, customer_ids)
    else:
        seen = {"customers": tables["customers"], **_recent_messages(tables, as_of=as_of)}
        wanted = rows_about(seen, customer_ids)
    return make_snapshot(wanted, as_of=as_of, models=models, bandit=bandit)


def find_tiers(
    tables: Tables, *, as_of: datetime, model: ChurnModel, rules: RiskRules
) -> dict[str, Tier | None]:
    """Churn tier of every customer who can be lost."""
    ids = eligible_customers(tables, as_of=as_of)
    features = build_features(tables, make_spine(ids, as_of=as_of), features=CHURN_FEATURES)
    numbers = features[list(CHURN_FEATURES.names)].to_numpy(dtype="float64")
    risk = rules.assess(model.predict(numbers), features=numbers, names=CHURN_FEATURES.names)
    return dict(zip(ids, risk.tiers, strict=True))


def _recent_messages(tables: Tables, *, as_of: datetime) -> dict[str, pd.DataFrame]:
    """Messages that a guard can still count, and what came of them."""
    if "messages" not in tables:
        return {}
    messages = tables["messages"]
    since = as_of - timedelta(days=CONTACT_DAYS)
    recent = {"messages": messages[messages["sent_at"] >= since]}
    if "outcomes" in tables:
        outcomes = tables["outcomes"]
        recent["outcomes"] = outcomes[outcomes["at"] >= since]
    return recent
