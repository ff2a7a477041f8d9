"""Writing a model as one JSON file, and reading it back."""

import json
from collections.abc import Mapping
from pathlib import Path

from features.errors import BadInputError, IncompatibleModelError
from training.registry.servable.booster import BoosterModel
from training.registry.servable.case_effect import CaseModel
from training.registry.servable.channel import ChannelModel
from training.registry.servable.churn import ChurnModel
from training.registry.servable.send_time import SendTimeModel
from training.registry.servable.uplift import UpliftModel

Servable = BoosterModel | CaseModel | ChannelModel | ChurnModel | SendTimeModel | UpliftModel

_KINDS: Mapping[str, type[Servable]] = {
    "booster": BoosterModel,
    "case_effect": CaseModel,
    "channel": ChannelModel,
    "churn": ChurnModel,
    "send_time": SendTimeModel,
    "uplift": UpliftModel,
}


def save_servable(model: Servable, path: Path) -> None:
    """Write the model as one JSON file."""
    path.write_text(json.dumps(model.to_json()), encoding="utf-8")


def load_servable(path: Path) -> Servable:
    """Read what `save_servable` wrote.

    Raises:
        BadInputError: The file is no such JSON; it is named with what is wrong.
        IncompatibleModelError: It lacks what the running code reads, as one of an earlier release.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        kind = _KINDS[data["kind"]]
    except (OSError, ValueError, KeyError, TypeError) as fault:
        raise BadInputError(f"{path} is not a model that can be served: {fault!r}") from fault
    try:
        return kind.from_json(data)
    except (ValueError, KeyError, TypeError, AttributeError) as fault:
        raise IncompatibleModelError(
            f"{path} has another form than the running code reads ({fault!r}): train again"
        ) from fault
