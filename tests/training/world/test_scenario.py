import pytest

from features.errors import ConfigurationError
from training.world.scenario import SCENARIOS, scenario_named


def test_scenario_named_finds_the_four_that_rehearsals_need() -> None:
    assert set(SCENARIOS) == {"calm", "seasonal_change", "tiny_traffic", "hostile"}
    assert all(scenario_named(name).name == name for name in SCENARIOS)


def test_scenario_named_lists_what_there_is() -> None:
    with pytest.raises(ConfigurationError, match=r"'stormy'.*calm.*hostile"):
        scenario_named("stormy")
