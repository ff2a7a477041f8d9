"""A registry version that a stranger prepared: nothing in it is executed, whatever it holds."""

import pickle
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from mlflow import MlflowClient

from features.errors import BadInputError
from training.registry.entries import Alias, ModelName
from training.registry.servable import SendTimeModel, save_servable
from training.registry.tracking import Tracking

NAME = ModelName.SEND_TIME
MakeTracking = Callable[[], Tracking]


class Bomb:
    """Writes a file when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
        return exec, (f"open({str(self.mark)!r}, 'w').close()",)


def prepare(folder: Path, *, mark: Path) -> None:
    """A model folder with every place from which MLflow and joblib execute code."""
    (folder / "code").mkdir(parents=True)
    run = f"open({str(mark)!r}, 'w').close()\n"
    for name in ("python_model.pkl", "model.pkl", "servable.pkl", "model.joblib"):
        (folder / name).write_bytes(pickle.dumps(Bomb(mark)))
    for name in ("stranger.py", "loader.py", "sitecustomize.py"):
        (folder / "code" / name).write_text(f"{run}\ndef _load_pyfunc(path):\n    {run}")
    (folder / "MLmodel").write_text(
        "flavors:\n"
        "  python_function:\n    loader_module: stranger\n    code: code\n"
        "    data: servable.json\n    python_version: 3.11.0\n"
        "  sklearn:\n    pickled_model: model.pkl\n    serialization_format: cloudpickle\n"
    )


def register(tracking: Tracking, folder: Path) -> None:
    """As a stranger with access to the registry would, past everything of ours."""
    client = MlflowClient(tracking.uri, tracking.uri)
    client.create_registered_model(NAME.value)
    run = client.create_run(client.create_experiment("stranger"))
    entry = client.create_model_version(
        NAME.value,
        source=folder.as_uri(),
        run_id=run.info.run_id,
        tags={"opportune.trained_until": datetime(2026, 1, 1, tzinfo=UTC).isoformat()},
    )
    for alias in Alias:
        client.set_registered_model_alias(NAME.value, alias.value, entry.version)


def test_pickles_and_loaders_beside_our_json_are_not_executed(
    make_tracking: MakeTracking, tmp_path: Path
) -> None:
    tracking, mark, folder = make_tracking(), tmp_path / "executed", tmp_path / "model"
    prepare(folder, mark=mark)
    save_servable(SendTimeModel("", (1 / 168,) * 168, 20.0), folder / "servable.json")
    register(tracking, folder)
    champion = tracking.load_champion(NAME)
    assert isinstance(champion, SendTimeModel)
    for alias in Alias:
        tracking.find(NAME, alias=alias)
    assert not mark.exists()


@pytest.mark.parametrize("disguise", ["absent", "a pickle", "a pickle in JSON's clothes"])
def test_version_without_our_json_is_refused_and_not_executed(
    make_tracking: MakeTracking, tmp_path: Path, disguise: str
) -> None:
    tracking, mark, folder = make_tracking(), tmp_path / "executed", tmp_path / "model"
    prepare(folder, mark=mark)
    if disguise == "a pickle":
        (folder / "servable.json").write_bytes(pickle.dumps(Bomb(mark)))
    elif disguise != "absent":
        (folder / "servable.json").write_text('{"kind": "training.registry.tracking.Tracking"}')
    register(tracking, folder)
    with pytest.raises(BadInputError, match=r"servable\.json"):
        tracking.load_champion(NAME)
    assert not mark.exists()


def test_the_bomb_would_go_off(tmp_path: Path) -> None:
    """What the tests above are worth: the same folder, read by whoever trusts it."""
    mark, folder = tmp_path / "executed", tmp_path / "model"
    prepare(folder, mark=mark)
    pickle.loads((folder / "model.pkl").read_bytes())
    assert mark.exists()
