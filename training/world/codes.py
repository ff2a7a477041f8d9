"""Positions by which the simulation keeps members of the closed sets."""

from collections.abc import Mapping
from types import MappingProxyType

from features.vocabulary import Arm, Channel, Outcome, Trigger

TRIGGERS = tuple(Trigger)
CHANNELS = tuple(Channel)
OUTCOMES = tuple(Outcome)
ARMS = tuple(Arm)

INDEX: Mapping[Trigger, int] = MappingProxyType(
    {t: position for position, t in enumerate(TRIGGERS)}
)
"""Position of each trigger."""
