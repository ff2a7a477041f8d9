"""A churn model whose truth is known: silence and old tickets make customers leave, and youth."""

from dataclasses import replace

import lightgbm
import numpy as np
import pytest

from features.churn import CHURN_FEATURES
from serving.policy.cases import Floats
from serving.snapshot.state import Models, Snapshot, signature_of
from training.registry.servable import BoosterModel, ChurnModel, make_reference

NAMES = CHURN_FEATURES.names
N_ROWS = 3_000


def position(name: str) -> int:
    """Column of a feature."""
    return NAMES.index(name)


@pytest.fixture(scope="session")
def people() -> Floats:
    """Features of many customers: three that matter, two that do not, all others null."""
    rng = np.random.default_rng(12)
    X = np.full((N_ROWS, len(NAMES)), np.nan)
    X[:, position("days_since_last_login")] = rng.exponential(10.0, N_ROWS)
    X[:, position("oldest_open_ticket_days")] = np.where(
        rng.random(N_ROWS) < 0.3, rng.exponential(8.0, N_ROWS), np.nan
    )
    X[:, position("tenure_days")] = rng.uniform(0.0, 500.0, N_ROWS)
    X[:, position("nps")] = rng.integers(0, 11, N_ROWS)
    X[:, position("mrr_cents")] = rng.integers(1, 9, N_ROWS) * 1000.0
    return X


@pytest.fixture(scope="session")
def model(people: Floats) -> ChurnModel:
    """A churn model of these customers."""
    rng = np.random.default_rng(13)
    logit = (
        0.08 * (people[:, position("days_since_last_login")] - 10.0)
        + 1.5 * (np.nan_to_num(people[:, position("oldest_open_ticket_days")]) > 7.0)
        + 1.5 * (people[:, position("tenure_days")] < 100.0)
        - 1.0
    )
    y = rng.random(N_ROWS) < 1 / (1 + np.exp(-logit))
    params = {"objective": "binary", "num_leaves": 7, "verbosity": -1, "num_threads": 1}
    trees = lightgbm.train(params, lightgbm.Dataset(people, y), num_boost_round=40)
    signature = signature_of(CHURN_FEATURES)
    booster = BoosterModel("churn", "1", signature, trees.model_to_string())
    return ChurnModel("1", signature, {30: booster}, make_reference(booster, people))


@pytest.fixture
def company(cold_snapshot: Snapshot, people: Floats, model: ChurnModel) -> Snapshot:
    """The customers of the small shop with these features and scores; the last one is gone."""
    features = people[: len(cold_snapshot.customers.churn)]
    p_churn = model.predict(features)
    p_churn[-1] = np.nan
    return replace(
        cold_snapshot,
        customers=replace(cold_snapshot.customers, churn=features, p_churn=p_churn),
        models=Models(churn=model),
    )
