from dataclasses import replace
from pathlib import Path

import lightgbm
import numpy as np
import pandas as pd
import pytest

from features.errors import BadInputError
from training.registry.folder import write_model_folder
from training.registry.loader import _load_pyfunc
from training.registry.servable import (
    BoosterModel,
    Calibration,
    ChurnModel,
    FeatureSignature,
    Floats,
    load_servable,
    make_reference,
    save_servable,
)

SIGNATURE = FeatureSignature(("a", "b", "c"), "d1")


@pytest.fixture(scope="module")
def rows() -> Floats:
    X = np.random.default_rng(1).normal(size=(500, 3))
    X[:, 2] = np.nan
    return X


@pytest.fixture(scope="module")
def model(rows: Floats) -> ChurnModel:
    """Three horizons; that of 60 days says less than that of 30."""
    y = rows[:, 0] + np.random.default_rng(2).normal(size=500) > 1
    params = {"objective": "binary", "verbosity": -1, "num_threads": 1}
    text = lightgbm.train(params, lightgbm.Dataset(rows, y), 10).model_to_string()
    boosters = {
        days: BoosterModel("churn", "", SIGNATURE, text, Calibration(1.0, shift))
        for days, shift in ((30, 0.0), (60, -0.5), (90, 0.7))
    }
    return ChurnModel("", SIGNATURE, boosters, make_reference(boosters[30], rows))


def test_a_churn_model_is_read_as_it_was_written(
    model: ChurnModel, rows: Floats, tmp_path: Path
) -> None:
    save_servable(model, tmp_path / "servable.json")
    read = load_servable(tmp_path / "servable.json")

    assert isinstance(read, ChurnModel)
    assert read.horizons_days == (30, 60, 90)
    for days in read.horizons_days:
        expected = model.predict_at(rows, horizon_days=days)
        assert np.array_equal(read.predict_at(rows, horizon_days=days), expected)
    assert np.array_equal(read.contributions(rows), model.contributions(rows))
    assert read.reference.medians[2] is None


def test_probabilities_never_fall_with_the_horizon(model: ChurnModel, rows: Floats) -> None:
    p30, p60, p90 = (model.predict_at(rows, horizon_days=d) for d in (30, 60, 90))

    assert np.array_equal(p30, model.predict(rows))
    assert np.array_equal(p60, p30)  # its own booster says less
    assert (model.boosters[60].predict(rows) < p30).all()
    assert (p90 > p60).all()


def test_riskier_is_who_is_above_the_mean_logit(model: ChurnModel, rows: Floats) -> None:
    """Contributions less the reference's add up to the logit less the reference's."""
    reference = model.reference
    excess = (model.contributions(rows) - np.asarray(reference.contributions)).sum(axis=1)
    margin = model.boosters[30].margin(rows)

    assert excess == pytest.approx(margin - reference.margin, abs=1e-6)
    assert (model.is_riskier(rows) == (margin > reference.margin)).all()
    assert 0.2 < model.is_riskier(rows).mean() < 0.8


def test_a_churn_model_that_is_incomplete_is_refused(model: ChurnModel, rows: Floats) -> None:
    with pytest.raises(BadInputError, match=r"boosters of \[60\] days; expected 30"):
        replace(model, boosters={60: model.boosters[60]})
    with pytest.raises(BadInputError, match="shortest first"):
        replace(model, boosters={60: model.boosters[60], 30: model.boosters[30]})
    with pytest.raises(BadInputError, match="3 features has a reference of 2"):
        short = replace(model.reference, contributions=(0.0, 0.0), medians=(0.0, 0.0))
        replace(model, reference=short)
    with pytest.raises(BadInputError, match="2 contributions and 3 medians"):
        replace(model.reference, contributions=(0.0, 0.0))
    with pytest.raises(BadInputError, match=r"no horizon of 45 days.*30, 60, 90"):
        model.predict_at(rows, horizon_days=45)


def test_mlflow_reads_every_horizon(model: ChurnModel, rows: Floats, tmp_path: Path) -> None:
    write_model_folder(model, tmp_path, run_id="r")
    frame = pd.DataFrame(rows, columns=list(SIGNATURE.names)).iloc[:, ::-1]

    found = _load_pyfunc(str(tmp_path / "servable.json")).predict(frame)

    assert isinstance(found, pd.DataFrame)
    assert found.columns.tolist() == ["p_30d", "p_60d", "p_90d"]
    assert np.array_equal(found["p_90d"], model.predict_at(rows, horizon_days=90))
    raw = lightgbm.Booster(model_file=str(tmp_path / "model.lgb")).predict(rows)
    assert np.asarray(raw) == pytest.approx(model.predict(rows))
