from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from features.churn import CHURN_FEATURES
from features.churn.risk import RiskRules, TierSource, default_rules
from features.tables import Tables
from features.vocabulary import Factor, Tier, Trigger
from serving.copy.settings import CopySettings
from serving.policy.cases import Floats
from serving.requests import churn_risk_requests
from serving.risk.answer import RiskDesk, load_playbooks
from serving.risk.records import ChurnAnswer, ChurnQuestion
from serving.snapshot.making import make_snapshot
from serving.snapshot.state import Models, Snapshot
from training.bandit.files import new_bandit
from training.registry.servable import Calibration, ChurnModel

NAMES = CHURN_FEATURES.names
DESK = RiskDesk(default_rules(), CopySettings())
BY_SCORE = default_rules().model_copy(update={"tier_from": TierSource.RISK_SCORE})


def ask(snapshot: Snapshot, customer_id: str, *, language: str = "en") -> ChurnAnswer:
    return DESK.explain(ChurnQuestion(customer_id=customer_id, language=language), snapshot)


def with_customer(company: Snapshot, model: ChurnModel, **features: float) -> Snapshot:
    """The company, its first customer having these features and no others."""
    customers = company.customers
    X = customers.churn.copy()
    X[0] = np.nan
    for name, value in features.items():
        X[0, NAMES.index(name)] = value
    p_churn = customers.p_churn.copy()
    p_churn[0] = model.predict(X[:1])[0]
    return replace(company, customers=replace(customers, churn=X, p_churn=p_churn))


def test_load_playbooks_has_the_designs_tiers() -> None:
    interventions = {tier: playbook.intervention for tier, playbook in load_playbooks().items()}

    assert interventions == {
        Tier.CRITICAL: "executive_outreach",
        Tier.HIGH: "csm_intensive",
        Tier.MEDIUM: "automated_nurture",
        Tier.LOW: "monitoring",
    }


def test_an_answer_holds_both_scores_and_the_rules_between_them(
    company: Snapshot, model: ChurnModel
) -> None:
    silent = with_customer(company, model, days_since_last_login=31.0, tenure_days=250.0)
    answer = ask(silent, "c000")

    assert answer.p_churn == silent.customers.p_churn[0]
    assert answer.risk_score == pytest.approx(min(1.0, 1.5 * silent.customers.p_churn[0]))
    assert [(rule.name, rule.factor) for rule in answer.rules] == [("last_login_long_ago", 1.5)]
    assert answer.tier_from is TierSource.P_CHURN
    assert answer.playbook == load_playbooks()[answer.tier or Tier.LOW]


def test_reasons_are_told_in_words_with_the_numbers_seen(
    company: Snapshot, model: ChurnModel
) -> None:
    silent = with_customer(
        company,
        model,
        days_since_last_login=28.0,
        oldest_open_ticket_days=20.0,
        tenure_days=250.0,
        nps=9.0,
    )
    answers = {code: ask(silent, "c000", language=code) for code in ("en", "ru", "kk")}

    first = answers["en"].reasons[0]
    told = {reason.factor: reason.words for reason in answers["en"].reasons}
    assert set(told) == {Factor.LOW_USAGE, Factor.SUPPORT_ISSUES}
    median = model.reference.medians[NAMES.index("days_since_last_login")]
    assert (
        told[Factor.LOW_USAGE] == f"Low usage: days since the last login 28 (usually {median:.1f})"
    )
    assert told[Factor.SUPPORT_ISSUES].startswith(
        "Trouble with support: days the oldest ticket has been open 20 (usually"
    )
    assert [r.share for r in answers["en"].reasons] == sorted(
        (r.share for r in answers["en"].reasons), reverse=True
    )
    assert first.evidence[0].contribution > 0
    assert "дней с последнего входа 28 (обычно" in " ".join(r.words for r in answers["ru"].reasons)
    assert "өткен күн 28 (әдетте" in " ".join(r.words for r in answers["kk"].reasons)
    assert (
        len(
            {
                str(a.model_dump(exclude={"reasons", "signals", "rules", "language"}))
                for a in answers.values()
            }
        )
        == 1
    )
    assert all(answer.language == asked for asked, answer in answers.items())
    assert ask(silent, "c000", language="fr").language == "en"


