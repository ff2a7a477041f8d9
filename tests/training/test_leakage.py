from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from features.churn import eligible_customers
from features.tables import Tables
from training.datasets.churn import HORIZON_DAYS, ChurnDataset, build_churn_rows
from training.datasets.provenance import NotEnoughData
from training.datasets.shuffled import shuffle_futures
from training.evaluation.leakage import LeakageCheck, ShuffledRows, check_leakage
from training.measures import Floats
from training.models.recipe import FindLeak
from training.models.table import RECIPES
from training.registry.entries import ModelName
from training.registry.servable import FeatureSignature

SEEDS = range(3)
MakeRows = Callable[[int], tuple[ShuffledRows, Tables]]


@pytest.fixture(scope="module")
def make_rows(shop_tables: Tables, shop_end: datetime) -> MakeRows:
    """Rows of the shop whose last month belongs to somebody else, and its tables."""
    moment = shop_end - timedelta(days=HORIZON_DAYS)

    def make(seed: int) -> tuple[ShuffledRows, Tables]:
        tables = shuffle_futures(
            shop_tables,
            customers=eligible_customers(shop_tables, as_of=moment),
            as_of=moment,
            rng=np.random.default_rng(seed),
        )
        rows = build_churn_rows(
            tables, moments=[moment], known_until=shop_end, horizon_days=HORIZON_DAYS
        )
        assert isinstance(rows, ChurnDataset)
        signature = rows.provenance.signature
        return ShuffledRows(rows.X, rows.labels, rows.customers, signature), tables

    return make


def count_later(tables: Tables, rows: ShuffledRows, *, moment: datetime, days: int) -> Floats:
    """What a feature must never read: how often the customer came in the days after the moment."""
    at = tables["activity"]["at"]
    window = (at >= moment) & (at < moment + timedelta(days=days))
    counts = tables["activity"].loc[window, "customer_id"].value_counts()
    return counts.reindex(pd.Index(rows.units)).fillna(0.0).to_numpy(dtype=np.float64)


def add_feature(rows: ShuffledRows, name: str, values: Floats) -> ShuffledRows:
    signature = FeatureSignature((*rows.signature.names, name), "planted")
    return replace(rows, X=np.column_stack([rows.X, values]), signature=signature)


def check(rows: ShuffledRows, *, seed: int) -> LeakageCheck:
    found = check_leakage(rows, seed=seed)
    assert isinstance(found, LeakageCheck)
    return found


@pytest.mark.parametrize("seed", SEEDS)
def test_honest_features_fall_to_chance(make_rows: MakeRows, seed: int) -> None:
    found = check(make_rows(seed)[0], seed=seed)
    assert not found.leaks
    assert found.estimate.low < 0.5 < found.estimate.high
    assert found.suspects == ()


@pytest.mark.parametrize("seed", SEEDS)
def test_feature_that_reads_the_future_is_found_and_named(
    make_rows: MakeRows, shop_end: datetime, seed: int
) -> None:
    rows, tables = make_rows(seed)
    moment = shop_end - timedelta(days=HORIZON_DAYS)
    # Of the 30 days it reads 5, and half of that is noise.
    leak = count_later(tables, rows, moment=moment, days=5)
    leak = leak + np.random.default_rng(seed).normal(0.0, leak.std(), size=len(leak))
    found = check(add_feature(rows, "visits_soon", leak), seed=seed)
    assert found.leaks
    assert found.estimate.low > 0.5
    assert found.suspects[0] == "visits_soon"


def test_labels_shuffled_after_the_features_find_no_leak(
    make_rows: MakeRows, shop_end: datetime
) -> None:
    """The naive check: it breaks the very link that it looks for."""
    rows, tables = make_rows(1)
    moment = shop_end - timedelta(days=HORIZON_DAYS)
    leaky = add_feature(rows, "visits", count_later(tables, rows, moment=moment, days=30))
    naive = replace(leaky, labels=np.random.default_rng(7).permutation(leaky.labels))
    assert not check(naive, seed=1).leaks
    assert check(leaky, seed=1).estimate.low > 0.9


def test_rare_values_are_not_taken_for_leaks() -> None:
    n_accused = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        X = np.zeros((900, 30))
        for column in range(30):
            X[rng.choice(900, size=2 + column // 3, replace=False), column] = 1.0
        names = tuple(f"rare_{column}" for column in range(30))
        rows = ShuffledRows(
            X,
            rng.random(900) < 0.05,
            np.arange(900).astype(str).astype(object),
            FeatureSignature(names, "d"),
        )
        found = check_leakage(rows, seed=seed)
        n_accused += isinstance(found, LeakageCheck) and found.leaks
    assert n_accused == 0


def test_rows_of_a_customer_are_never_on_both_sides() -> None:
    """Twenty rows of each customer, one fate: a model that knew the customer would know it."""
    rng = np.random.default_rng(2)
    fate = rng.random(90) < 0.3
    who = np.repeat(np.arange(90), 20)
    X = np.repeat(rng.normal(size=(90, 4)), 20, axis=0)
    rows = ShuffledRows(
        X, fate[who], who.astype(str).astype(object), FeatureSignature(tuple("abcd"), "d")
    )
    found = check_leakage(rows, seed=1)
    assert isinstance(found, LeakageCheck)
    assert found.estimate.value < 0.75


def test_too_few_events_to_look_say_so() -> None:
    rows = ShuffledRows(
        np.zeros((50, 1)),
        np.arange(50) < 5,
        np.arange(50).astype(str).astype(object),
        FeatureSignature(("a",), "d"),
    )
    found = check_leakage(rows, seed=1)
    assert isinstance(found, NotEnoughData)
    assert found.reason.startswith("5 rows of the rarer kind")


@pytest.mark.parametrize("name", [ModelName.CHURN, ModelName.CHANNEL, ModelName.SEND_TIME])
def test_models_of_the_shop_know_nothing_of_a_shuffled_future(
    shop_tables: Tables, shop_end: datetime, name: ModelName
) -> None:
    find_leak: FindLeak | None = RECIPES[name].find_leak
    assert find_leak is not None
    found = find_leak(shop_tables, known_until=shop_end, seed=3)
    assert isinstance(found, LeakageCheck), found
    assert not found.leaks, found
