import json
from dataclasses import replace
from datetime import datetime

import numpy as np
import pytest

from features.codes import find_code
from features.errors import BadInputError
from features.tables import Tables
from training.churn import TrainedChurn, fit_recency, judge_churn, judge_recency, train_churn
from training.datasets.churn import ChurnDataset, add_later_labels, build_churn_dataset
from training.datasets.provenance import NotEnoughData
from training.evaluation import lift_at


@pytest.fixture(scope="module")
def dataset(shop_tables: Tables, shop_end: datetime) -> ChurnDataset:
    built = build_churn_dataset(shop_tables, known_until=shop_end)
    assert isinstance(built, ChurnDataset)
    return built


@pytest.fixture(scope="module")
def trained(dataset: ChurnDataset) -> TrainedChurn:
    result = train_churn(dataset, seed=1)
    assert isinstance(result, TrainedChurn)
    return result


def test_churn_model_beats_recency_on_the_last_month(trained: TrainedChurn) -> None:
    gain = trained.comparison.difference
    assert gain.log_loss.high < 0
    assert gain.auc.value > 0
    assert trained.comparison.ours.calibration_error.value < 0.06
    assert lift_at(trained.p_test, labels=trained.test.labels, share=0.1) > 2


def test_churn_model_is_the_same_for_the_same_seed(
    dataset: ChurnDataset, trained: TrainedChurn
) -> None:
    assert train_churn(dataset, seed=1) is not trained
    again = train_churn(dataset, seed=1)
    assert isinstance(again, TrainedChurn)
    assert json.dumps(again.model.to_json()) == json.dumps(trained.model.to_json())
    assert again.comparison == trained.comparison


def test_churn_model_of_shuffled_labels_falls_to_chance(dataset: ChurnDataset) -> None:
    shuffled = np.random.default_rng(4).permutation(dataset.labels)
    result = train_churn(replace(dataset, labels=shuffled), seed=1)
    assert isinstance(result, TrainedChurn)
    auc = result.comparison.ours.auc
    assert auc.low < 0.5 < auc.high


def test_segments_are_told_apart_and_an_unknown_one_is_none_of_them(dataset: ChurnDataset) -> None:
    rng = np.random.default_rng(5)
    column = dataset.provenance.signature.names.index("segment_code")
    careless, loyal, never_seen = find_code("careless"), find_code("loyal"), find_code("new")
    customers, place = np.unique(dataset.customers, return_inverse=True)
    of_customer = rng.choice([careless, loyal], size=len(customers))
    X = dataset.X.copy()
    X[:, column] = of_customer[place]
    lost = rng.random(len(X)) < np.where(X[:, column] == careless, 0.5, 0.05)
    trained = train_churn(replace(dataset, X=X, labels=lost, later={}), seed=1)
    assert isinstance(trained, TrainedChurn)
    rows = X[:50]
    means = []
    for code in (loyal, never_seen, careless):
        rows[:, column] = code
        means.append(trained.model.predict(rows).mean())
    assert means[0] < 0.15 < 0.4 < means[2]
    assert means[0] <= means[1] <= means[2]


def test_recency_rises_with_the_days_and_takes_never_as_longest(dataset: ChurnDataset) -> None:
    baseline = fit_recency(dataset)
    column = dataset.provenance.signature.names.index("days_since_last_activity")
    X = np.full((4, dataset.X.shape[1]), np.nan)
    X[:3, column] = [0.5, 10.0, 80.0]
    p = baseline.predict(replace(dataset, X=X))
    assert (np.diff(p[:3]) > 0).all()
    assert p[3] >= p[2]


def test_recency_takes_the_latest_sign_of_life(dataset: ChurnDataset) -> None:
    names = dataset.provenance.signature.names
    X = np.full((2, dataset.X.shape[1]), np.nan)
    X[:, names.index("days_since_last_activity")] = 40.0
    X[1, names.index("days_since_last_order")] = 1.0
    p = fit_recency(dataset).predict(replace(dataset, X=X))
    assert p[1] < p[0]


def test_judged_losses_are_those_of_the_comparison(trained: TrainedChurn) -> None:
    ours = judge_churn(trained.model, trained.test)
    other = judge_recency(trained.baseline, trained.test)
    assert ours.losses.mean() == pytest.approx(trained.comparison.ours.log_loss.value)
    assert other.losses.mean() == pytest.approx(trained.comparison.other.log_loss.value)
    assert ours.calibration_error == trained.comparison.ours.calibration_error.value


def test_churn_without_a_lost_customer_says_so(dataset: ChurnDataset) -> None:
    result = train_churn(replace(dataset, labels=np.zeros_like(dataset.labels)), seed=1)
    assert isinstance(result, NotEnoughData)


def test_horizons_are_those_that_the_history_allows(
    dataset: ChurnDataset, trained: TrainedChurn, shop_tables: Tables, shop_end: datetime
) -> None:
    assert trained.model.horizons_days == (30,)
    result = train_churn(add_later_labels(dataset, shop_tables, known_until=shop_end), seed=1)
    assert isinstance(result, TrainedChurn)
    assert result.model.horizons_days == (30, 60)
    assert result.fitted.model == trained.fitted.model  # 30 days are as they were without them
    assert "2 of the 3 stretches of 90 days" in result.too_short[90].reason
    later = result.later[60]
    assert later.split.test_from <= result.trained_until
    assert later.test.horizon_days == 60
    assert later.comparison.ours.auc.low > 0.5
    assert later.comparison.ours.calibration_error.value < 0.1


def test_probabilities_never_fall_with_the_horizon(
    dataset: ChurnDataset, shop_tables: Tables, shop_end: datetime
) -> None:
    result = train_churn(add_later_labels(dataset, shop_tables, known_until=shop_end), seed=1)
    assert isinstance(result, TrainedChurn)
    p_30 = result.model.predict_at(dataset.X, horizon_days=30)
    p_60 = result.model.predict_at(dataset.X, horizon_days=60)
    np.testing.assert_array_equal(p_30, result.model.predict(dataset.X))
    assert (p_60 >= p_30).all()
    alone = result.later[60].fitted.model.predict(dataset.X)
    assert (alone < p_30).any()  # it takes care: boosters alone cross
    with pytest.raises(BadInputError, match="no horizon of 90 days"):
        result.model.predict_at(dataset.X, horizon_days=90)
