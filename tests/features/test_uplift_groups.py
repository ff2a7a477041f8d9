import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from features.uplift_groups import GroupBorders, assign_groups, default_borders
from features.vocabulary import UpliftGroup


def group_of(effect: float, *, sd: float, p_without: float) -> str:
    found = assign_groups(
        np.array([effect]),
        sd=np.array([sd]),
        p_without=np.array([p_without]),
        borders=default_borders(),
    )
    return str(found[0])


@pytest.mark.parametrize(
    ("effect", "sd", "p_without", "group"),
    [
        (0.05, 0.01, 0.2, UpliftGroup.PERSUADABLE),
        (0.01, 0.02, 0.9, UpliftGroup.SURE_THING),
        (0.01, 0.02, 0.1, UpliftGroup.LOST_CAUSE),
        (-0.05, 0.01, 0.9, UpliftGroup.DO_NOT_DISTURB),
        (-0.05, 0.04, 0.9, UpliftGroup.SURE_THING),
        (0.05, float("nan"), 0.1, UpliftGroup.LOST_CAUSE),
    ],
)
def test_assign_groups_by_effect_and_its_error(
    effect: float, sd: float, p_without: float, group: UpliftGroup
) -> None:
    assert group_of(effect, sd=sd, p_without=p_without) == group


@given(st.floats(-0.5, 0.5), st.floats(0.001, 0.3), st.floats(0, 1, allow_nan=False))
def test_whose_interval_holds_nothing_is_neither_moved_nor_disturbed(
    effect: float, sd: float, p_without: float
) -> None:
    if abs(effect) < 0.8416 * sd:  # the 80 % one-sided interval holds zero
        assert group_of(effect, sd=sd, p_without=p_without) in ("sure_thing", "lost_cause")
    if effect + 1.645 * sd >= 0:
        assert group_of(effect, sd=sd, p_without=p_without) != "do_not_disturb"


def test_borders_refuse_levels_that_are_no_confidence() -> None:
    with pytest.raises(ValidationError):
        GroupBorders(least_effect=0, persuadable_level=0.4, disturb_level=0.9, sure_from=0.5)
