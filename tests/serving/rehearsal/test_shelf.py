"""Models of a rehearsal: which are not served, and why."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from serving.rehearsal import shelf
from serving.snapshot.state import Models
from tests.conftest import AS_OF
from training.datasets.provenance import NotEnoughData
from training.gate import Hold
from training.models.table import RECIPES
from training.registry.entries import ModelName


def test_train_models_keeps_why_a_model_is_not_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gate holds churn, and there is too little for the others."""
    trained: list[str] = []

    def learn(name: ModelName) -> object:
        trained.append(name)
        is_churn = name.endswith("churn")
        return SimpleNamespace(name=name) if is_churn else NotEnoughData("only 3 rows")

    recipes = {
        name: SimpleNamespace(learn=lambda *_, name=name, **__: learn(name)) for name in RECIPES
    }
    registry = SimpleNamespace(log_training=lambda _: None)
    monkeypatch.setattr(shelf, "RECIPES", recipes)
    monkeypatch.setattr(shelf, "Tracking", SimpleNamespace(in_folder=lambda _: registry))
    monkeypatch.setattr(shelf, "load_champions", lambda _: Models())
    monkeypatch.setattr(
        shelf, "promote", lambda name, *_, **__: Hold(name, ("worse than before", "too few rows"))
    )

    for _ in range(2):  # the second time nothing is trained
        shelf.train_models({}, known_until=AS_OF, seed=0, folder=tmp_path / "models")

    assert len(trained) == len(set(trained)) == 4
    assert shelf.find_missing(tmp_path / "models") == {
        "churn": "held by the gate: worse than before; too few rows",
        **dict.fromkeys(("channel", "send_time", "uplift"), "too little data: only 3 rows"),
    }
