"""The models there are."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from training.models.channel import CHANNEL
from training.models.churn import CHURN
from training.models.lateness import LATENESS
from training.models.recipe import Recipe
from training.models.send_time import SEND_TIME
from training.models.uplift import UPLIFT
from training.registry.entries import ModelName

RECIPES: Final[Mapping[ModelName, Recipe]] = MappingProxyType(
    {recipe.name: recipe for recipe in (CHURN, CHANNEL, SEND_TIME, LATENESS, UPLIFT)}
)
"""By name, in the order in which they are trained."""
