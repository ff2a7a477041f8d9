from collections.abc import Callable
from datetime import datetime

import pytest

from features.tables import Tables
from training.datasets.provenance import NotEnoughData
from training.records import OPENS_ARE_OBSERVED
from training.registry.entries import Alias, ModelName, ModelVersion
from training.registry.servable import BoosterModel
from training.registry.tracking import Tracking
from training.train import TrainedModel, train_all, train_churn_model


def find(tracking: Tracking, name: ModelName) -> ModelVersion:
    found = tracking.find(name, alias=Alias.CHALLENGER)
    assert isinstance(found, ModelVersion)
    return found


@pytest.mark.parametrize("name", list(ModelName))
def test_training_leaves_every_model_as_challenger(
    trained_tracking: Tracking, name: ModelName, shop_end: datetime
) -> None:
    version = find(trained_tracking, name)
    assert version.version == "1"
    assert version.trained_until < shop_end


def test_training_again_gives_the_same_model_as_a_new_version(
    trained_tracking: Tracking, shop_tables: Tables, shop_end: datetime
) -> None:
    first = find(trained_tracking, ModelName.CHURN)
    again = train_churn_model(shop_tables, known_until=shop_end, tracking=trained_tracking, seed=1)
    assert isinstance(again, TrainedModel)
    assert again.version.version == "2"
    assert isinstance(first.model, BoosterModel)
    assert isinstance(again.version.model, BoosterModel)
    assert again.version.model.text == first.model.text
    assert again.metrics["auc"] > again.metrics["auc_baseline"]
    assert again.metrics["auc_gain_low"] < again.metrics["auc_gain"]
    assert again.metrics["lift_at_10_percent"] > 1


def test_training_says_what_there_is_not_enough_data_for(
    make_tracking: Callable[[], Tracking], shop_tables: Tables, shop_end: datetime
) -> None:
    tables = {name: shop_tables[name] for name in ("customers", "activity")}
    summary = train_all(tables, known_until=shop_end, tracking=make_tracking(), seed=1)
    assert isinstance(summary.churn, TrainedModel)
    assert isinstance(summary.send_time, TrainedModel)
    assert summary.send_time.notes == {"warning": OPENS_ARE_OBSERVED}
    assert isinstance(summary.channel, NotEnoughData)
    assert list(summary.by_name()) == list(ModelName)


def test_training_on_customers_alone_registers_nothing(
    make_tracking: Callable[[], Tracking], shop_tables: Tables, shop_end: datetime
) -> None:
    summary = train_all(
        {"customers": shop_tables["customers"]},
        known_until=shop_end,
        tracking=make_tracking(),
        seed=1,
    )
    assert all(isinstance(result, NotEnoughData) for result in summary.by_name().values())
