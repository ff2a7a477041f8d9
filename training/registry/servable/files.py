"""Writing a model as one JSON file, and reading it back."""

import json
from collections.abc import Mapping
from pathlib import Path

from features.errors import BadInputError
from training.registry.servable.booster import BoosterModel
from training.registry.servable.channel import ChannelModel
from training.registry.servable.churn import ChurnModel
from training.registry.servable.send_time import SendTimeModel
from training.registry.servable.uplift import UpliftModel

Servable = BoosterModel | ChannelModel | ChurnModel | SendTimeModel | UpliftModel

_KINDS: Mapping[str, type[Servable]] = {
    "booster": BoosterModel,
    "channel": ChannelModel,
    "churn": ChurnModel,
    "send_time": SendTimeModel,
    "uplift": UpliftModel,
}


def save_servable(model: Servable, path: Path) -> None:
    """Write the model as one JSON file."""
    path.write_text(json.dumps(model.to_json()), encoding="utf-8")


def load_servable(path: Path) -> Servable:
    """Read what `save_servable` wrote; BadInputError names the file and what is wrong with it."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        return _KINDS[data["kind"]].from_json(data)
    except (OSError, ValueError, KeyError, TypeError) as fault:
        raise BadInputError(f"{path} is not a model that can be served: {fault!r}") from fault
