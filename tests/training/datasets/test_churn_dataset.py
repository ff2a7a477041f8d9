from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from features.churn import CHURN_FEATURES, churn_labels
from features.tables import Tables
from training.datasets.churn import (
    ChurnDataset,
    add_later_labels,
    build_churn_dataset,
    plan_moments,
    split_churn,
)
from training.datasets.provenance import NotEnoughData
from training.datasets.split import ForwardSplit, to_datetime


@pytest.fixture(scope="module")
def dataset(shop_tables: Tables, shop_end: datetime) -> ChurnDataset:
    built = build_churn_dataset(shop_tables, known_until=shop_end)
    assert isinstance(built, ChurnDataset)
    return built


def test_moments_lie_ten_days_apart_and_end_one_horizon_before_the_last_known(
    shop_tables: Tables, shop_end: datetime
) -> None:
    moments = plan_moments(shop_tables, known_until=shop_end, horizon_days=30)
    assert [shop_end - moment for moment in moments] == [
        timedelta(days=days) for days in range(180, 29, -10)
    ]


def test_dataset_has_a_row_for_every_eligible_customer_and_moment(dataset: ChurnDataset) -> None:
    keys = pd.MultiIndex.from_arrays([dataset.customers, dataset.moments])
    assert keys.is_unique
    assert len(np.unique(dataset.moments)) == 16
    assert dataset.X.shape == (len(keys), len(CHURN_FEATURES.names))
    assert dataset.provenance.tables == ("activity", "customers", "messages", "outcomes")


def test_label_is_silence_during_the_horizon(
    shop_tables: Tables, shop_end: datetime, dataset: ChurnDataset
) -> None:
    row = int(np.flatnonzero(dataset.labels)[0])
    activity = shop_tables["activity"]
    mine = activity.loc[activity["customer_id"] == dataset.customers[row], "at"]
    begin = pd.Timestamp(dataset.moments[row], tz="UTC")
    assert not mine.between(begin, begin + pd.Timedelta(days=30), inclusive="left").any()
    assert (mine < begin).any()


def test_dataset_never_reads_what_is_known_later(
    shop_tables: Tables, shop_end: datetime, dataset: ChurnDataset
) -> None:
    later = shop_tables["activity"].assign(
        at=shop_tables["activity"]["at"] + pd.Timedelta(days=210), kind="login"
    )
    grown = {**shop_tables, "activity": pd.concat([shop_tables["activity"], later])}
    again = build_churn_dataset(grown, known_until=shop_end)
    assert isinstance(again, ChurnDataset)
    np.testing.assert_array_equal(again.X, dataset.X)
    np.testing.assert_array_equal(again.labels, dataset.labels)
    assert again.provenance.fingerprint == dataset.provenance.fingerprint


def test_split_tests_on_the_last_month_and_calibrates_on_the_one_before(
    dataset: ChurnDataset,
) -> None:
    split = split_churn(dataset)
    assert isinstance(split, ForwardSplit)
    months = [np.unique(dataset.moments[rows]) for rows in (split.train, split.calibration)]
    assert [len(part) for part in months] == [10, 1]
    assert len(np.unique(dataset.moments[split.test])) == 1
    assert dataset.moments[split.test].min() == np.datetime64(split.test_from.replace(tzinfo=None))


def test_too_short_a_history_is_not_enough(shop_tables: Tables, shop_end: datetime) -> None:
    after_70_days = shop_end - timedelta(days=140)
    built = build_churn_dataset(shop_tables, known_until=after_70_days)
    assert isinstance(built, ChurnDataset)
    verdict = split_churn(built)
    assert isinstance(verdict, NotEnoughData)
    assert "cover 1 of the 3 stretches of 30 days" in verdict.reason
    first_days = build_churn_dataset(shop_tables, known_until=shop_end - timedelta(200))
    assert isinstance(first_days, NotEnoughData)


def test_no_activity_at_all_is_not_enough(shop_tables: Tables, shop_end: datetime) -> None:
    tables = {"customers": shop_tables["customers"]}
    verdict = build_churn_dataset(tables, known_until=shop_end)
    assert isinstance(verdict, NotEnoughData)
    assert "30 days" in verdict.reason


def test_nobody_lost_is_not_enough(dataset: ChurnDataset) -> None:
    verdict = split_churn(replace(dataset, labels=np.zeros_like(dataset.labels)))
    assert isinstance(verdict, NotEnoughData)
    assert "0 of" in verdict.reason


@pytest.fixture(scope="module")
def with_later(dataset: ChurnDataset, shop_tables: Tables, shop_end: datetime) -> ChurnDataset:
    return add_later_labels(dataset, shop_tables, known_until=shop_end)


def test_later_labels_are_those_that_can_be_known_a_month_apart(
    with_later: ChurnDataset, shop_tables: Tables, shop_end: datetime
) -> None:
    assert list(with_later.later) == [60, 90]
    for days in with_later.later:
        rows = with_later.at_horizon(days)
        moments = [to_datetime(moment) for moment in np.unique(rows.moments)]
        ages = [(shop_end - moment).days for moment in moments]
        assert ages == list(range(days, 181, 30))[::-1]
        spine = pd.DataFrame(
            {
                "customer_id": pd.Series(rows.customers, dtype="str"),
                "as_of": pd.DatetimeIndex(rows.moments).tz_localize("UTC"),
            }
        )
        lost = churn_labels(shop_tables, spine, known_until=shop_end, horizon_days=days)
        np.testing.assert_array_equal(rows.labels, lost)
        assert rows.label_span == timedelta(days=days)
        assert rows.later == {}


def test_who_is_silent_for_longer_was_silent_before(with_later: ChurnDataset) -> None:
    for days, labels in with_later.later.items():
        assert not (labels.lost & ~labels.known).any()
        assert not (labels.lost & ~with_later.labels).any()  # lost later is lost within 30 days
        assert 0 < labels.lost.sum() < labels.known.sum(), days


def test_taking_rows_takes_their_later_labels(with_later: ChurnDataset) -> None:
    rows = np.random.default_rng(1).random(len(with_later.labels)) < 0.5
    taken = with_later.take(rows)
    for days, labels in with_later.later.items():
        np.testing.assert_array_equal(taken.later[days].lost, labels.lost[rows])
        assert len(taken.at_horizon(days).labels) == int((labels.known & rows).sum())
