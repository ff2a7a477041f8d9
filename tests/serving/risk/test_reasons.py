import json

import numpy as np
import pytest

from features.churn import CHURN_FEATURES
from features.churn.factors import FACTORS, default_factors
from features.vocabulary import Factor
from serving.policy.cases import Floats
from serving.risk.reasons import N_REASONS, Grounds, find_features, find_grounds
from training.registry.servable import ChurnModel

NAMES = CHURN_FEATURES.names


def customer(people: Floats, **features: float) -> Floats:
    """A customer of mean tenure and median silence, but for these features."""
    median = float(np.median(people[:, NAMES.index("days_since_last_login")]))
    X = np.full((1, len(NAMES)), np.nan)
    for name, value in {"days_since_last_login": median, "tenure_days": 250.0, **features}.items():
        X[0, NAMES.index(name)] = value
    return X


def factors_of(model: ChurnModel, X: Floats) -> list[Factor]:
    grounds = find_grounds(model, X, factors=default_factors())
    return [factor for factor, _ in grounds.strongest(0)]


def test_reasons_find_what_made_the_customer_risky(people: Floats, model: ChurnModel) -> None:
    silent = customer(people, days_since_last_login=45.0)
    waiting = customer(people, oldest_open_ticket_days=20.0, days_since_last_login=1.0)
    both = customer(people, days_since_last_login=28.0, oldest_open_ticket_days=20.0)

    assert factors_of(model, silent) == [Factor.LOW_USAGE]
    assert factors_of(model, waiting)[0] is Factor.SUPPORT_ISSUES
    assert set(factors_of(model, both)) == {Factor.LOW_USAGE, Factor.SUPPORT_ISSUES}


def test_there_are_no_reasons_for_who_is_no_riskier_than_others(
    people: Floats, model: ChurnModel
) -> None:
    grounds = find_grounds(model, people, factors=default_factors())
    reference = np.asarray(model.reference.contributions)
    safe = (model.contributions(people) - reference).sum(axis=1) <= 0

    assert 0.2 < safe.mean() < 0.9
    assert (safe == ~model.is_riskier(people)).all()
    assert (grounds.shares[safe] == 0).all()
    assert grounds.strongest(int(np.flatnonzero(safe)[0])) == []
    assert factors_of(model, customer(people, days_since_last_login=0.5)) == []


def test_a_neutral_feature_is_never_a_reason_but_takes_its_share(
    people: Floats, model: ChurnModel
) -> None:
    """A new customer is risky for being new: nothing that one could talk about."""
    new = customer(people, tenure_days=20.0, days_since_last_login=14.0)
    grounds = find_grounds(model, new, factors=default_factors())

    assert model.predict(new)[0] > model.predict(customer(people))[0] + 0.1
    assert grounds.shares.sum() < 0.6
    assert {factor for factor, _ in grounds.strongest(0)} <= {Factor.LOW_USAGE}


def test_shares_are_shares_of_what_speaks_for_leaving(people: Floats, model: ChurnModel) -> None:
    grounds = find_grounds(model, people, factors=default_factors())
    total = grounds.shares.sum(axis=1)

    assert ((grounds.shares >= 0) & (grounds.shares <= 1)).all()
    assert (total <= 1 + 1e-9).all()
    assert total.max() > 0.9
    competitor = FACTORS.index(Factor.COMPETITOR_EVALUATION)
    assert (grounds.shares[:, competitor] == 0).all()


def test_grounds_of_many_are_those_of_each(people: Floats, model: ChurnModel) -> None:
    many = find_grounds(model, people[:50], factors=default_factors())

    for n in range(50):
        one = find_grounds(model, people[[n]], factors=default_factors())
        assert one.excess[0] == pytest.approx(many.excess[n], abs=1e-12)
        assert one.strongest(0) == many.strongest(n)


def test_the_reference_is_what_customers_have_on_average(people: Floats, model: ChurnModel) -> None:
    every_third = people[::3]  # make_reference takes 1,000 of 3,000 rows
    mean = model.contributions(every_third).mean(axis=0)

    assert mean == pytest.approx(np.asarray(model.reference.contributions), abs=1e-9)
    medians = np.array(model.reference.medians, dtype=np.float64)  # None becomes NaN
    known = [NAMES.index(name) for name in ("days_since_last_login", "nps", "tenure_days")]
    assert medians[known] == pytest.approx(np.nanmedian(people[:, known], axis=0))
    assert np.isnan(medians[NAMES.index("orders_30d")])
    assert model.is_riskier(people).mean() == pytest.approx(0.5, abs=0.2)
    again = ChurnModel.from_json(json.loads(json.dumps(model.to_json())))
    assert again.reference.contributions == model.reference.contributions
    assert again.reference.margin == model.reference.margin


def test_strongest_comes_first_and_noise_is_left_out() -> None:
    shares = np.array([[0.04, 0.2, 0.3, 0.0, 0.15, 0.25, 0.06]])
    grounds = Grounds(np.zeros((1, len(NAMES))), shares)

    found = grounds.strongest(0)

    assert [share for _, share in found] == [0.3, 0.25, 0.2]
    assert len(found) == N_REASONS
    assert Grounds(np.zeros((1, 1)), np.array([[0.04] + [0.0] * 6])).strongest(0) == []


def test_find_features_names_only_what_speaks_for_leaving() -> None:
    names = ("tickets_30d", "escalations_90d", "nps", "tickets_open")
    excess = np.array([0.2, -0.5, 9.0, 0.4])

    found = find_features(
        Factor.SUPPORT_ISSUES, excess, names=names, factors=default_factors(), most=2
    )

    assert [names[n] for n in found] == ["tickets_open", "tickets_30d"]