def test_an_answer_has_every_horizon_and_never_falls_with_it(
    company: Snapshot, model: ChurnModel
) -> None:
    """The booster of 60 days says too little here: it is raised to that of 30."""
    booster = model.boosters[30]
    lower, higher = (replace(booster, calibration=Calibration(1.0, x)) for x in (-1.0, 1.0))
    both = replace(model, boosters={30: booster, 60: lower, 90: higher})
    answer = ask(replace(company, models=Models(churn=both)), "c001")

    assert list(answer.p_by_days) == [30, 60, 90]
    assert answer.p_by_days[30] == answer.p_by_days[60] == answer.p_churn
    assert answer.p_by_days[90] > answer.p_by_days[30]


def test_signals_stand_beside_the_reasons_of_the_model(
    company: Snapshot, model: ChurnModel
) -> None:
    """The model does not know of falling use here: the signal shows it all the same."""
    falling = with_customer(
        company,
        model,
        days_since_last_login=0.5,
        tenure_days=250.0,
        feature_use_trend=0.4,
        feature_use_60d_before=40.0,
    )
    answer = ask(falling, "c000")

    assert answer.reasons == ()
    (signal,) = answer.signals
    assert (signal.name, signal.factor) == (
        "feature_use_fell_by_30_percent",
        Factor.DECLINING_USAGE,
    )
    assert (signal.feature, signal.value) == ("feature_use_trend", 0.4)
    assert signal.words == "Feature usage fell by 30 % or more in 30 days"


def test_an_answer_never_makes_up_a_number(company: Snapshot, cold_snapshot: Snapshot) -> None:
    stranger, no_model, gone = (
        ask(company, "nobody"),
        ask(cold_snapshot, "c001"),
        ask(company, "c059"),
    )

    assert (stranger.known, stranger.reason, stranger.p_churn) == (False, "unknown_customer", None)
    assert (no_model.known, no_model.reason, no_model.p_churn) == (True, "no_churn_model", None)
    assert (gone.known, gone.reason, gone.risk_score) == (True, "already_gone", None)
    assert (gone.reasons, gone.signals, gone.tier) == ((), (), None)


def test_who_is_gone_has_no_number(
    tables: Tables, model: ChurnModel, cold_snapshot: Snapshot
) -> None:
    """c001 did nothing for 91 days: the model has never seen such a customer."""
    activity, orders = tables["activity"], tables["orders"]
    long_ago = cold_snapshot.as_of - timedelta(days=91)
    quiet = {
        **tables,
        "activity": activity[(activity["customer_id"] != "c001") | (activity["at"] < long_ago)],
        "orders": orders[orders["customer_id"] != "c001"],
    }
    made = make_snapshot(
        quiet, as_of=cold_snapshot.as_of, models=Models(churn=model), bandit=new_bandit()
    )

    assert ask(made, "c001").reason == "already_gone"
    assert ask(made, "c002").p_churn is not None
    requests = churn_risk_requests(made, rules=default_rules())
    assert "c001" not in {request.customer_id for request in requests}


@pytest.mark.parametrize("rules", [default_rules(), BY_SCORE])
def test_requests_ask_about_high_tiers_only(
    rules: RiskRules, company: Snapshot, cold_snapshot: Snapshot
) -> None:
    requests = churn_risk_requests(company, rules=rules)
    customers = company.customers
    risk = rules.assess(customers.p_churn, features=customers.churn, names=NAMES)
    ids = customers.profile["customer_id"]

    assert {r.customer_id for r in requests} == set(ids[np.nan_to_num(risk.deciding) > 0.6])
    assert 0 < len(requests) < len(ids)
    assert {r.trigger for r in requests} == {Trigger.CHURN_RISK}
    assert churn_risk_requests(cold_snapshot, rules=rules) == []


def test_requests_follow_the_score_that_the_rules_name(
    company: Snapshot, people: Floats, model: ChurnModel
) -> None:
    """Somebody in between: at risk by the score, not by the probability."""
    p = model.predict(people)
    silent = people[:, NAMES.index("days_since_last_login")] > 30
    between = np.flatnonzero(silent & (p > 0.41) & (p <= 0.6))
    assert len(between)
    customers = company.customers
    X, p_churn = customers.churn.copy(), customers.p_churn.copy()
    X[0], p_churn[0] = people[between[0]], p[between[0]]
    snapshot = replace(company, customers=replace(customers, churn=X, p_churn=p_churn))

    asked = {
        rules.tier_from: {r.customer_id for r in churn_risk_requests(snapshot, rules=rules)}
        for rules in (default_rules(), BY_SCORE)
    }

    assert "c000" not in asked[TierSource.P_CHURN]
    assert "c000" in asked[TierSource.RISK_SCORE]
    assert asked[TierSource.P_CHURN] <= asked[TierSource.RISK_SCORE]
