"""Churn risk of one customer: score, tier, reasons in words, and what to do about it."""

from functools import cache
from pathlib import Path

import numpy as np
import yaml
from pydantic import TypeAdapter

from features.churn import CHURN_FEATURES
from features.vocabulary import Tier, tier_of
from serving.online.live import LiveCustomer
from serving.policy.cases import Floats, from_us
from serving.records import ChurnAnswer, ChurnReason, Playbook
from serving.snapshot.state import Snapshot
from training.registry.servable import BoosterModel

_N_REASONS = 5
_PLAYBOOKS = Path(__file__).with_name("playbooks.yaml")


@cache
def load_playbooks() -> dict[Tier, Playbook]:
    """The playbook of each tier.

    >>> load_playbooks()[Tier.HIGH].intervention
    'csm_intensive'
    """
    data = yaml.safe_load(_PLAYBOOKS.read_text(encoding="utf-8"))
    return TypeAdapter(dict[Tier, Playbook]).validate_python(data)


def explain_churn(
    snapshot: Snapshot, customer_id: str, *, live: LiveCustomer | None = None
) -> ChurnAnswer:
    """The customer's churn risk; says so when it cannot be known.

    Args:
        snapshot: What the server knows.
        customer_id: Whose risk.
        live: What the customer's state says; without one the snapshot is asked.
    """
    row = snapshot.customers.row_of.get(customer_id)
    model = snapshot.models.churn
    if row is None and live is None:
        return ChurnAnswer(customer_id=customer_id, known=False, reason="unknown_customer")
    if model is None:
        return ChurnAnswer(customer_id=customer_id, known=True, reason="no_churn_model")
    if live is not None:
        p_churn, features, as_of = live.p_churn, live.churn, from_us(live.as_of_us)
    else:
        customers = snapshot.customers
        p_churn, features = float(customers.p_churn[row]), customers.churn[row]
        as_of = snapshot.as_of
    if np.isnan(p_churn):
        return ChurnAnswer(customer_id=customer_id, known=True, reason="already_gone")
    tier = tier_of(p_churn)
    return ChurnAnswer(
        customer_id=customer_id,
        known=True,
        p_churn=p_churn,
        tier=tier,
        reasons=_explain(model, features),
        playbook=load_playbooks()[tier],
        model_version=model.version,
        features_as_of=as_of,
    )


def _explain(model: BoosterModel, features: Floats) -> tuple[ChurnReason, ...]:
    """The features that move the score most, up or down."""
    contributions = model.contributions(features[None, :])[0]
    declared = {feature.name: feature for feature in CHURN_FEATURES.features}
    strongest = np.argsort(-np.abs(contributions), kind="stable")[:_N_REASONS]
    return tuple(
        ChurnReason(
            feature=model.signature.names[i],
            value=None if np.isnan(features[i]) else float(features[i]),
            unit=declared[model.signature.names[i]].unit,
            contribution=float(contributions[i]),
            description=declared[model.signature.names[i]].description,
        )
        for i in strongest
    )
