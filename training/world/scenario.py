"""The scenarios a world can be in, as data."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from features.errors import ConfigurationError


@dataclass(frozen=True)
class Scenario:
    """What differs between worlds of the same customers.

    Attributes:
        name: Name by which it is asked for.
        effect: Multiplies what messages achieve: orders, prevented calls, saved customers.
        irritation: Multiplies the chance that a message unsubscribes or disappoints its reader.
        traffic: Multiplies how often something happens that a message could be about.
        change_after_days: Days after `World.start` when tastes and effects change; None: never.
    """

    name: str
    effect: float = 1.0
    irritation: float = 1.0
    traffic: float = 1.0
    change_after_days: int | None = None


CALM = Scenario("calm")
SEASONAL_CHANGE = Scenario("seasonal_change", change_after_days=30)
"""The change comes half-way through a rehearsal of 60 days; `dataclasses.replace` for others."""
TINY_TRAFFIC = Scenario("tiny_traffic", traffic=0.1)
HOSTILE = Scenario("hostile", effect=0.0)

SCENARIOS: Mapping[str, Scenario] = MappingProxyType(
    {scenario.name: scenario for scenario in (CALM, SEASONAL_CHANGE, TINY_TRAFFIC, HOSTILE)}
)


def scenario_named(name: str) -> Scenario:
    """The scenario of that name; ConfigurationError lists the known ones.

    >>> scenario_named("hostile").effect
    0.0
    """
    try:
        return SCENARIOS[name]
    except KeyError:
        known = ", ".join(SCENARIOS)
        raise ConfigurationError(f"scenario {name!r} is unknown, expected one of {known}") from None
