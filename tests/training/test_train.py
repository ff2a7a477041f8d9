from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

import pytest

from features.errors import ConfigurationError
from features.tables import Tables
from training.datasets.provenance import NotEnoughData
from training.models.send_time import HOURS_ARE_DRAWN, OPENS_ARE_OBSERVED
from training.registry.entries import Alias, ModelName
from training.registry.tracking import Tracking
from training.search import SearchBudget
from training.train import TrainedModel, Trainings, train_all, train_model
from training.world.simulated import SimulatedWorld


def test_training_leaves_every_model_as_challenger(
    shop_summary: Trainings, trained_tracking: Tracking, shop_end: datetime
) -> None:
    of_cases = {ModelName.RETENTION}  # learned from finished cases, by another command
    assert list(shop_summary) == [name for name in ModelName if name not in of_cases]
    assert isinstance(shop_summary[ModelName.LATENESS], NotEnoughData)  # the shop has no parcels
    assert isinstance(shop_summary[ModelName.UPLIFT], NotEnoughData)  # and no log of decisions
    for name in set(shop_summary) - {ModelName.LATENESS, ModelName.UPLIFT}:
        trained = shop_summary[name]
        assert isinstance(trained, TrainedModel)
        assert trained.version.version == "1"
        assert trained.version.trained_until < shop_end
        found = trained_tracking.find(name, alias=Alias.CHALLENGER)
        assert found == trained.version


def test_training_measures_the_model_beside_its_baseline(shop_summary: Trainings) -> None:
    assert isinstance(shop_summary[ModelName.CHURN], TrainedModel)
    metrics = shop_summary[ModelName.CHURN].metrics
    assert metrics["auc"] - metrics["auc_baseline"] == pytest.approx(metrics["auc_gain"])
    assert metrics["auc_gain_low"] < metrics["auc_gain"] < metrics["auc_gain_high"]
    assert metrics["lift_at_10_percent"] > 1
    assert isinstance(shop_summary[ModelName.CHANNEL], TrainedModel)
    assert shop_summary[ModelName.CHANNEL].metrics["opened.log_loss_gain"] < 0
    # Of the older half SMS are opened three times as often, so their opens are told apart better.
    assert set(shop_summary[ModelName.CHANNEL].notes) <= {"slices"}
    assert isinstance(shop_summary[ModelName.SEND_TIME], TrainedModel)
    assert shop_summary[ModelName.SEND_TIME].notes == {
        "warning": OPENS_ARE_OBSERVED,
        "hour_effect": HOURS_ARE_DRAWN,
    }


def test_training_again_gives_the_same_model_as_a_new_version(
    shop_summary: Trainings,
    trained_tracking: Tracking,
    shop_tables: Tables,
    shop_end: datetime,
) -> None:
    again = train_model(
        ModelName.CHURN, shop_tables, known_until=shop_end, tracking=trained_tracking, seed=1
    )
    assert isinstance(again, TrainedModel)
    assert isinstance(shop_summary[ModelName.CHURN], TrainedModel)
    first = shop_summary[ModelName.CHURN].version
    assert again.version == replace(
        first,
        version="2",
        run_id=again.version.run_id,
        model=replace(first.model, version="2"),
    )


def test_training_on_customers_alone_says_what_is_missing(
    make_tracking: Callable[[], Tracking], shop_tables: Tables, shop_end: datetime
) -> None:
    summary = train_all(
        {"customers": shop_tables["customers"]},
        known_until=shop_end,
        tracking=make_tracking(),
        seed=1,
    )
    reasons = {}
    for name, result in summary.items():
        assert isinstance(result, NotEnoughData)
        reasons[name] = result.reason
    assert "history" in reasons[ModelName.CHURN]
    assert "no messages" in reasons[ModelName.CHANNEL]
    assert "nobody was active" in reasons[ModelName.SEND_TIME]
    assert "no orders" in reasons[ModelName.LATENESS]
    assert "no decisions" in reasons[ModelName.UPLIFT]


def test_training_with_a_search_logs_it_and_whether_it_was_worth_it(
    make_tracking: Callable[[], Tracking],
) -> None:
    world = SimulatedWorld(seed=1, n_customers=600, days=330)
    tracking = make_tracking()

    trained = train_model(
        ModelName.CHURN,
        world.tables(world.start),
        known_until=world.start,
        tracking=tracking,
        seed=1,
        budget=SearchBudget(2),
    )

    assert isinstance(trained, TrainedModel)
    params = tracking.read_run(trained.version).params
    assert params["search_trials"] == "2"
    is_taken = params["search_taken"] == "true"
    assert is_taken == (float(params["search_gain_high"]) < 0)
    assert ("is taken" in trained.notes["search"]) == is_taken


def test_a_search_on_too_short_a_history_trains_as_usual_and_says_so(
    make_tracking: Callable[[], Tracking],
    shop_summary: Trainings,
    shop_tables: Tables,
    shop_end: datetime,
) -> None:
    trained = train_model(
        ModelName.CHURN,
        shop_tables,
        known_until=shop_end,
        tracking=make_tracking(),
        seed=1,
        budget=SearchBudget(2),
    )

    usual = shop_summary[ModelName.CHURN]
    assert isinstance(trained, TrainedModel)
    assert isinstance(usual, TrainedModel)
    assert trained.metrics == usual.metrics
    assert "were not searched for" in trained.notes["search"]


def test_a_search_for_a_model_that_has_none_is_refused(
    make_tracking: Callable[[], Tracking], shop_tables: Tables, shop_end: datetime
) -> None:
    with pytest.raises(ConfigurationError, match="send-time has no search for settings"):
        train_model(
            ModelName.SEND_TIME,
            shop_tables,
            known_until=shop_end,
            tracking=make_tracking(),
            seed=1,
            budget=SearchBudget(2),
        )
