"""Where the borders of the four groups of uplift lie, as data (`uplift_groups.yaml`)."""

from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import yaml
from pydantic import BaseModel, ConfigDict, Field
from scipy.special import ndtri  # scipy.stats takes ten times as long to import

from features.vocabulary import UpliftGroup

_DEFAULTS = Path(__file__).with_name("uplift_groups.yaml")

Floats = npt.NDArray[np.float64]


class GroupBorders(BaseModel):
    """Where the groups' borders lie.

    Attributes:
        least_effect: Change of the chance of a good outcome that a message must exceed.
        persuadable_level: Confidence, of one side, that it does.
        disturb_level: Confidence, of one side, that it lowers the chance by more than that.
        sure_from: Chance of a good outcome without a message from which it comes anyway.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    least_effect: float = Field(ge=0, lt=1)
    persuadable_level: float = Field(gt=0.5, lt=1)
    disturb_level: float = Field(gt=0.5, lt=1)
    sure_from: float = Field(gt=0, lt=1)


@cache
def default_borders() -> GroupBorders:
    """The borders that ship with Opportune.

    >>> default_borders().disturb_level
    0.95
    """
    return GroupBorders.model_validate(yaml.safe_load(_DEFAULTS.read_text(encoding="utf-8")))


def assign_groups(
    effect: Floats, *, sd: Floats, p_without: Floats, borders: GroupBorders
) -> npt.NDArray[np.object_]:
    """The group of each customer, (n,), names of `UpliftGroup`.

    Whoever is neither clearly moved nor clearly put off (the one-sided interval holds an effect of
    nothing) is a sure thing or a lost cause by the chance without a message. An effect of unknown
    error is clear of nothing.

    Args:
        effect: Change of the chance of a good outcome, (n,).
        sd: Its standard deviation, (n,); NaN is unknown.
        p_without: Chance of a good outcome without a message, (n,).
        borders: Where the borders lie.
    """
    up = effect - ndtri(borders.persuadable_level) * sd > borders.least_effect
    down = effect + ndtri(borders.disturb_level) * sd < -borders.least_effect
    rest = np.where(p_without >= borders.sure_from, UpliftGroup.SURE_THING, UpliftGroup.LOST_CAUSE)
    moved = np.where(up, UpliftGroup.PERSUADABLE, rest)
    return np.where(down, UpliftGroup.DO_NOT_DISTURB, moved).astype(object)
