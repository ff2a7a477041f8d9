"""How `mlflow.pyfunc.load_model` reads our models; it imports nothing but our JSON reader."""

from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd

from features.vocabulary import Trigger
from training.registry.servable import (
    CHANNELS,
    BoosterModel,
    ChannelModel,
    Floats,
    SendTimeModel,
    load_servable,
)


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


class _Channel:
    def __init__(self, model: ChannelModel) -> None:
        self._model = model

    def predict(self, model_input: pd.DataFrame) -> pd.DataFrame:
        columns = [f"p_{outcome}" for outcome in self._model.boosters]
        p = pd.DataFrame(np.nan, index=model_input.index, columns=columns)
        for trigger in model_input["trigger"].unique():
            rows = model_input[model_input["trigger"] == trigger]
            X = rows[list(self._model.signature.names)].to_numpy(dtype=np.float64)
            channel = np.array([CHANNELS.index(name) for name in rows["channel"]])
            for outcome in self._model.boosters:
                p.loc[rows.index, f"p_{outcome}"] = self._model.predict(
                    outcome, X, channel=channel, trigger=Trigger(trigger)
                )
        return p


class _SendTime:
    def __init__(self, model: SendTimeModel) -> None:
        self._model = model

    def predict(self, model_input: Floats) -> Floats:
        return self._model.relative_openness(model_input)


def _load_pyfunc(data_path: str) -> Predictor:
    model = load_servable(Path(data_path))
    if isinstance(model, BoosterModel):
        return _Booster(model)
    return _Channel(model) if isinstance(model, ChannelModel) else _SendTime(model)
