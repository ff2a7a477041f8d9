"""How `mlflow.pyfunc.load_model` reads our models; it imports nothing but our JSON reader."""

from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.vocabulary import Factor, Outcome
from training.registry.servable import (
    CHANNELS,
    TRIGGERS,
    AtOpening,
    Belonging,
    BoosterModel,
    CaseModel,
    ChannelModel,
    ChurnModel,
    Floats,
    SendTimeModel,
    UpliftModel,
    load_servable,
)
from training.registry.servable.pooled import UNKNOWN


class Predictor(Protocol):
    """What MLflow calls."""

    def predict(self, model_input: Any) -> pd.DataFrame | Floats:
        """Predictions of rows that fit the signature."""
        ...


class _Booster:
    def __init__(self, model: BoosterModel) -> None:
        self._model = model

    def predict(self, model_input: pd.DataFrame) -> pd.DataFrame:
        X = model_input[list(self._model.signature.names)].to_numpy(dtype=np.float64)
        return pd.DataFrame({"p": self._model.predict(X)}, index=model_input.index)


class _Churn:
    def __init__(self, model: ChurnModel) -> None:
        self._model = model

    def predict(self, model_input: pd.DataFrame) -> pd.DataFrame:
        X = model_input[list(self._model.signature.names)].to_numpy(dtype=np.float64)
        p = {
            f"p_{days}d": self._model.predict_at(X, horizon_days=days)
            for days in self._model.horizons_days
        }
        return pd.DataFrame(p, index=model_input.index)


class _Channel:
    def __init__(self, model: ChannelModel) -> None:
        self._model = model

    def predict(self, model_input: pd.DataFrame) -> pd.DataFrame:
        outcomes = tuple(self._model.outcomes)
        sendings = self._model.describe(
            model_input[list(self._model.signature.names)].to_numpy(dtype=np.float64),
            channel=np.array([CHANNELS.index(name) for name in model_input["channel"]]),
            trigger=np.array([TRIGGERS.index(name) for name in model_input["trigger"]]),
            segments=_read_optional(model_input, "segment"),
            languages=_read_optional(model_input, "language"),
            hour=None if "hour" not in model_input else _read_hours(model_input["hour"]),
        )
        found = self._model.predict_all(outcomes, sendings)
        p = pd.DataFrame({f"p_{outcome}": found[outcome] for outcome in outcomes})
        levels = self._model.find_levels(Outcome.OPENED, sendings).astype(str)
        return p.assign(level=levels).set_index(model_input.index)


def _read_optional(rows: pd.DataFrame, column: str) -> list[str | None] | None:
    if column not in rows:
        return None
    return [None if pd.isna(name) else str(name) for name in rows[column]]


def _read_hours(hours: "pd.Series[Any]") -> npt.NDArray[np.int64]:
    return hours.fillna(UNKNOWN).to_numpy(dtype=np.int64)


class _SendTime:
    def __init__(self, model: SendTimeModel) -> None:
        self._model = model

    def predict(self, model_input: Floats) -> Floats:
        return self._model.relative_openness(model_input)


class _Uplift:
    def __init__(self, model: UpliftModel) -> None:
        self._model = model

    def predict(self, model_input: pd.DataFrame) -> pd.DataFrame:
        told = [f"{what}_{name}" for name in self._model.treatments for what in ("uplift", "sd")]
        found = pd.DataFrame(np.nan, index=model_input.index, columns=["p_without", *told])
        belonging = Belonging.of(
            len(model_input),
            segments=_read_optional(model_input, "segment"),
            languages=_read_optional(model_input, "language"),
        )
        for trigger in model_input["trigger"].unique():
            at = (model_input["trigger"] == trigger).to_numpy()
            rows = model_input.loc[at, list(self._model.signature.names)]
            X = rows.to_numpy(dtype=np.float64)
            effects = self._model.effects(X, group=trigger, belonging=belonging.take(at))
            found.loc[at, "p_without"] = self._model.p_without(X, group=trigger)
            for k, name in enumerate(self._model.treatments):
                found.loc[at, f"uplift_{name}"] = effects.value[:, k]
                found.loc[at, f"sd_{name}"] = effects.sd[:, k]
        return found


class _Case:
    def __init__(self, model: CaseModel) -> None:
        self._model = model

    def predict(self, model_input: pd.DataFrame) -> pd.DataFrame:
        n = len(model_input)
        unknown: list[str | None] = [None] * n
        refused = model_input["n_refused"] if "n_refused" in model_input else np.full(n, np.nan)
        factors = _read_optional(model_input, "factor") or unknown
        told = self._model.effects(
            AtOpening(
                model_input["p_churn"].to_numpy(dtype=np.float64),
                np.asarray(refused, dtype=np.float64),
                _read_optional(model_input, "segment") or unknown,
                [None if name is None else Factor(name) for name in factors],
            )
        )
        columns = {
            "uplift": told.value[:, 0],
            "sd": told.sd[:, 0],
            "most_woken": told.most_woken,
            "p_stays": told.p_stays,
        }
        return pd.DataFrame(columns, index=model_input.index)


def _load_pyfunc(data_path: str) -> Predictor:
    model = load_servable(Path(data_path))
    if isinstance(model, BoosterModel):
        return _Booster(model)
    if isinstance(model, ChurnModel):
        return _Churn(model)
    if isinstance(model, UpliftModel):
        return _Uplift(model)
    if isinstance(model, CaseModel):
        return _Case(model)
    return _Channel(model) if isinstance(model, ChannelModel) else _SendTime(model)
