"""Parts of our gains replaced by true ones: what is replaced is true, what is not stays ours."""

import numpy as np
import pytest

from serving.benchmarks.value_gap import PARTS, Gains


@pytest.fixture
def gains() -> Gains:
    rng = np.random.default_rng(5)
    shape = (40, 3, 6)
    return Gains(
        ours=rng.gamma(2.0, 3.0, shape),
        true=rng.gamma(2.0, 5.0, shape),
        allowed=np.ones(shape, dtype=bool),
        cell=rng.integers(0, 3, 40),
    )


def test_levels_are_the_true_ones(gains: Gains) -> None:
    by_trigger = PARTS["true level by trigger"](gains)
    assert by_trigger.sum() == pytest.approx(gains.true.sum())
    np.testing.assert_allclose(by_trigger / gains.ours, by_trigger[0, 0, 0] / gains.ours[0, 0, 0])
    by_cell = PARTS["true level by trigger, channel, segment, language"](gains)
    for cell in range(3):
        here = gains.cell == cell
        np.testing.assert_allclose(by_cell[here].sum((0, 2)), gains.true[here].sum((0, 2)))


def test_hours_and_channels_are_true_in_their_shape_alone(gains: Gains) -> None:
    hours = PARTS["true shape over hours"](gains)
    np.testing.assert_allclose(hours.sum(axis=2), gains.ours.sum(axis=2))
    ratio = hours / gains.true
    np.testing.assert_allclose(ratio, ratio[:, :, :1] * np.ones(6))
    split = PARTS["true split over channels of each case"](gains)
    np.testing.assert_allclose(split.sum(axis=(1, 2)), gains.ours.sum(axis=(1, 2)))
    ours, true = split.sum(axis=2), gains.true.sum(axis=2)
    np.testing.assert_allclose(ours / ours[:, :1], true / true[:, :1])


def test_what_is_not_allowed_counts_for_nothing(gains: Gains) -> None:
    allowed = gains.allowed.copy()
    allowed[:, 0] = False
    some = Gains(gains.ours, gains.true, allowed, gains.cell)
    scaled = PARTS["true level by trigger"](some)
    assert scaled[:, 1:].sum() == pytest.approx(gains.true[:, 1:].sum())
