from datetime import timedelta

import numpy as np
import pytest

from features.tables import Tables
from features.vocabulary import Tier, Trigger
from serving.requests import churn_risk_requests
from serving.risk import explain_churn, load_playbooks
from serving.snapshot.making import make_snapshot
from serving.snapshot.state import Models, Snapshot
from training.bandit.state import BanditState


def test_load_playbooks_has_the_designs_tiers() -> None:
    interventions = {tier: playbook.intervention for tier, playbook in load_playbooks().items()}

    assert interventions == {
        Tier.CRITICAL: "executive_outreach",
        Tier.HIGH: "csm_intensive",
        Tier.MEDIUM: "automated_nurture",
        Tier.LOW: "monitoring",
    }


def test_explain_churn_gives_the_strongest_reasons_first(snapshot: Snapshot) -> None:
    answer = explain_churn(snapshot, "c001")
    model = snapshot.models.churn
    assert model is not None
    contributions = model.contributions(snapshot.customers.churn[[1]])[0]

    assert answer.p_churn == pytest.approx(snapshot.customers.p_churn[1])
    sizes = [abs(reason.contribution) for reason in answer.reasons]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] == pytest.approx(np.abs(contributions).max())
    assert all(reason.description for reason in answer.reasons)


def test_explain_churn_never_makes_up_a_number(snapshot: Snapshot, cold_snapshot: Snapshot) -> None:
    stranger = explain_churn(snapshot, "nobody")
    no_model = explain_churn(cold_snapshot, "c001")

    assert (stranger.known, stranger.reason, stranger.p_churn) == (False, "unknown_customer", None)
    assert (no_model.known, no_model.reason, no_model.p_churn) == (True, "no_churn_model", None)


def test_churn_risk_requests_ask_about_high_tiers_only(
    snapshot: Snapshot, cold_snapshot: Snapshot
) -> None:
    asked = {request.customer_id for request in churn_risk_requests(snapshot)}
    p = dict(
        zip(snapshot.customers.profile["customer_id"], snapshot.customers.p_churn, strict=True)
    )

    assert asked == {customer for customer, score in p.items() if score > 0.6}
    assert 0 < len(asked) < len(p)
    assert {r.trigger for r in churn_risk_requests(snapshot)} == {Trigger.CHURN_RISK}
    assert churn_risk_requests(cold_snapshot) == []


def test_explain_churn_has_no_number_for_who_is_gone(
    tables: Tables, models: Models, snapshot: Snapshot
) -> None:
    """c001 did nothing for 91 days: the model has never seen such a customer."""
    activity, orders = tables["activity"], tables["orders"]
    long_ago = snapshot.as_of - timedelta(days=91)
    quiet = {
        **tables,
        "activity": activity[(activity["customer_id"] != "c001") | (activity["at"] < long_ago)],
        "orders": orders[orders["customer_id"] != "c001"],
    }
    made = make_snapshot(quiet, as_of=snapshot.as_of, models=models, bandit=BanditState())

    gone, stayed = explain_churn(made, "c001"), explain_churn(made, "c002")

    assert (gone.known, gone.reason, gone.p_churn) == (True, "already_gone", None)
    assert stayed.p_churn is not None
    assert "c001" not in {request.customer_id for request in churn_risk_requests(made)}
