import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import lightgbm
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from features.engagement import ENGAGEMENT_FEATURES
from features.engines.batches import InProcess
from features.errors import BadInputError, NotReadyError
from features.vocabulary import Channel, Trigger
from serving.batch.uplift import UpliftScorer, make_uplift_scorer
from training.datasets.provenance import sign
from training.registry.folder import SERVABLE_FILE, describe_signature
from training.registry.loader import _load_pyfunc
from training.registry.servable import (
    CHANNELS,
    TRIGGERS,
    Belonging,
    BoosterModel,
    Calibration,
    FeatureSignature,
    GroupEffects,
    Member,
    OutcomeModel,
    PooledRates,
    Reach,
    ReachEffect,
    Stakes,
    TreeEffect,
    UpliftModel,
    load_servable,
    save_servable,
)
from training.registry.tracking import Tracking

SIGNATURE = sign(ENGAGEMENT_FEATURES)


def booster(name: str, extra: tuple[str, ...]) -> BoosterModel:
    """P rises with the first feature."""
    names = (*SIGNATURE.names, *extra)
    rng = np.random.default_rng(1)
    X = rng.normal(size=(600, len(names)))
    params = {"num_leaves": 3, "objective": "binary", "verbosity": -1, "num_threads": 1}
    fitted = lightgbm.train(params, lightgbm.Dataset(X, X[:, 0] > 0), num_boost_round=10)
    signature = FeatureSignature(names, SIGNATURE.digest)
    return BoosterModel(name, "", signature, fitted.model_to_string())


def make_reach(stakes: Stakes | None = None) -> Reach:
    """Students notice e-mail more than others do; trees add what the first feature tells."""
    none = GroupEffects.none()
    adds = np.array([[1.0, 0.0, 0.0, 0.0, 0.0], [0.0] * 5])
    students = GroupEffects(("student",), adds, np.ones((2, 5)))
    zeros = np.zeros((len(TRIGGERS), 5))
    opened = PooledRates(zeros, zeros, students, none, np.zeros((5, 25)), 0.0)
    booked = PooledRates(zeros - 1.0, zeros, none, none, np.zeros((5, 25)), 0.5)
    trees = booster("booked", ("channel", "trigger"))
    return Reach(opened, OutcomeModel(booked, trees, (Calibration(),) * 5), (1.0,) * 5, stakes)


def make_model(share: float) -> UpliftModel:
    """SMS moves twice as much as e-mail and costs more; the other channels harm."""
    by_treatment = (0.5, 1.0, -1.0, -1.0, -1.0)
    members = tuple(
        Member((1.0,), (ReachEffect((share + step,) * len(TRIGGERS), by_treatment),))
        for step in (0.0, 0.01, -0.01)
    )
    return UpliftModel(
        version="1",
        signature=SIGNATURE,
        groups=tuple(TRIGGERS),
        treatments=tuple(CHANNELS),
        members=members,
        reaches={Trigger.PRICE_DROP.value: make_reach()},
        own_sd=(0.1,) * len(TRIGGERS),
        without=booster("good outcome", ("trigger",)),
        value_cents=(1000.0,) * len(TRIGGERS),
        cost_cents=(0.1, 4.0, 0.02, 0.0, 3.0),
    )


def customers() -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    X = np.zeros((4, len(SIGNATURE.names)))
    X[:, 0] = (-2.0, -0.5, 0.5, 2.0)
    return X


def score(model: UpliftModel, *, segments: list[str | None] | None = None) -> pd.DataFrame:
    columns = {name: customers()[:, at] for at, name in enumerate(SIGNATURE.names)}
    as_of = pa.array([datetime(2026, 6, 1, tzinfo=UTC)] * 4, pa.timestamp("us", "UTC"))
    table = pa.table({"customer_id": [f"c{row}" for row in range(4)], "as_of": as_of, **columns})
    if segments is not None:
        table = table.append_column("segment", pa.array(segments, pa.string()))
    scorer = UpliftScorer(
        json.dumps(model.to_json()), Trigger.PRICE_DROP, has_segments=segments is not None
    )
    scored = pa.Table.from_batches(scorer(iter(table.to_batches())), scorer.schema)
    return scored.drop_columns(["as_of"]).to_pandas()


def test_who_belongs_to_a_group_that_notices_more_is_moved_more() -> None:
    model = make_model(0.3)
    students = Belonging.of(4, segments=["student"] * 4)
    mean = model.effects(customers(), group=Trigger.PRICE_DROP)
    theirs = model.effects(customers(), group=Trigger.PRICE_DROP, belonging=students)
    assert (theirs.value[:, 0] > mean.value[:, 0]).all()
    np.testing.assert_array_equal(theirs.value[:, 1:], mean.value[:, 1:])


