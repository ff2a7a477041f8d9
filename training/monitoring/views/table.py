"""How each model is watched."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from training.monitoring.views.channel import read_asked as read_channel
from training.monitoring.views.churn import read_asked as read_churn
from training.monitoring.views.lateness import read_asked as read_lateness
from training.monitoring.views.send_time import read_asked as read_send_time
from training.monitoring.views.uplift import read_asked as read_uplift
from training.monitoring.views.view import ReadAsked
from training.registry.entries import ModelName

VIEWS: Final[Mapping[ModelName, ReadAsked]] = MappingProxyType(
    {
        ModelName.CHURN: read_churn,
        ModelName.CHANNEL: read_channel,
        ModelName.SEND_TIME: read_send_time,
        ModelName.LATENESS: read_lateness,
        ModelName.UPLIFT: read_uplift,
    }
)
"""By name; a model without one is watched by its tables and its matured labels alone."""
