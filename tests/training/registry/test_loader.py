from dataclasses import replace
from pathlib import Path

import lightgbm
import numpy as np
import pandas as pd
import pytest

from features.vocabulary import Outcome, Trigger
from tests.channel_beliefs import believe
from training.registry.loader import _load_pyfunc
from training.registry.servable import (
    CHANNELS,
    TRIGGERS,
    BoosterModel,
    FeatureSignature,
    SendTimeModel,
    save_servable,
)


def make_booster(names: tuple[str, ...]) -> BoosterModel:
    rng = np.random.default_rng(1)
    X = rng.normal(size=(400, len(names)))
    X[:, -2] = rng.integers(0, len(CHANNELS), 400)
    X[:, -1] = rng.integers(0, len(TRIGGERS), 400)
    rows = lightgbm.Dataset(X, label=X[:, 0] + X[:, -2] + X[:, -1] > 7)
    text = lightgbm.train(
        {"objective": "binary", "verbosity": -1, "num_threads": 1}, rows, 5
    ).model_to_string()
    return BoosterModel("opened", "", FeatureSignature(names, "d"), text)


def test_channel_predictions_of_mixed_rows_are_those_of_each_row(tmp_path: Path) -> None:
    believed = believe(FeatureSignature(("a",), "d"))
    opened = replace(
        believed.outcomes[Outcome.OPENED], trees=make_booster(("a", "channel", "trigger"))
    )
    model = replace(believed, outcomes={**believed.outcomes, Outcome.OPENED: opened})
    save_servable(model, tmp_path / "servable.json")
    rng = np.random.default_rng(2)
    rows = pd.DataFrame(
        {
            "a": rng.normal(size=40),
            "channel": rng.choice(CHANNELS, size=40),
            "trigger": rng.choice(TRIGGERS, size=40),
        },
        index=range(100, 140),
    )
    found = _load_pyfunc(str(tmp_path / "servable.json")).predict(rows)
    assert isinstance(found, pd.DataFrame)
    for index, row in rows.iterrows():
        sending = model.describe(
            np.array([[row["a"]]]),
            channel=np.array([CHANNELS.index(row["channel"])]),
            trigger=Trigger(row["trigger"]),
        )
        expected = model.predict(Outcome.OPENED, sending)
        assert found.loc[index, "p_opened"] == pytest.approx(expected[0])
    assert found["p_opened"].nunique() > 2
    assert set(found["level"]) == {"prior"}


def test_send_time_predictions_are_relative_openness(tmp_path: Path) -> None:
    model = SendTimeModel("1", (1 / 168,) * 168, 10.0)
    save_servable(model, tmp_path / "servable.json")
    counts = np.random.default_rng(1).poisson(1.0, size=(3, 168)).astype(float)
    found = _load_pyfunc(str(tmp_path / "servable.json")).predict(counts)
    np.testing.assert_array_equal(found, model.relative_openness(counts))