def test_an_interval_is_never_narrower_than_customers_differ() -> None:
    effects = make_model(0.3).effects(customers(), group=Trigger.PRICE_DROP)
    assert (effects.sd >= 0.1 * np.abs(effects.value)).all()


def test_shares_are_told_where_they_were_learned() -> None:
    model = make_model(0.3)
    np.testing.assert_allclose(model.shares(Trigger.PRICE_DROP), [0.3, 0.31, 0.29])
    assert model.shares(Trigger.ABANDONED_CART) is None  # without a reach
    trees = Member((0.5, 0.5), (*model.members[0].parts, TreeEffect((), ())))
    assert replace(model, members=(trees,)).shares(Trigger.PRICE_DROP) is None


def test_a_message_prevents_at_most_the_calls_that_would_come() -> None:
    stakes = Stakes((0.2,) * len(TRIGGERS), ("student",), (2.0, 1.0))
    reach, free = make_reach(stakes), make_reach()
    group = np.full(4, TRIGGERS.index(Trigger.DELIVERY_DELAY))
    who = Belonging(np.array(["student", None] * 2, dtype=object), np.full(4, None, dtype=object))
    found = reach.predict(customers(), group=group, belonging=who)
    noticed = free.predict(customers(), group=group, belonging=who)
    np.testing.assert_allclose(found, noticed * np.array([[0.4], [0.2], [0.4], [0.2]]))
    assert Reach.from_json(json.loads(json.dumps(reach.to_json()))) == reach


def test_scores_read_the_segment_where_the_rows_say_it() -> None:
    with_segment = score(make_model(0.3), segments=["student", None, "student", "other"])
    without = score(make_model(0.3))
    column = "net_cents_email"
    is_more = with_segment[column] > without[column]
    assert is_more.tolist() == [True, False, True, False]


def test_scores_name_the_channel_that_is_worth_most_after_its_cost() -> None:
    scored = score(make_model(0.3))
    assert scored["best_channel"].tolist() == ["sms"] * 4
    assert scored["group"].tolist() == ["persuadable"] * 4
    assert (scored["uplift_low"] < scored["uplift"]).all()
    net = 1000 * scored["uplift"] - 4.0
    np.testing.assert_allclose(scored["net_cents"], net)
    np.testing.assert_allclose(scored["net_cents_sms"], net)


def test_a_message_that_is_not_worth_its_cost_has_no_channel() -> None:
    scored = score(make_model(0.0))
    assert scored["best_channel"].isna().all()
    assert set(scored["group"]) == {"sure_thing", "lost_cause"}  # intervals hold zero
    # Who acts anyway follows the first feature.
    assert scored["group"].tolist()[0] == "lost_cause"
    assert scored["group"].tolist()[-1] == "sure_thing"


def test_net_values_leave_out_channels_that_are_not_allowed() -> None:
    model = make_model(0.3)
    effects = model.effects(customers(), group=Trigger.PRICE_DROP)
    allowed = np.ones((4, 5), dtype=bool)
    allowed[:, CHANNELS.index(Channel.SMS)] = False
    values = model.net_values(effects, group=Trigger.PRICE_DROP, allowed=allowed)
    assert [CHANNELS[at] for at in values.best] == ["email"] * 4
    assert np.isnan(values.cents[:, 1]).all()


def test_the_model_comes_back_from_its_file_and_speaks_mlflow(tmp_path: Path) -> None:
    model = make_model(0.3)
    save_servable(model, tmp_path / SERVABLE_FILE)
    read = load_servable(tmp_path / SERVABLE_FILE)
    assert read == model
    columns = describe_signature(model).outputs.input_names()
    asked = pd.DataFrame(customers(), columns=list(SIGNATURE.names)).assign(trigger="price_drop")
    told = _load_pyfunc(str(tmp_path / SERVABLE_FILE)).predict(asked)
    assert isinstance(told, pd.DataFrame)
    assert list(told.columns) == columns
    effects = model.effects(customers(), group="price_drop")
    np.testing.assert_allclose(told["uplift_sms"], effects.value[:, 1])


def test_an_unknown_group_is_named() -> None:
    with pytest.raises(BadInputError, match="'boredom'"):
        make_model(0.3).effects(customers(), group="boredom")


def test_without_a_champion_nothing_is_scored(tmp_path: Path) -> None:
    pd.DataFrame({"customer_id": ["c1"]}).to_parquet(tmp_path / "features.parquet")
    with pytest.raises(NotReadyError, match="train uplift"):
        make_uplift_scorer(
            Tracking.in_folder(tmp_path),
            tmp_path / "features.parquet",
            mapper=InProcess(),
            trigger=Trigger.PRICE_DROP,
        )
