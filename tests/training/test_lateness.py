"""Late deliveries: labels known in time, features that see nothing later, a model that learns."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from features.tables import Tables
from features.triggers import PREDICTIONS, find_triggers
from training import lateness
from training.datasets.lateness import (
    LatenessDataset,
    build_lateness_dataset,
    split_lateness,
)
from training.datasets.provenance import NotEnoughData
from training.datasets.transit import LATENESS_FEATURES, describe_transit
from training.gate import Promote
from training.lateness import foretell_lateness, predict_lateness, train_lateness
from training.promote import promote
from training.registry.entries import ModelName
from training.registry.tracking import Tracking
from training.train import TrainedModel, train_model

START = datetime(2025, 1, 6, tzinfo=UTC)
DAY = timedelta(days=1)
END = START + 240 * DAY


@pytest.fixture(scope="module")
def parcels() -> Tables:
    """Orders of two regions; in the far one, parcels not handed over soon come late."""
    rng = np.random.default_rng(7)
    n = 1_500
    ordered = pd.Timestamp(START) + pd.to_timedelta(rng.uniform(0, 236, n), unit="D").round("us")
    far = rng.random(n) < 0.5
    waits = rng.gamma(2.0, 1.5, n)
    road = np.where(far, 6.0, 2.0) + rng.gamma(2.0, 1.0, n)
    customers = pd.DataFrame(
        {
            "customer_id": [f"c{i}" for i in range(n)],
            "signed_up_at": pd.Series(ordered).dt.as_unit("us"),
            "region": np.where(far, "far", "near"),
            "timezone": "UTC",
        }
    )
    handed = pd.Series(ordered + pd.to_timedelta(waits, unit="D").round("us")).dt.as_unit("us")
    delivered = handed + pd.to_timedelta(road, unit="D").round("us")
    promised = pd.Series(ordered + 10 * DAY).dt.as_unit("us")
    orders = pd.DataFrame(
        {
            "order_id": [f"o{i}" for i in range(n)],
            "customer_id": customers["customer_id"],
            "tracking_id": [f"t{i}" for i in range(n)],
            "ordered_at": customers["signed_up_at"],
            "promised_at": promised,
            "delivered_at": delivered.dt.as_unit("us"),
            "amount_cents": pd.Series(rng.integers(100, 9_000, n), dtype="Int64"),
        }
    )
    shipments = pd.DataFrame(
        {
            "tracking_id": orders["tracking_id"],
            "updated_at": handed,
            "estimated_at": promised,
            "status": "handed over",
        }
    )
    return {"customers": customers, "orders": orders, "shipments": shipments}


@pytest.fixture(scope="module")
def dataset(parcels: Tables) -> LatenessDataset:
    built = build_lateness_dataset(parcels, known_until=END)
    assert isinstance(built, LatenessDataset)
    return built


def test_labels_are_those_of_the_promise_and_known_by_then(
    parcels: Tables, dataset: LatenessDataset
) -> None:
    orders = parcels["orders"].set_index("order_id").loc[dataset.orders]
    late_at = orders["promised_at"] + DAY
    assert np.array_equal(dataset.labels, (orders["delivered_at"] > late_at).to_numpy())
    assert (late_at < END).all()
    assert (dataset.moments < orders["promised_at"].dt.tz_localize(None).to_numpy()).all()
    assert 0.05 < dataset.labels.mean() < 0.6


def test_an_order_that_never_comes_is_late_and_one_in_time_does_not_count_sooner(
    parcels: Tables,
) -> None:
    two = {name: frame.iloc[:2].reset_index(drop=True) for name, frame in parcels.items()}
    times = {
        "ordered_at": [START, START],
        "promised_at": [START + 90 * DAY] * 2,
        "delivered_at": [None, START + 85 * DAY],
    }
    moments = {k: pd.Series(v, dtype="datetime64[us, UTC]") for k, v in times.items()}
    two["orders"] = two["orders"].assign(**moments, order_id=["never", "soon"])
    early = build_lateness_dataset(two, known_until=START + 91 * DAY)
    assert isinstance(early, LatenessDataset)
    assert len(early.labels) == 0  # whether the first is late is known the moment after
    later = build_lateness_dataset(two, known_until=START + 91 * DAY + timedelta(seconds=1))
    assert isinstance(later, LatenessDataset)
    assert dict(zip(later.orders, later.labels, strict=True)) == {"never": True, "soon": False}


def test_features_do_not_change_when_more_becomes_known(parcels: Tables) -> None:
    moment = START + 120 * DAY
    cut = {
        "customers": parcels["customers"],
        "orders": parcels["orders"].assign(
            delivered_at=parcels["orders"]["delivered_at"].where(
                parcels["orders"]["delivered_at"] < moment
            )
        ),
        "shipments": parcels["shipments"].query("updated_at < @moment"),
    }
    cut["orders"] = cut["orders"].query("ordered_at < @moment").reset_index(drop=True)
    then, now = describe_transit(cut, as_of=moment), describe_transit(parcels, as_of=moment)
    pd.testing.assert_frame_equal(then, now)
    assert len(now) > 20
    assert now["is_handed_over"].nunique() == 2


def test_features_say_what_they_are_called(parcels: Tables) -> None:
    moment = START + 120 * DAY
    rows = describe_transit(parcels, as_of=moment).set_index("order_id")
    orders = parcels["orders"].set_index("order_id").loc[rows.index]
    left = (orders["promised_at"] - moment) / pd.Timedelta(days=1)
    assert np.allclose(rows["days_to_promise"], left)
    assert np.allclose(rows["promise_days"], 10.0)
    assert rows["share_slower"].between(0, 1).all()
    regions = parcels["customers"].set_index("customer_id")["region"]
    far = (orders["customer_id"].map(regions) == "far").to_numpy()
    assert rows.loc[far, "region_days"].min() > rows.loc[~far, "region_days"].max() + 2
    assert list(rows)[2:] == list(LATENESS_FEATURES)


def test_parts_of_the_split_lie_one_after_the_other(dataset: LatenessDataset) -> None:
    split = split_lateness(dataset)
    assert not isinstance(split, NotEnoughData)
    test_from = np.datetime64(split.test_from.replace(tzinfo=None), "us")
    for part in (split.train, split.calibration):
        assert (dataset.known_at[part] < test_from).all()
    assert dataset.known_at[split.train].max() <= dataset.moments[split.calibration].min()
    assert dataset.moments[split.test].min() >= test_from


def test_the_model_beats_the_promise_and_what_it_says_happens(dataset: LatenessDataset) -> None:
    trained = train_lateness(dataset, seed=1)
    assert not isinstance(trained, NotEnoughData)
    gain = trained.comparison.difference
    assert gain.auc.low > 0
    assert gain.log_loss.high < 0
    assert trained.comparison.ours.calibration_error.value < 0.1
    again = train_lateness(dataset, seed=1)
    assert not isinstance(again, NotEnoughData)
    assert again.fitted.model == trained.fitted.model
    shuffled = replace(dataset, labels=np.random.default_rng(1).permutation(dataset.labels))
    blind = train_lateness(shuffled, seed=1)
    assert not isinstance(blind, NotEnoughData)
    assert abs(blind.comparison.ours.auc.value - 0.5) < 0.06


def test_a_promoted_model_foretells_and_the_trigger_tells(
    parcels: Tables, make_tracking: Callable[[], Tracking]
) -> None:
    tracking = make_tracking()
    as_of = END - 10 * DAY
    assert foretell_lateness(tracking, parcels, as_of=as_of) is None
    trained = train_model(ModelName.LATENESS, parcels, known_until=as_of, tracking=tracking, seed=1)
    assert isinstance(trained, TrainedModel)
    assert trained.metrics["auc_gain_low"] > 0
    decision = promote(ModelName.LATENESS, parcels, known_until=as_of, tracking=tracking, seed=1)
    assert isinstance(decision, Promote), decision
    foretold = foretell_lateness(tracking, parcels, as_of=as_of)
    assert foretold is not None
    PREDICTIONS.validate(foretold)
    cases = find_triggers(parcels, as_of=as_of, predictions=foretold)
    told = cases.loc[cases["urgency"] == "predicted"]
    likely = foretold.loc[foretold["p_late"] >= 0.5, "order_id"]
    assert set(told["subject"]) == set(likely)
    assert len(told)
    assert foretell_lateness(tracking, {"customers": parcels["customers"]}, as_of=as_of) is None


def test_predictions_of_no_orders_are_a_frame_too(
    parcels: Tables, dataset: LatenessDataset
) -> None:
    trained = train_lateness(dataset, seed=1)
    assert not isinstance(trained, NotEnoughData)
    none = predict_lateness(trained.fitted.model, parcels, as_of=START - DAY)
    assert none.empty
    PREDICTIONS.validate(none)


@pytest.mark.parametrize("missing", ["orders", "shipments"])
def test_without_parcels_nothing_is_learned(parcels: Tables, missing: str) -> None:
    without = {name: frame for name, frame in parcels.items() if name != missing}
    built = build_lateness_dataset(without, known_until=END)
    assert isinstance(built, NotEnoughData)
    assert f"no {missing}" in built.reason
    assert isinstance(build_lateness_dataset(parcels, known_until=START), NotEnoughData)


def test_one_number_is_less_likely_late_with_more_days(dataset: LatenessDataset) -> None:
    for name in (lateness.BASELINE, lateness.RULE):
        p = lateness.fit_one_number(dataset, name=name).predict(dataset)
        days = dataset.column({lateness.BASELINE: "days_to_promise"}.get(name, "spare_days"))
        order = np.argsort(days)
        assert (np.diff(p[order]) <= 1e-12).all()
        assert p.mean() == pytest.approx(dataset.labels.mean(), abs=0.02)
