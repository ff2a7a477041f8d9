"""A model as a folder that MLflow understands: our JSON, a signature, and no pickle.

The folder has the flavours `opportune` (our JSON, the only one that Opportune itself reads),
`python_function` (the same JSON through `training.registry.loader`, so that
`mlflow.pyfunc.load_model` gives calibrated predictions) and, for a single booster and the 30-day
one of churn, `lightgbm` (the raw booster as text, for LightGBM's own tools).
"""

import platform
from pathlib import Path

import lightgbm
import numpy as np
from mlflow.models import Model, ModelSignature
from mlflow.types import ColSpec, Schema, TensorSpec

from training.registry.servable import (
    MAIN_HORIZON_DAYS,
    N_WEEK_HOURS,
    BoosterModel,
    CaseModel,
    ChurnModel,
    SendTimeModel,
    Servable,
    UpliftModel,
    save_servable,
)

SERVABLE_FILE = "servable.json"
_BOOSTER_FILE = "model.lgb"
_REQUIREMENTS = "opportune\n"


def write_model_folder(model: Servable, folder: Path, *, run_id: str) -> None:
    """Write the folder of a model that the run made; the folder must exist and be empty."""
    description = Model(run_id=run_id, signature=describe_signature(model))
    save_servable(model, folder / SERVABLE_FILE)
    description.add_flavor("opportune", data=SERVABLE_FILE)
    description.add_flavor(
        "python_function",
        loader_module="training.registry.loader",
        data=SERVABLE_FILE,
        python_version=platform.python_version(),
    )
    booster = model.boosters[MAIN_HORIZON_DAYS] if isinstance(model, ChurnModel) else model
    if isinstance(booster, BoosterModel):
        (folder / _BOOSTER_FILE).write_text(booster.text, encoding="utf-8")
        description.add_flavor(
            "lightgbm",
            lgb_version=lightgbm.__version__,
            data=_BOOSTER_FILE,
            model_class="lightgbm.basic.Booster",
        )
    (folder / "requirements.txt").write_text(_REQUIREMENTS, encoding="utf-8")
    description.save(str(folder / "MLmodel"))


def describe_signature(model: Servable) -> ModelSignature:
    """Columns or tensor that the model takes and gives, in MLflow's terms."""
    if isinstance(model, SendTimeModel):
        week = TensorSpec(np.dtype(np.float64), (-1, N_WEEK_HOURS))
        return ModelSignature(Schema([week]), Schema([week]))
    if isinstance(model, CaseModel):
        known = [ColSpec("double", "p_churn"), ColSpec("double", "n_refused", required=False)]
        groups = [ColSpec("string", name, required=False) for name in ("segment", "factor")]
        effects = [ColSpec("double", name) for name in ("uplift", "sd", "most_woken", "p_stays")]
        return ModelSignature(Schema([*known, *groups]), Schema([*effects]))
    features: list[ColSpec | TensorSpec] = [ColSpec("double", n) for n in model.signature.names]
    if isinstance(model, BoosterModel):
        return ModelSignature(Schema(features), Schema([ColSpec("double", "p")]))
    if isinstance(model, ChurnModel):
        p = [f"p_{days}d" for days in model.horizons_days]
        return ModelSignature(Schema(features), Schema([ColSpec("double", name) for name in p]))
    if isinstance(model, UpliftModel):
        told = [f"{what}_{name}" for name in model.treatments for what in ("uplift", "sd")]
        return ModelSignature(
            Schema(
                [
                    *features,
                    ColSpec("string", "trigger"),
                    ColSpec("string", "segment", required=False),
                    ColSpec("string", "language", required=False),
                ]
            ),
            Schema([ColSpec("double", name) for name in ("p_without", *told)]),
        )
    return ModelSignature(
        Schema(
            [
                *features,
                ColSpec("string", "channel"),
                ColSpec("string", "trigger"),
                ColSpec("string", "segment", required=False),
                ColSpec("string", "language", required=False),
                ColSpec("long", "hour", required=False),
            ]
        ),
        Schema(
            [
                *(ColSpec("double", f"p_{outcome}") for outcome in model.outcomes),
                ColSpec("string", "level"),
            ]
        ),
    )
